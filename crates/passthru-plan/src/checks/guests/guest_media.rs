//! Whether the disks and install images that guests name are there.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainFirmware};

use super::domains::domains;
use super::lint::{Lint, nothing};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const LINT: Lint = Lint {
    id: "guest-media",
    title: "the disks and install images of guests are there",
    section: "Using a non-EFI image on an OVMF-based VM",
    why: "a UEFI guest without a medium that boots by UEFI ends in the UEFI shell",
    about: "names a disk by a file",
    concerns: |_, domain| !domain.disks.is_empty(),
    judge,
    instead: nothing,
    well: "whose files are all there",
};

pub(super) const CHECK: Check = LINT.check(run);

fn run(facts: &HostFacts) -> Outcome {
    let outcome = LINT.over(facts);
    let domains = match domains(facts, LINT.about, |domain| (LINT.concerns)(facts, domain)) {
        Ok(domains) if outcome.remedy.is_none() => domains,
        _ => return outcome,
    };
    let found = domains.iter().flat_map(|domain| &domain.disks);
    let found = found.filter(|disk| facts.virtualisation.named_files.contains_key(&disk.path)).count();
    if found == 0 {
        return Outcome::unknown(
            "whether they are there",
            "their directories may not be looked into by this user",
        );
    }
    let has_image = |domain: &&Domain| {
        domain.firmware != DomainFirmware::Bios && domain.disks.iter().any(|disk| disk.is_cdrom)
    };
    let more = if domains.iter().any(has_image) {
        "; ‘passthru guest check’ says of an install image whether it boots by UEFI"
    } else {
        ""
    };
    Outcome { summary: format!("{} of guests, all there{more}", count(found, "file")), ..outcome }
}

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    for disk in &domain.disks {
        let path = &disk.path;
        if facts.virtualisation.named_files.get(path) == Some(&false) {
            remarks
                .warn(format!("{} names {path}, which is not there", domain.name))
                .seen(domain.path.clone(), path.clone())
                .at(&disk.place)
                .in_file("Put it there, or take it out")
                .in_command("Put it there, or take it out");
        }
    }
}
