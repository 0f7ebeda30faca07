//! Whether the disks and install images that guests name are there.

use passthru_model::HostFacts;
use passthru_model::virtualisation::DomainFirmware;

use super::domains::domains;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-media",
    title: "the disks and install images of guests are there",
    section: "Using a non-EFI image on an OVMF-based VM",
    why: "a UEFI guest without a medium that boots by UEFI ends in the UEFI shell",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let domains = match domains(facts, "names a disk by a file", |domain| !domain.disks.is_empty()) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let mut remarks = Remarks::default();
    let (mut found, mut unseen, mut images) = (0, 0, 0);
    for domain in &domains {
        let uefi = domain.firmware != DomainFirmware::Bios;
        for (path, is_cdrom) in &domain.disks {
            match facts.virtualisation.named_files.get(path) {
                Some(true) => found += 1,
                Some(false) => {
                    remarks
                        .warn(format!("{} names {path}, which is not there", domain.name))
                        .seen(domain.path.clone(), path.clone())
                        .by_hand(format!("Put it there, or take it out: virsh edit {}", domain.name));
                }
                None => unseen += 1,
            }
            images += usize::from(uefi && *is_cdrom);
        }
    }
    if found == 0 && unseen > 0 {
        return match remarks.outcome(String::new()) {
            outcome if outcome.summary.is_empty() => Outcome::unknown(
                "whether they are there",
                "their directories may not be looked into by this user",
            ),
            outcome => outcome,
        };
    }
    let more = if images > 0 {
        "; ‘passthru guest check’ says of an install image whether it boots by UEFI"
    } else {
        ""
    };
    remarks.outcome(format!("{} of guests, all there{more}", count(found, "file")))
}
