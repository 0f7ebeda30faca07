//! Whether drivers are chosen by address as they should be: overrides, driverctl, and the page's script.

use passthru_model::HostFacts;
use passthru_model::binding::OverrideScript;
use passthru_model::pci::is_vfio_driver;

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "driver-override",
    title: "drivers chosen by address are the drivers that have the devices",
    section: "Using identical guest and host GPUs",
    why: "cards with the same ids are told apart by their addresses only; a script that does so must run early, and find them",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let scripts = match &facts.binding.scripts {
        passthru_model::Fact::Known(scripts, _) => scripts,
        passthru_model::Fact::Unknown(because) => {
            return Outcome::unknown("which scripts choose drivers", because);
        }
    };
    if let Some(because) = facts.pci.because() {
        return Outcome::unknown("which devices there are", because);
    }
    let mut remarks = Remarks::default();
    let mut overrides = 0;
    for function in facts.functions() {
        let Some(wanted) = function.driver_override.as_deref().filter(|driver| is_vfio_driver(driver)) else {
            continue;
        };
        overrides += 1;
        remarks.seen(function.attribute("driver_override"), wanted);
        if function.driver.as_deref() != Some(wanted) {
            let now = function.driver.as_deref().unwrap_or("no driver");
            remarks
                .warn(format!("{} is to have {wanted} and has {now}", function.address))
                .by_hand("The driver was faster; choose the device with ‘passthru isolate’, which marks it before drivers are loaded");
        }
    }
    for (address, driver) in facts.binding.driverctl.value().into_iter().flatten() {
        overrides += 1;
        let late = facts
            .function(*address)
            .is_some_and(|function| function.class.is_display() && !function.is_on_vfio());
        remarks.seen(format!("/etc/driverctl.d/pci-{address}"), driver.clone());
        if facts.function(*address).is_none() {
            remarks
                .warn(format!("driverctl has a file for {address}, where no device is"))
                .by_hand(format!("driverctl unset-override {address}"));
        } else if late && is_vfio_driver(driver) {
            remarks
                .warn(format!(
                    "driverctl acts only after the initramfs, whose graphics driver has {address} by then"
                ))
                .by_command(
                    "Choose the card with passthru, which acts in the initramfs",
                    format!("passthru isolate {address}"),
                );
        }
    }
    for script in scripts {
        judge(script, &mut remarks);
    }
    if overrides == 0 && scripts.is_empty() {
        return Outcome::skip("no driver is chosen by address");
    }
    remarks.outcome(format!("{} by address, {}", count(overrides, "choice"), count(scripts.len(), "script")))
}

/// The mistakes of published scripts.
fn judge(script: &OverrideScript, remarks: &mut Remarks) {
    let path = &script.path;
    remarks.seen(&script.run_by, format!("install vfio-pci {path}"));
    let Some(text) = &script.text else {
        remarks
            .fail(format!("{} runs {path}, which is not there, so vfio-pci is never loaded", script.run_by))
            .by_hand(format!("Write the script, or remove the line at {}", script.run_by));
        return;
    };
    if script.executable == Some(false) {
        remarks.fail(format!("{path} may not be run by anybody")).by_hand(format!("chmod 755 {path}"));
    }
    if !text.contains("modprobe") {
        remarks
            .fail(format!(
                "{path} does not load vfio-pci, and the install rule stands in the place of loading it"
            ))
            .by_hand(format!("End {path} with: modprobe -i vfio-pci"));
    }
    if text.contains("/sys/devices/pci*/*/boot_vga") {
        remarks
            .warn(format!(
                "{path} looks for cards directly below the root bus, where cards behind a port are not"
            ))
            .by_hand("Look below /sys/bus/pci/devices, or choose the card with ‘passthru isolate’");
    }
    if text.contains("devices/$GROUP/$DEV") || text.contains("devices/${GROUP}/${DEV}") {
        remarks
            .warn(format!("{path} puts the group into the path of a device, where none is found"))
            .by_hand("Write to /sys/bus/pci/devices/ADDRESS/driver_override");
    }
}
