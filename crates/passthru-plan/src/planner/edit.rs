//! What a command changes in the intent beside its list of functions.

use std::collections::BTreeMap;
use std::str::FromStr;

use passthru_model::acs_override::AcsOverride;
use passthru_model::address::PciAddress;
use passthru_model::boot_settings::{BootSettings, HugePagePool};
use passthru_model::cpu_set::CpuSet;
use passthru_model::host_settings::{HostSettings, KvmfrSize, ResetMethods, UserName, VirtualFunctions};
use passthru_model::intent::Method;

/// What is to become of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish<T> {
    /// It goes: ‘none’.
    Drop,
    /// It becomes this.
    Set(T),
}

impl<T: FromStr> FromStr for Wish<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "none" { Ok(Self::Drop) } else { text.parse().map(Self::Set) }
    }
}

impl<T> Wish<T> {
    fn into_option(self) -> Option<T> {
        match self {
            Self::Drop => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// Changes of the intent; what is `None` stays as it is. By default nothing changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntentEdit {
    /// How functions are bound at boot, which then holds for every function of the intent.
    pub method: Option<Method>,
    /// Huge pages set aside at boot.
    pub hugepages: Option<Wish<HugePagePool>>,
    /// CPUs that the scheduler leaves alone.
    pub isolated_cpus: Option<Wish<CpuSet>>,
    /// Whether the IOMMU of Intel's integrated graphics is left off.
    pub igfx_off: Option<bool>,
    /// Whether vfio-pci leaves idle devices powered.
    pub disable_idle_d3: Option<bool>,
    /// What a patched kernel is to take for apart.
    pub acs_override: Option<Wish<AcsOverride>>,
    /// What the host itself is set up for.
    pub host: HostEdit,
}

/// Changes of the host's own settings; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostEdit {
    /// The GPU that the host's desktop draws with.
    pub gpu: Option<Wish<PciAddress>>,
    /// Who may start guests without being root.
    pub guest_user: Option<Wish<UserName>>,
    /// The memory of kvmfr.
    pub kvmfr: Option<Wish<KvmfrSize>>,
    /// Whether vendor-reset resets what it knows.
    pub vendor_reset: Option<bool>,
    /// Whether isolated functions keep some power.
    pub no_d3cold: Option<bool>,
    /// How functions are reset.
    pub reset_methods: Vec<(PciAddress, Wish<ResetMethods>)>,
    /// How many virtual functions physical ones have.
    pub virtual_functions: Vec<(PciAddress, Wish<VirtualFunctions>)>,
}

impl HostEdit {
    /// Settings with the changes made.
    pub(super) fn of_host(&self, old: &HostSettings) -> HostSettings {
        let mut host = old.clone();
        if let Some(wish) = self.gpu.clone() {
            host.gpu = wish.into_option();
        }
        if let Some(wish) = self.guest_user.clone() {
            host.guest_user = wish.into_option();
        }
        if let Some(wish) = self.kvmfr.clone() {
            host.kvmfr = wish.into_option();
        }
        host.vendor_reset = self.vendor_reset.unwrap_or(host.vendor_reset);
        host.no_d3cold = self.no_d3cold.unwrap_or(host.no_d3cold);
        each(&self.reset_methods, &mut host.reset_methods);
        each(&self.virtual_functions, &mut host.virtual_functions);
        host
    }
}

/// Makes the changes of settings that functions have each for themselves.
fn each<T: Clone>(wishes: &[(PciAddress, Wish<T>)], settings: &mut BTreeMap<PciAddress, T>) {
    for (address, wish) in wishes.iter().cloned() {
        match wish {
            Wish::Drop => drop(settings.remove(&address)),
            Wish::Set(value) => drop(settings.insert(address, value)),
        }
    }
}

impl IntentEdit {
    /// Of the method alone.
    pub fn of_method(method: Method) -> Self {
        Self { method: Some(method), ..Self::default() }
    }

    /// Boot settings with the changes made.
    pub(super) fn of_boot(&self, old: &BootSettings) -> BootSettings {
        let mut boot = old.clone();
        if let Some(wish) = self.hugepages.clone() {
            boot.hugepages = wish.into_option();
        }
        if let Some(wish) = self.isolated_cpus.clone() {
            boot.isolated_cpus = wish.into_option().unwrap_or_default();
        }
        boot.igfx_off = self.igfx_off.unwrap_or(boot.igfx_off);
        boot.disable_idle_d3 = self.disable_idle_d3.unwrap_or(boot.disable_idle_d3);
        if let Some(wish) = self.acs_override.clone() {
            boot.acs_override = wish.into_option();
        }
        boot
    }
}
