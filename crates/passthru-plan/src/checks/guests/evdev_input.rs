//! Whether keyboards and mice that guests share with the host are there, by names that stay.

use passthru_model::HostFacts;
use passthru_model::virtualisation::Domain;

use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;

pub(super) const LINT: Lint = Lint {
    id: "evdev-input",
    title: "keyboards and mice that guests share are there, by names that stay",
    section: "Attaching the PCI devices",
    why: "an event number changes from boot to boot; the names in /dev/input/by-id do not, and libvirt opens them for the guest",
    about: "shares a keyboard or mouse",
    concerns: |_, domain| {
        !domain.evdev.is_empty() || domain.qemu_arguments.iter().any(|(argument, _)| is_evdev(argument))
    },
    judge,
    instead: nothing,
    well: "with shared keyboards and mice",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn is_evdev(argument: &str) -> bool {
    argument.contains("input-linux")
}

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    for (path, place) in &domain.evdev {
        remarks.seen(domain.path.clone(), path.clone());
        if facts.virtualisation.named_files.get(path) == Some(&false) {
            remarks
                .fail(format!("{name} shares {path}, which is not there"))
                .at(place)
                .in_file("Plug it in, or name another of /dev/input/by-id")
                .in_command("Plug it in, or name another of /dev/input/by-id");
        }
        let rest = path.strip_prefix("/dev/input/event");
        if rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())) {
            remarks
                .warn(format!(
                    "{name} shares {path}, whose number is another one after the next boot perhaps"
                ))
                .at(place)
                .in_file("Name it by /dev/input/by-id")
                .in_command("Name it by /dev/input/by-id");
        }
    }
    for (argument, place) in domain.qemu_arguments.iter().filter(|(argument, _)| is_evdev(argument)) {
        remarks
            .warn(format!("{name} shares a device by an argument for QEMU, so libvirt does not open it"))
            .seen(domain.path.clone(), argument.clone())
            .at(place)
            .in_file("Write <input type='evdev'><source dev='…'/></input> (libvirt 7.4)");
    }
}
