//! Whether the guests that are given devices start by UEFI, with firmware that is there.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainEdit, DomainFirmware, Place};

use super::domains::{has_devices, has_display};
use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;

pub(super) const LINT: Lint = Lint {
    id: "guest-firmware",
    title: "guests with devices start by UEFI firmware that is there",
    section: "Setting up an OVMF-based guest VM",
    why: "OVMF shows a picture by the card's own EFI driver; a firmware file that moved with an update keeps the guest from starting",
    about: "is given a device of the host",
    concerns: |_, domain| has_devices(domain),
    judge,
    instead: nothing,
    well: "with UEFI firmware",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

/// Ends of paths by which OVMF was once installed, and is no longer by any distribution: Arch's package before edk2-ovmf, and
/// the builds that were offered for Fedora before it had its own.
const FORMER: [&str; 2] = ["/ovmf_code_x64.bin", "/OVMF_CODE-pure-efi.fd"];

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    match &domain.firmware {
        DomainFirmware::Bios => {
            remarks.seen(domain.path.clone(), "no firmware named: SeaBIOS");
            if has_display(facts, domain) {
                remarks
                    .warn(format!("{name} starts by a BIOS, which shows a picture by old VGA ways that only one card can have"))
                    .at_path("os")
                    .in_file("Write <os firmware='efi'>; the system inside must boot by UEFI too")
.in_command("Give it OVMF as -drive if=pflash (passthru guest export --format qemu shows how); the system inside must boot by UEFI too");
            }
        }
        DomainFirmware::Automatic => {
            remarks.seen(domain.path.clone(), "<os firmware='efi'>");
        }
        DomainFirmware::File { code, kind, vars, template } => {
            remarks.seen(domain.path.clone(), format!("<loader type='{kind}'>{code}"));
            files(facts, domain, code, template.as_deref(), remarks);
            let is_uefi =
                ["ovmf", "edk2", "aavmf", "uefi"].iter().any(|word| code.to_ascii_lowercase().contains(word));
            if kind == "rom" && (is_uefi || vars.is_some()) {
                let loader = Place::new("os/loader");
                remarks
                    .warn(format!("{name} loads its UEFI firmware as a ROM, which forgets all variables, the boot order among them"))
                    .at(&loader)
                    .in_file("Write type='pflash' and readonly='yes'")
.in_command("Give it as -drive if=pflash,format=raw,readonly=on,file=…, with a copy of the variables as a second one")
                    .edits([
                        DomainEdit::set(loader.clone(), "type", "pflash"),
                        DomainEdit::set(loader, "readonly", "yes"),
                    ]);
            }
        }
    }
}

/// The files of firmware: whether they are there, and fit together.
fn files(facts: &HostFacts, domain: &Domain, code: &str, template: Option<&str>, remarks: &mut Remarks) {
    let name = &domain.name;
    let there = |path: &str| facts.virtualisation.named_files.get(path).copied();
    let chosen = "Write <os firmware='efi'> in the place of <loader> and <nvram>, and start it once with virsh start --reset-nvram";
    let edits = || {
        [
            DomainEdit::Remove(Place::new("os/loader")),
            DomainEdit::Remove(Place::new("os/nvram")),
            DomainEdit::set(Place::new("os"), "firmware", "efi"),
        ]
    };
    if there(code) == Some(false) {
        remarks
            .fail(format!("{name} starts by {code}, which is not there"))
            .at_path("os/loader")
            .in_file(chosen)
            .in_command("Name the image that QEMU's descriptors in /usr/share/qemu/firmware name")
            .edits(edits());
    } else if there(code).is_none() && FORMER.iter().any(|end| code.ends_with(end)) {
        remarks
            .warn(format!("{name} starts by {code}, which distributions do not have by this name any more"))
            .at_path("os/loader")
            .in_file(chosen)
            .in_command("Name the image that QEMU's descriptors in /usr/share/qemu/firmware name")
            .edits(edits());
    }
    let Some(template) = template else { return };
    if there(template) == Some(false) {
        remarks.warn(format!("{name} names a template of variables that is not there")).at_path("os/nvram");
    }
    let small = |path: &str| path.contains("_CODE.fd") || path.ends_with("ovmf_code_x64.bin");
    let four = |path: &str| path.contains("4M");
    if four(template) != four(code) && (small(code) || small(template)) {
        remarks
            .warn(format!("{name} has firmware and variables of different sizes: {code}, {template}"))
            .at_path("os/nvram")
            .in_file(chosen)
            .in_command("Name the image that QEMU's descriptors in /usr/share/qemu/firmware name")
            .edits(edits());
    }
}
