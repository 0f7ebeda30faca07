//! The options that kernels were built with.

use std::io::Read as _;

use passthru_formats::kernel_config;
use passthru_model::fact::Fact;
use passthru_model::kernel::KernelOptions;

use crate::gather::because;
use crate::host::{Host, MOST_FILE_BYTES};

/// The options that passthrough depends on, or that tell what a kernel does by default.
const WANTED: &[&str] = &[
    "AMD_IOMMU",
    "AMD_MEM_ENCRYPT",
    "AMD_MEM_ENCRYPT_ACTIVE_BY_DEFAULT",
    "CPU_ISOLATION",
    "DEVMEM",
    "DRM_SIMPLEDRM",
    "FB_EFI",
    "HUGETLBFS",
    "INTEL_IOMMU",
    "INTEL_IOMMU_DEFAULT_ON",
    "INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF",
    "IOMMUFD",
    "IOMMU_DEFAULT_DMA_LAZY",
    "IOMMU_DEFAULT_DMA_STRICT",
    "IOMMU_DEFAULT_PASSTHROUGH",
    "IOMMU_SUPPORT",
    "IO_STRICT_DEVMEM",
    "IRQ_REMAP",
    "KVM",
    "KVM_AMD",
    "KVM_INTEL",
    "LOCK_DOWN_IN_EFI_SECURE_BOOT",
    "LTO_CLANG",
    "MODULE_SIG",
    "MODULE_SIG_FORCE",
    "NO_HZ_FULL",
    "PCI_IOV",
    "SECURITY_LOCKDOWN_LSM",
    "STRICT_DEVMEM",
    "SYSFB_SIMPLEFB",
    "TRANSPARENT_HUGEPAGE",
    "VFIO",
    "VFIO_CONTAINER",
    "VFIO_DEVICE_CDEV",
    "VFIO_GROUP",
    "VFIO_IOMMU_TYPE1",
    "VFIO_NOIOMMU",
    "VFIO_PCI",
    "VFIO_PCI_IGD",
    "VFIO_PCI_VGA",
];

/// The running kernel's own copy (`CONFIG_IKCONFIG_PROC`).
const OWN: &str = "/proc/config.gz";

/// Those of an installed kernel: where Debian has them, or beside its modules, where Fedora and others have them.
pub(super) fn of_installed(host: &Host, modules: &str, release: &str) -> Fact<KernelOptions> {
    let mut denied = None;
    for path in [format!("/boot/config-{release}"), format!("{modules}/config")] {
        match host.read(&path) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => return judged(&bytes, &path),
            Err(error) if error.is_not_found() => {}
            Err(error) => denied = denied.or(Some(error)),
        }
    }
    denied.map_or_else(
        || Fact::unknown(format!("there is neither /boot/config-{release} nor {modules}/config")),
        |error| because(&error),
    )
}

/// Those of the running kernel. `installed` are those of the kernel of its release.
pub(super) fn of_running(host: &Host, installed: Option<&Fact<KernelOptions>>) -> Fact<KernelOptions> {
    if let Some(known @ Fact::Known(..)) = installed {
        return known.clone();
    }
    match host.read(OWN) {
        Ok(bytes) => {
            let mut text = Vec::new();
            let read =
                flate2::read::GzDecoder::new(bytes.as_slice()).take(MOST_FILE_BYTES).read_to_end(&mut text);
            match read {
                Ok(_) => judged(&text, OWN),
                Err(error) => Fact::unknown(format!("{OWN} could not be unpacked: {error}")),
            }
        }
        Err(error) => match installed {
            Some(Fact::Unknown(why)) if error.is_not_found() => {
                Fact::unknown(format!("there is no {OWN}, and {why}"))
            }
            _ => because(&error),
        },
    }
}

fn judged(bytes: &[u8], path: &str) -> Fact<KernelOptions> {
    let found = kernel_config::values(bytes, WANTED);
    if found.is_empty() && !kernel_config::is_config(bytes) {
        return Fact::unknown(format!("{path} is no configuration of a kernel"));
    }
    let word = |name: &str| found.get(name).map_or("off", String::as_str);
    let seen = format!(
        "VFIO_PCI {}, IOMMUFD {}, VFIO_DEVICE_CDEV {}",
        word("VFIO_PCI"),
        word("IOMMUFD"),
        word("VFIO_DEVICE_CDEV")
    );
    Fact::known(KernelOptions(found), path, seen)
}
