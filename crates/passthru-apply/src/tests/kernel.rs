//! What stands for the kernel's side of sysfs in a tree: links and attributes change as the PCI core changes them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use passthru_model::intent::DeviceIdentity;
use passthru_model::plan::{Action, Effect, Plan};
use passthru_model::rebinding::{DriverGoal, DriverState, Rebinding, VfioDriver};

use super::tree::{Tree, step};
use crate::{AttributeFailure, failpoint};

/// A GPU and its sound function, each with its driver.
pub(super) const CARD: [(&str, &str); 2] = [("0000:02:00.0", "bochs-drm"), ("0000:02:00.1", "snd_hda_intel")];

/// What the kernel does with a write besides the usual.
#[derive(Clone, Debug, Default)]
pub(super) struct Kernel {
    /// The writes so far, each the attribute and the text.
    pub(super) writes: Vec<(String, String)>,
    /// The write that the kernel does not return from, counted from 0.
    pub(super) hangs: Option<usize>,
    /// A function that no driver can start but its own.
    pub(super) unstartable: Option<&'static str>,
    /// The write after which a function is gone, and which function.
    pub(super) unplugs: Option<(usize, &'static str)>,
}

impl Kernel {
    /// Acts on a write, in several steps of its own.
    pub(super) fn write(&mut self, path: &str, text: &str, root: &Path) -> Result<(), AttributeFailure> {
        let number = self.writes.len();
        self.writes.push((path.to_owned(), text.to_owned()));
        let failure = |why: &str| AttributeFailure::Refused {
            path: path.to_owned(),
            text: text.to_owned(),
            why: why.to_owned(),
        };
        if self.hangs == Some(number) {
            let limit = Duration::from_secs(1);
            return Err(AttributeFailure::Hung { path: path.to_owned(), text: text.to_owned(), limit });
        }
        let at = |path: &str| root.join(path.trim_start_matches('/'));
        let device = |address: &str| at(&format!("/sys/bus/pci/devices/{address}"));
        if let Some(driver) =
            path.strip_prefix("/sys/bus/pci/drivers/").and_then(|it| it.strip_suffix("/unbind"))
        {
            if bound(&device(text)).as_deref() != Some(driver) {
                return Err(failure("No such device (os error 19)"));
            }
            failpoint::hit();
            fs::remove_file(device(text).join("driver")).expect("unbinds");
        } else if path == "/sys/bus/pci/drivers_probe" && !device(text).exists() {
            return Err(failure("No such device (os error 19)"));
        } else if path == "/sys/bus/pci/drivers_probe" {
            self.probe(&device(text), root, text).map_err(failure)?;
        } else {
            assert!(path.ends_with("/driver_override"), "{path}");
            if !at(path).exists() {
                return Err(failure("No such file or directory (os error 2)"));
            }
            let text = if text.is_empty() { "(null)" } else { text };
            fs::write(at(path), format!("{text}\n")).expect("writes");
        }
        if let Some((_, address)) = self.unplugs.filter(|(after, _)| *after == number) {
            fs::remove_file(device(address)).expect("unplugs");
        }
        failpoint::hit();
        Ok(())
    }

    fn probe(&self, device: &Path, root: &Path, address: &str) -> Result<(), &'static str> {
        if bound(device).is_some() {
            return Ok(());
        }
        let read = |name: &str| fs::read_to_string(device.join(name)).map(|text| text.trim().to_owned());
        let native = read("native").expect("reads");
        let wanted = read("driver_override").expect("reads");
        let driver = if wanted == "(null)" { native.clone() } else { wanted };
        if self.unstartable == Some(address) && driver != native {
            return Err("Invalid argument (os error 22)");
        }
        let place = root.join("sys/bus/pci/drivers").join(&driver);
        if place.is_dir() {
            failpoint::hit();
            let link = PathBuf::from("../../../bus/pci/drivers").join(driver);
            std::os::unix::fs::symlink(link, device.join("driver")).expect("binds");
        }
        Ok(())
    }
}

fn bound(device: &Path) -> Option<String> {
    match fs::read_link(device.join("driver")) {
        Ok(link) => Some(link.file_name()?.to_str()?.to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

/// Puts the card and the drivers into a tree.
pub(super) fn plug_in(tree: &Tree) {
    for driver in ["bochs-drm", "snd_hda_intel", "vfio-pci", "other"] {
        fs::create_dir_all(tree.host(&format!("/sys/bus/pci/drivers/{driver}"))).expect("makes a directory");
    }
    tree.write("/sys/bus/pci/drivers_probe", "");
    fs::create_dir_all(tree.host("/sys/bus/pci/devices")).expect("makes a directory");
    for (address, driver) in CARD {
        let device = format!("/sys/devices/pci0000:00/{address}");
        let identity = identity(address);
        for (name, value) in [
            ("vendor", format!("0x{}", identity.id.vendor)),
            ("device", format!("0x{}", identity.id.device)),
            ("subsystem_vendor", format!("0x{}", identity.subsystem.vendor)),
            ("subsystem_device", format!("0x{}", identity.subsystem.device)),
            ("class", format!("0x{}", identity.class)),
            ("driver_override", "(null)".to_owned()),
            ("native", driver.to_owned()),
        ] {
            tree.write(&format!("{device}/{name}"), format!("{value}\n"));
        }
        let link = |to: String, at: String| std::os::unix::fs::symlink(to, tree.host(&at)).expect("links");
        link(format!("../../../devices/pci0000:00/{address}"), format!("/sys/bus/pci/devices/{address}"));
        link(format!("../../../bus/pci/drivers/{driver}"), format!("{device}/driver"));
    }
}

fn identity(address: &str) -> DeviceIdentity {
    let (id, class) = if address.ends_with('0') { ("1234:1111", "030000") } else { ("8086:293e", "040300") };
    DeviceIdentity {
        address: address.parse().expect("an address"),
        id: id.parse().expect("an id"),
        subsystem: "1af4:1100".parse().expect("an id"),
        class: class.parse().expect("a class"),
        parents: Vec::new(),
    }
}

/// The driver and the override of each function of the card.
pub(super) fn card(tree: &Tree) -> [(Option<String>, String); 2] {
    CARD.map(|(address, _)| {
        let device = tree.host(&format!("/sys/devices/pci0000:00/{address}"));
        let wanted = fs::read_to_string(device.join("driver_override")).expect("reads");
        (bound(&device), wanted.trim().to_owned())
    })
}

fn plan(title: &str, before: impl Fn(&str) -> DriverState, after: &DriverGoal) -> Plan {
    let function = |(address, driver): (&str, &str)| Rebinding {
        device: identity(address),
        before: before(driver),
        after: after.clone(),
    };
    let action = Action::Rebind { functions: CARD.map(function).to_vec() };
    Plan {
        title: title.to_owned(),
        steps: vec![step(0, action, Effect::Now)],
        notes: Vec::new(),
        guest: None,
    }
}

/// The plan that gives the card to vfio-pci.
pub(super) fn bind() -> Plan {
    let goal = DriverGoal::Vfio { driver: VfioDriver::default() };
    let native = |driver: &str| DriverState { driver: Some(driver.to_owned()), driver_override: None };
    plan("bind the card", native, &goal)
}

/// The plan that gives it back.
pub(super) fn unbind() -> Plan {
    let vfio = || Some("vfio-pci".to_owned());
    plan("unbind the card", |_| DriverState { driver: vfio(), driver_override: vfio() }, &DriverGoal::Host)
}
