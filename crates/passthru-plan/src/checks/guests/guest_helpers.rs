//! Whether the programs that guests need beside QEMU are installed.

use passthru_model::HostFacts;

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "guest-helpers",
    title: "the helpers of guests are installed: a TPM, shared folders",
    section: "Setting up the guest OS",
    why: "Windows 11 wants a TPM 2.0, which swtpm emulates; shared folders need virtiofsd",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(helpers) = facts.virtualisation.helpers.value() else {
        return Outcome::unknown(
            "which helpers are installed",
            facts.virtualisation.helpers.because().unwrap_or_default(),
        );
    };
    let has = |name: &str| helpers.contains(name);
    let mut remarks = Remarks::default();
    let seen = helpers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    remarks.seen("/usr/bin", if seen.is_empty() { "none of the helpers".to_owned() } else { seen });
    let mut wanted = false;
    for domain in facts.virtualisation.domains() {
        let emulated = domain.tpm.iter().any(|(_, backend)| backend == "emulator");
        wanted |= emulated;
        if emulated && !(has("swtpm") && has("swtpm_setup")) {
            remarks
                .fail(format!("{} has an emulated TPM, and swtpm is not installed whole", domain.name))
                .by_hand("Install it (Debian and Ubuntu: swtpm, swtpm-tools; Arch: swtpm; Fedora: swtpm, swtpm-tools)");
        }
        if domain.virtiofs && !has("virtiofsd") {
            remarks
                .fail(format!("{} shares a folder by virtiofs, and virtiofsd is not installed", domain.name))
                .by_hand("Install virtiofsd");
        }
    }
    if !wanted && !has("swtpm") {
        return remarks.outcome(
            "no guest needs a helper; for Windows 11, whose TPM it emulates, swtpm would be installed first",
        );
    }
    remarks.outcome("the helpers that guests need are installed")
}
