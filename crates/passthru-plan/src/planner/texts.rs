//! The text of each file that is ours. Every one begins with [`MARK`] and says how to undo it.

use std::fmt::Write as _;

use passthru_model::HostFacts;
use passthru_model::hex::ClassCode;
use passthru_model::intent::{DeviceIdentity, Intent, Method};
use passthru_model::managed;

use super::each_once;

/// What tells our files from others, in one of their first lines.
pub(crate) const MARK: &str = "Written by passthru.";

const EARLY: &str = include_str!("files/early.sh");
/// The unit that runs it early.
pub(crate) const EARLY_UNIT: &str = include_str!("files/early.service");
/// The unit that runs it late.
pub(crate) const VERIFY_UNIT: &str = include_str!("files/verify.service");
/// The unit that keeps a record of each boot.
pub(crate) const RECORD_UNIT: &str = include_str!("files/record.service");

pub(super) const UNDO: &str =
    "To undo: `passthru release ADDRESS` for one device, `passthru undo` for the last change.";

/// The head of a file whose comments begin with `#`.
pub(super) fn head(by_hand: &str) -> String {
    format!("# {MARK} {UNDO}\n# By hand: {by_hand}\n")
}

/// What sysfs shows of a function: vendor, device, their subsystem's, class.
fn attributes(device: &DeviceIdentity) -> [(&'static str, String); 5] {
    [
        ("vendor", format!("0x{}", device.id.vendor)),
        ("device", format!("0x{}", device.id.device)),
        ("subsystem_vendor", format!("0x{}", device.subsystem.vendor)),
        ("subsystem_device", format!("0x{}", device.subsystem.device)),
        ("class", format!("0x{}", device.class)),
    ]
}

/// The script that reserves functions early and gives them back late. `rebuild`: the command that makes all images anew.
pub(super) fn early(rebuild: &str) -> String {
    EARLY.replace("@REBUILD@", rebuild)
}

/// The line of the list of chosen functions.
pub(crate) fn device_line(device: &DeviceIdentity) -> String {
    let values = attributes(device).map(|(_, value)| value);
    format!("{} {}", device.address, values.join(" "))
}

/// The list that the early script reads.
pub(super) fn devices(intent: &Intent, rebuild: &str) -> String {
    let mut text = head(&format!("remove this file, then `{rebuild}`."));
    text.push_str("# address vendor device subsystem_vendor subsystem_device class, as sysfs writes them\n");
    for device in &intent.isolate {
        text.push_str(&device_line(device));
        text.push('\n');
    }
    text
}

/// The udev rule.
///
/// A function's own event is too late where another's has loaded the driver of both, so every event of a PCI function
/// reserves all chosen ones. A line is not wrapped: udev reads it as one, and so does a person who greps for an address.
pub(super) fn udev_rule(intent: &Intent, rebuild: &str) -> String {
    let mut text = head(&format!("remove this file, then `{rebuild}`."));
    text.push_str(
        "#\n\
         # Whichever PCI function appears first, all chosen ones are reserved for vfio-pci before a driver is loaded for it.\n\
         # One line a function. It does nothing where a driver has the function, where it has no IOMMU group, and where any\n\
         # chosen function of its slot is another than the one that was chosen.\n\
         ACTION!=\"add\", GOTO=\"passthru_end\"\n\
         SUBSYSTEM!=\"pci\", GOTO=\"passthru_end\"\n\
         IMPORT{cmdline}=\"passthru.off\"\n\
         ENV{passthru.off}==\"1\", GOTO=\"passthru_end\"\n\n",
    );
    for device in &intent.isolate {
        let address = device.address;
        let _ = write!(text, "TEST!=\"[pci/{address}]driver\", TEST==\"[pci/{address}]iommu_group\"");
        for sibling in intent.isolate.iter().filter(|other| other.address.slot() == address.slot()) {
            for (name, value) in attributes(sibling) {
                let _ = write!(text, ", ATTR{{[pci/{}]{name}}}==\"{value}\"", sibling.address);
            }
        }
        let _ = writeln!(
            text,
            ", ATTR{{[pci/{address}]driver_override}}=\"vfio-pci\", ATTR{{[subsystem/pci]drivers_probe}}=\"{address}\""
        );
    }
    text.push_str(
        "\nATTR{driver_override}==\"vfio-pci\", RUN{builtin}+=\"kmod load vfio-pci\"\nLABEL=\"passthru_end\"\n",
    );
    text
}

/// The record of the words that were added to files which are not ours.
pub(super) fn parameters(words: &[String]) -> String {
    let mut text = head("take these words out of the kernel command line, then remove this file.");
    text.push_str(
        "# The words of the kernel command line that passthru added for [boot] in the intent, one a line.\n",
    );
    for word in words {
        text.push_str(word);
        text.push('\n');
    }
    text
}

/// The words by which an entry boots without passthrough. Module options are not turned off by our own word, but by an
/// empty list of ids, which the kernel command line sets after the options.
pub(super) fn off_parameters(method: Method) -> String {
    let ids = method.ids_parameter().map(|name| format!(" {name}="));
    format!("passthru.off{}", ids.unwrap_or_default())
}

/// The modules that come into an image.
pub(super) fn modules(method: Method) -> &'static str {
    match method {
        Method::Override | Method::Ids => "vfio-pci vfio_iommu_type1",
        Method::PciStub => "pci-stub",
    }
}

