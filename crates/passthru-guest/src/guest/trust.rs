//! Secure Boot and the TPM: what a guest trusts itself by.

use passthru_model::HostFacts;

use super::BuildError;
use crate::firmware::{self, Uefi};
use crate::spec::{FirmwareKind, GuestSpec, Os};

/// The firmware of a guest with Secure Boot.
pub(super) fn firmware(spec: &GuestSpec, facts: &HostFacts, wrong: &mut Vec<BuildError>) -> Option<Uefi> {
    if spec.firmware == FirmwareKind::Seabios {
        wrong.push(BuildError::SecureBootWithoutUefi);
        return None;
    }
    let missing = |why| BuildError::SecureBootMissing { asked: asked(spec, spec.secure_boot), why };
    firmware::choose(facts, true).map_err(|why| wrong.push(missing(why))).ok()
}

/// Whether the guest has a TPM; a host that is known to have nothing to emulate it with is refused.
pub(super) fn tpm(spec: &GuestSpec, facts: &HostFacts, wrong: &mut Vec<BuildError>) -> bool {
    let helpers = facts.virtualisation.helpers.value();
    let wanted = spec.wants_tpm();
    if wanted && helpers.is_some_and(|helpers| !helpers.contains("swtpm")) {
        wrong.push(BuildError::TpmMissing { asked: asked(spec, spec.tpm) });
    }
    wanted
}

/// Who asks: the key itself, or the system that is not installed without.
fn asked(spec: &GuestSpec, key: Option<bool>) -> Option<Os> {
    key.is_none().then_some(spec.os)
}
