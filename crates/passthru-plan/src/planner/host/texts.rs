//! The text of each file of ours that the host's own settings make.

use std::fmt::Write as _;

use passthru_model::address::PciAddress;
use passthru_model::host_settings::{HostSettings, KvmfrSize, UserName};
use passthru_model::intent::DeviceIdentity;

use super::{Making, Reset};
use crate::planner::texts::head;

const BY_HAND: &str = "remove this file, then reboot.";

/// The name of the host's card below `/dev`. Lists of cards are cut apart at colons, and numbers change from boot to boot.
const HOST_GPU: &str = "dri/host-gpu";

/// The beginning of the rule that says how a function is reset when it appears.
pub(super) fn resets_of(address: PciAddress) -> String {
    format!("ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"{address}\", ATTR{{reset_method}}=")
}

/// The rules of udev; `None`: none is needed.
pub(super) fn rules(
    host: &HostSettings,
    isolated: &[DeviceIdentity],
    resets: &[Reset],
    making: &[Making],
) -> Option<String> {
    let mut rules = String::new();
    if let Some(gpu) = host.gpu {
        let _ = write!(
            rules,
            "\n# The host's own GPU: a name that has no colons and stays, and the first choice of GNOME.\n\
             SUBSYSTEM==\"drm\", ENV{{DEVTYPE}}==\"drm_minor\", KERNEL==\"card[0-9]*\", KERNELS==\"{gpu}\", SYMLINK+=\"{HOST_GPU}\", \
             TAG+=\"mutter-device-preferred-primary\"\n"
        );
    }
    if let Some(user) = &host.guest_user {
        let _ = write!(
            rules,
            "\n# Who starts guests without being root has the devices that are set aside for guests.\n\
             SUBSYSTEM==\"vfio|vfio-dev\", OWNER=\"{user}\", MODE=\"0600\"\n"
        );
    }
    if host.kvmfr.is_some() {
        rules.push_str(
            "\n# Looking Glass: QEMU fills the memory, and the user at the seat looks at it.\n\
             SUBSYSTEM==\"kvmfr\", GROUP=\"kvm\", MODE=\"0660\", TAG+=\"uaccess\"\n",
        );
    }
    if !resets.is_empty() {
        rules.push_str("\n# How the kernel resets these, in this order.\n");
    }
    for reset in resets {
        let Reset { address, methods, of_module } = reset;
        // The kernel says that a module is there once its code has run, so that its reset is there too.
        let _ = if *of_module {
            writeln!(
                rules,
                "ACTION==\"add\", SUBSYSTEM==\"module\", KERNEL==\"vendor_reset\", ATTR{{[pci/{address}]reset_method}}=\"{methods}\""
            )
        } else {
            writeln!(rules, "{}\"{methods}\"", resets_of(*address))
        };
    }
    if !making.is_empty() {
        rules.push_str(
            "\n# Virtual functions of these, once they have their driver; no driver of the host takes one. What has some already is left.\n",
        );
    }
    for Making { address, id, number } in making {
        let _ = writeln!(
            rules,
            "ACTION==\"add|bind\", SUBSYSTEM==\"pci\", KERNEL==\"{address}\", DRIVER==\"?*\", ATTR{{vendor}}==\"0x{}\", \
             ATTR{{device}}==\"0x{}\", ATTR{{sriov_numvfs}}==\"0\", ATTR{{sriov_drivers_autoprobe}}=\"0\", ATTR{{sriov_numvfs}}=\"{}\"",
            id.vendor,
            id.device,
            number.get()
        );
    }
    if host.no_d3cold {
        rules.push_str("\n# These keep some power while nobody uses them.\n");
        for device in isolated {
            let _ = writeln!(
                rules,
                "ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"{}\", ATTR{{d3cold_allowed}}=\"0\"",
                device.address
            );
        }
    }
    (!rules.is_empty()).then(|| format!("{}{rules}", head(BY_HAND)))
}

/// A part of the X server's settings. The numbers of its BusID are decimal, and the domain stands behind the bus
/// (xorg.conf(5)).
pub(super) fn xorg(gpu: PciAddress, driver: &str) -> String {
    format!(
        "{}\nSection \"Device\"\n    Identifier \"host GPU\"\n    Driver \"{driver}\"\n    BusID \"PCI:{}@{}:{}:{}\"\nEndSection\n\n\
         # No other card is taken up, at the start or later.\n\
         Section \"ServerFlags\"\n    Option \"AutoAddGPU\" \"off\"\nEndSection\n",
        head("remove this file, then log in again."),
        gpu.bus(),
        gpu.domain(),
        gpu.device(),
        gpu.function()
    )
}

/// The variables of the user's systemd (environment.d(5)), by which KWin, wlroots and Hyprland choose cards.
pub(super) fn environment() -> String {
    let mut text = head("remove this file, then log in again.");
    for name in ["KWIN_DRM_DEVICES", "WLR_DRM_DEVICES", "AQ_DRM_DEVICES"] {
        let _ = writeln!(text, "{name}=/dev/{HOST_GPU}");
    }
    text
}

/// The limit of PAM (limits.conf(5)); `memory`: all that the host has, in KiB.
pub(super) fn limits(user: &UserName, memory: Option<u64>) -> String {
    let most = memory.map_or_else(|| "unlimited".to_owned(), |kib| kib.to_string());
    format!(
        "{}# All memory of a guest with devices stays locked, and a gigabyte more.\n{user} soft memlock {most}\n{user} hard memlock {most}\n",
        head("remove this file, then log in again.")
    )
}

/// The modules that are loaded at boot (modules-load.d(5)); `None`: none.
pub(super) fn modules(host: &HostSettings) -> Option<String> {
    let wanted = [(host.kvmfr.is_some(), "kvmfr"), (host.vendor_reset, "vendor-reset")];
    let names: Vec<&str> = wanted.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
    (!names.is_empty()).then(|| format!("{}{}\n", head(BY_HAND), names.join("\n")))
}

/// The options of kvmfr (modprobe.d(5)).
pub(super) fn kvmfr_options(size: KvmfrSize) -> String {
    format!("{}options kvmfr static_size_mb={}\n", head(BY_HAND), size.mib())
}