/// The list of ids by which a driver takes the functions of an intent, each once.
pub(crate) fn ids(intent: &Intent) -> String {
    let ids = intent.isolate.iter().map(|device| format!("{}:{}", device.id, device.subsystem));
    each_once(ids).join(",")
}

/// Module options for the intent that binds by id.
pub(super) fn modprobe(facts: &HostFacts, intent: &Intent, rebuild: &str) -> String {
    let mut text = head(&format!("remove this file, then `{rebuild}`."));
    text.push_str(
        "# Takes every function with these ids (vendor:device:subsystem vendor:subsystem device).\n",
    );
    let taker = intent.method.driver();
    let _ = writeln!(text, "options {taker} ids={}", ids(intent));
    let _ = writeln!(text, "# {taker} is loaded ahead of every driver that could claim them.");
    for driver in native_drivers(facts, intent) {
        let _ = writeln!(text, "softdep {driver} pre: {taker}");
    }
    text
}

/// The modules that could claim the functions: those that have them now, and the well-known ones of their kind.
///
/// The kernel's own table (`modules.alias`) would tell for certain; it is not among the facts.
fn native_drivers(facts: &HostFacts, intent: &Intent) -> Vec<String> {
    let mut drivers = Vec::new();
    for device in &intent.isolate {
        if let Some(driver) = facts.function(device.address).and_then(|function| function.driver.as_deref())
            && !passthru_model::pci::is_vfio_driver(driver)
            && driver != Method::PciStub.driver()
        {
            drivers.push(driver.replace('-', "_"));
        }
        drivers.extend(known_drivers(device.id.vendor.0, device.class).iter().map(|&name| name.to_owned()));
    }
    drivers.retain(|driver| {
        !driver.is_empty() && driver.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    each_once(drivers)
}

fn known_drivers(vendor: u16, class: ClassCode) -> &'static [&'static str] {
    match (class.base_and_sub(), vendor) {
        (0x0300..=0x03ff, 0x10de) => &["nouveau", "nvidia", "nvidia_drm"],
        (0x0300..=0x03ff, 0x1002) => &["amdgpu", "radeon"],
        (0x0300..=0x03ff, 0x8086) => &["i915", "xe"],
        (0x0300..=0x03ff, 0x1234) => &["bochs"],
        (0x0403, _) => &["snd_hda_intel"],
        (0x0c03, _) if class.interface() == 0x30 => &["xhci_pci"],
        (0x0c80, 0x10de) => &["i2c_nvidia_gpu"],
        (0x0108, _) => &["nvme"],
        _ => &[],
    }
}

/// The paths of all files that are ours besides the intent, in the order in which they come to be.
pub(crate) const OURS: [&str; 29] = [
    managed::NIXOS_MODULE,
    managed::PARAMETERS,
    managed::GRUB_DROP_IN,
    managed::GRUB_OFF_ENTRY,
    managed::KERNEL_INSTALL_OFF,
    managed::U_BOOT_OFF_ENTRY,
    managed::LIMINE_OFF_ENTRY,
    managed::EARLY,
    managed::EARLY_UNIT,
    managed::EARLY_WANT,
    managed::VERIFY_UNIT,
    managed::VERIFY_WANT,
    managed::RECORD_UNIT,
    managed::RECORD_WANT,
    managed::INITRAMFS_HOOK,
    managed::INITRAMFS_INIT_TOP,
    managed::DRACUT_CONF,
    managed::MKINITCPIO_INSTALL,
    managed::MKINITCPIO_HOOK,
    managed::MKINITCPIO_DROP_IN,
    managed::MODPROBE,
    managed::DEVICES,
    managed::UDEV_RULE,
    managed::HOST_RULES,
    managed::HOST_XORG,
    managed::HOST_ENVIRONMENT,
    managed::HOST_LIMITS,
    managed::HOST_MODULES,
    managed::KVMFR_OPTIONS,
];
