//! Where passthru itself runs: live or not, root or not, container, hypervisor, distribution.

use passthru_formats::{os_release, sysfs};
use passthru_model::facts::{CpuFacts, Surroundings};

use crate::host::Host;

/// What every command is told: the rest is `None`.
pub(super) fn always(host: &Host) -> Surroundings {
    Surroundings {
        kind: host.kind(),
        root: host.is_live() && rustix::process::geteuid().is_root(),
        container: container(host),
        hypervisor: None,
        distribution: None,
    }
}

/// The container, by the files that its managers leave for the programs inside (systemd's container interface;
/// Docker's and Podman's mark).
fn container(host: &Host) -> Option<String> {
    if let Ok(bytes) = host.read("/run/systemd/container") {
        return Some(sysfs::line(&bytes));
    }
    let marks = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    marks.iter().find(|(path, _)| matches!(host.exists(path), Ok(true))).map(|(_, name)| (*name).to_owned())
}

/// The hypervisor: Xen says so itself; else the CPU flag tells that there is one and DMI which.
pub(super) fn hypervisor(host: &Host, cpu: &CpuFacts) -> Option<String> {
    if let Ok(bytes) = host.read("/sys/hypervisor/type") {
        let kind = sysfs::line(&bytes);
        if !kind.is_empty() {
            return Some(kind);
        }
    }
    let has_flag = cpu.flags.value()?.contains("hypervisor");
    let dmi = ["/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name"]
        .map(|path| host.read(path).map(|bytes| sysfs::line(&bytes)).unwrap_or_default());
    // The first part is what the vendor writes; systemd's detect-virt looks for the same words.
    let known = [
        ("QEMU", "qemu"),
        ("KVM", "kvm"),
        ("VMware", "vmware"),
        ("innotek", "virtualbox"),
        ("Xen", "xen"),
        ("Microsoft Corporation", "hyper-v"),
        ("Amazon EC2", "amazon"),
        ("Google Compute Engine", "google"),
        ("Parallels", "parallels"),
        ("Bochs", "bochs"),
    ];
    let named =
        known.iter().find(|(word, _)| dmi.iter().any(|text| text.contains(word))).map(|(_, name)| *name);
    has_flag.then(|| named.unwrap_or("unknown").to_owned())
}

/// `PRETTY_NAME` of os-release.
pub(super) fn distribution(host: &Host) -> Option<String> {
    let bytes = host.read("/etc/os-release").or_else(|_| host.read("/usr/lib/os-release")).ok()?;
    Some(os_release::pretty_name(&os_release::parse(&bytes)).to_owned())
}
