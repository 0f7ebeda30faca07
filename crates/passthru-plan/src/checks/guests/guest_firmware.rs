//! Whether the guests that are given devices start by UEFI, with firmware that is there.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainFirmware};

use super::domains::{domains, has_devices, has_display};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-firmware",
    title: "guests with devices start by UEFI firmware that is there",
    section: "Setting up an OVMF-based guest VM",
    why: "OVMF shows a picture by the card's own EFI driver; a firmware file that moved with an update keeps the guest from starting",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let domains = match domains(facts, "is given a device of the host", has_devices) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let mut remarks = Remarks::default();
    for domain in &domains {
        judge(facts, domain, &mut remarks);
    }
    remarks.outcome(format!("{} with UEFI firmware", count(domains.len(), "guest")))
}

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    match &domain.firmware {
        DomainFirmware::Bios => {
            remarks.seen(domain.path.clone(), "no firmware named: SeaBIOS");
            if has_display(facts, domain) {
                remarks
                    .warn(format!("{name} starts by a BIOS, which shows a picture by old VGA ways that only one card can have"))
                    .by_hand(format!("Let the guest start by UEFI (<os firmware='efi'>: virsh edit {name}); an installed system must boot by UEFI too"));
            }
        }
        DomainFirmware::Automatic => {
            remarks.seen(domain.path.clone(), "<os firmware='efi'>");
        }
        DomainFirmware::File { code, kind, vars, template } => {
            remarks.seen(domain.path.clone(), format!("<loader type='{kind}'>{code}"));
            if facts.virtualisation.named_files.get(code) == Some(&false) {
                remarks
                    .fail(format!("{name} starts by {code}, which is not there"))
                    .by_hand(format!("Take <loader> and <nvram> out and write <os firmware='efi'>: virsh edit {name}, then virsh start --reset-nvram {name}"));
            }
            if template
                .as_ref()
                .is_some_and(|path| facts.virtualisation.named_files.get(path) == Some(&false))
            {
                remarks.warn(format!("{name} names a template of variables that is not there"));
            }
            let is_uefi =
                ["ovmf", "edk2", "aavmf", "uefi"].iter().any(|word| code.to_ascii_lowercase().contains(word));
            if kind == "rom" && (is_uefi || vars.is_some()) {
                remarks
                    .warn(format!("{name} loads its UEFI firmware as a ROM, which forgets all variables, the boot order among them"))
                    .by_hand(format!("Write type='pflash' and readonly='yes': virsh edit {name}"));
            }
            let small = |path: &str| path.contains("_CODE.fd") || path.ends_with("ovmf_code_x64.bin");
            let four = |path: &str| path.contains("4M");
            if let Some(template) = template
                .as_ref()
                .filter(|template| four(template) != four(code) && (small(code) || small(template)))
            {
                remarks.warn(format!(
                    "{name} has firmware and variables of different sizes: {code}, {template}"
                ));
            }
        }
    }
}
