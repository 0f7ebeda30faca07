//! Whether keyboards and mice that guests share with the host are there, by names that stay.

use passthru_model::HostFacts;

use super::domains::domains;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "evdev-input",
    title: "keyboards and mice that guests share are there, by names that stay",
    section: "Attaching the PCI devices",
    why: "an event number changes from boot to boot; the names in /dev/input/by-id do not, and libvirt opens them for the guest",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let by_argument = |argument: &String| argument.contains("input-linux");
    let domains = match domains(facts, "shares a keyboard or mouse", |domain| {
        !domain.evdev.is_empty() || domain.qemu_arguments.iter().any(by_argument)
    }) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let mut remarks = Remarks::default();
    for domain in &domains {
        let name = &domain.name;
        for path in &domain.evdev {
            remarks.seen(domain.path.clone(), path.clone());
            if facts.virtualisation.named_files.get(path) == Some(&false) {
                remarks
                    .fail(format!("{name} shares {path}, which is not there"))
                    .by_hand(format!("Plug it in, or name another of /dev/input/by-id: virsh edit {name}"));
            }
            let rest = path.strip_prefix("/dev/input/event");
            if rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())) {
                remarks
                    .warn(format!(
                        "{name} shares {path}, whose number is another one after the next boot perhaps"
                    ))
                    .by_hand(format!("Name it by /dev/input/by-id: virsh edit {name}"));
            }
        }
        for argument in domain.qemu_arguments.iter().filter(|argument| by_argument(argument)) {
            remarks
                .warn(format!("{name} shares a device by an argument for QEMU, so libvirt does not open it"))
                .seen(domain.path.clone(), argument.clone())
                .by_hand(format!(
                    "Write <input type='evdev'><source dev='…'/></input> (libvirt 7.4): virsh edit {name}"
                ));
        }
    }
    remarks.outcome(format!("{} with shared keyboards and mice", count(domains.len(), "guest")))
}
