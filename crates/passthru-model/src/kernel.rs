//! Kernels: the one that runs and those that are installed.

use std::collections::BTreeMap;

use crate::address::PciAddress;
use crate::fact::Fact;

/// Whether a kernel has a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleState {
    /// Compiled in (`modules.builtin`).
    BuiltIn,
    /// A loadable file (`modules.dep`).
    Loadable,
    /// Neither.
    Absent,
}

/// Options that a kernel was built with, by name without `CONFIG_`: `y`, `m`, a number or a text. One that is off is not
/// in it; only those that matter to passthrough are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelOptions(pub BTreeMap<String, String>);

impl KernelOptions {
    /// Whether an option is built in or a module.
    pub fn is_on(&self, name: &str) -> bool {
        matches!(self.0.get(name).map(String::as_str), Some("y" | "m"))
    }
}

/// One installed kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledKernel {
    /// Its release, the name of its directory under `/lib/modules`.
    pub release: String,
    /// Its image, such as `/boot/vmlinuz-6.12.43+deb13-amd64`, where found.
    pub image: Option<String>,
    /// Its initramfs, such as `/boot/initrd.img-6.12.43+deb13-amd64`, where found.
    pub initramfs: Option<String>,
    /// The state of the modules that passthrough needs: `vfio-pci`, `vfio_iommu_type1`, `vfio`, `pci-stub`, `kvm_intel`, `kvm_amd`.
    /// Keys are spelt with underscores.
    pub modules: Fact<BTreeMap<String, ModuleState>>,
    /// The options that it was built with (`/boot/config-RELEASE`, or `config` beside its modules).
    pub options: Fact<KernelOptions>,
}

impl InstalledKernel {
    /// The state of one module, by its name with underscores.
    pub fn module(&self, name: &str) -> Option<ModuleState> {
        self.modules.value().and_then(|modules| modules.get(name)).copied()
    }
}

/// Everything known of kernels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelFacts {
    /// The running release (`/proc/sys/kernel/osrelease`).
    pub release: Fact<String>,
    /// The running command line (`/proc/cmdline`), without its newline.
    pub cmdline: Fact<String>,
    /// Loaded modules (`/proc/modules`) with underscores, in order of name.
    pub loaded: Fact<Vec<String>>,
    /// Installed kernels, in order of release.
    pub installed: Fact<Vec<InstalledKernel>>,
    /// The options that the running kernel was built with (`/proc/config.gz`, or as for one that is installed).
    pub options: Fact<KernelOptions>,
}

impl KernelFacts {
    /// Nothing known, for one reason.
    pub fn unknown(because: &str) -> Self {
        Self {
            release: Fact::unknown(because),
            cmdline: Fact::unknown(because),
            loaded: Fact::unknown(because),
            installed: Fact::unknown(because),
            options: Fact::unknown(because),
        }
    }
}

/// The drivers that one kernel has for one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PossibleDrivers {
    /// Modules that would be loaded for it (`modules.alias`), with underscores, in order of name.
    pub loadable: Vec<String>,
    /// Drivers that are compiled in (`modules.builtin.modinfo`, Linux 5.2), with underscores, in order of name. No rule of
    /// modprobe can come ahead of them.
    pub built_in: Vec<String>,
}

/// The drivers that one installed kernel has for the functions of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelDrivers {
    /// The kernel's release.
    pub release: String,
    /// By function; those without any are left out.
    pub drivers: Fact<BTreeMap<PciAddress, PossibleDrivers>>,
}
