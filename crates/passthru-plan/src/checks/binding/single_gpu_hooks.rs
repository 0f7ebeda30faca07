//! Whether the scripts that libvirt runs around a guest can do their work.

use passthru_model::HostFacts;
use passthru_model::virtualisation::Hook;

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "libvirt-hooks",
    title: "libvirt's hooks can run, and do not wait for libvirt",
    section: "Passing the boot GPU to the guest",
    why: "to give away the only card, scripts stop the desktop and bring it back; one that hangs leaves the host without a screen",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(libvirt) = facts.virtualisation.libvirt.value() else {
        return Outcome::unknown(
            "whether libvirt is installed",
            facts.virtualisation.libvirt.because().unwrap_or_default(),
        );
    };
    let Some(libvirt) = libvirt else { return Outcome::skip("libvirt is not installed") };
    let Some(hooks) = libvirt.hooks.value() else {
        return Outcome::unknown("which hooks there are", libvirt.hooks.because().unwrap_or_default());
    };
    if hooks.is_empty() {
        return Outcome::skip("libvirt has no hooks for guests").seen(&libvirt.hooks);
    }
    let mut remarks = Remarks::default();
    for hook in hooks {
        judge(hook, &mut remarks);
    }
    remarks.outcome(format!("{} that can run", count(hooks.len(), "hook")))
}

fn judge(hook: &Hook, remarks: &mut Remarks) {
    let path = &hook.path;
    remarks.seen(path.clone(), if hook.executable == Some(true) { "may be run" } else { "may not be run" });
    if hook.executable == Some(false) {
        remarks
            .fail(format!("{path} is not executable, so libvirt passes it over"))
            .by_hand(format!("chmod +x {path}, and restart libvirt's daemon"));
    }
    let Some(text) = &hook.text else { return };
    if !text.starts_with("#!") && !text.starts_with("\u{7f}ELF") {
        remarks
            .fail(format!("{path} does not begin with #!, so the kernel cannot start it"))
            .by_hand("Let its first line be #!/bin/bash, or the program that it is for");
    }
    let live: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    if live.iter().any(|line| line.split([' ', ';', '&', '|', '(', '`']).any(|word| word.ends_with("virsh")))
    {
        remarks
            .fail(format!("{path} calls virsh, which waits for libvirt, which waits for the hook"))
            .by_hand("Bind by /sys/bus/pci in the hook, or let libvirt do it with managed='yes'");
    }
    if live.iter().any(|line| line.contains("pkill") || line.contains("killall")) {
        remarks
            .warn(format!("{path} ends programs by name, whoever they belong to"))
            .by_hand("Stop the display manager by its unit: systemctl stop display-manager.service");
    }
}
