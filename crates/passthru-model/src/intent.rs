//! What the user wants of the host: `/etc/passthru/passthru.toml`, parsed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::PciAddress;
use crate::boot_settings::BootSettings;
use crate::hex::{ClassCode, PciId};
use crate::host_settings::HostSettings;
use crate::pci::PciFunction;

/// Where the intent is kept.
pub const INTENT_PATH: &str = "/etc/passthru/passthru.toml";

/// Which function is meant: by what it is, with the address as the tie-breaker for twins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceIdentity {
    /// Where it was when it was chosen.
    pub address: PciAddress,
    /// Vendor and device.
    pub id: PciId,
    /// The board maker's ids.
    pub subsystem: PciId,
    /// What kind of function it is.
    pub class: ClassCode,
    /// The bridges above it, from the root down.
    #[serde(default)]
    pub parents: Vec<PciAddress>,
}

impl DeviceIdentity {
    /// The identity of a function as it is now.
    pub fn of(function: &PciFunction) -> Self {
        Self {
            address: function.address,
            id: function.id,
            subsystem: function.subsystem,
            class: function.class,
            parents: function.parents.clone(),
        }
    }

    /// Whether a function is the one that was chosen: same place, same ids, same class. The path of parents is told
    /// apart by the caller: a changed path with the same ids is worth a warning, not a refusal.
    pub fn matches(&self, function: &PciFunction) -> bool {
        self.address == function.address
            && self.id == function.id
            && self.subsystem == function.subsystem
            && self.class == function.class
    }
}

/// How functions are given to vfio-pci at boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// By address and identity, with a driver override set before any driver can claim the function. The default.
    #[default]
    Override,
    /// By PCI ID, with `options vfio-pci ids=` and softdeps as the page has it. Takes every device with that id.
    Ids,
    /// By PCI ID too, but by pci-stub, which only keeps other drivers away: the page's way for kernels before 4.1. A guest's
    /// start gives the functions to vfio-pci, and its end gives them back.
    PciStub,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Override, Self::Ids, Self::PciStub];

    /// The word for it in the intent.
    pub fn word(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Ids => "ids",
            Self::PciStub => "pci-stub",
        }
    }

    /// The driver that the functions have once the host is up.
    pub fn driver(self) -> &'static str {
        match self {
            Self::Override | Self::Ids => "vfio-pci",
            Self::PciStub => "pci-stub",
        }
    }

    /// Its module, with underscores, as module lists have it.
    pub fn module(self) -> &'static str {
        match self {
            Self::Override | Self::Ids => "vfio_pci",
            Self::PciStub => "pci_stub",
        }
    }

    /// The parameter by which that driver is given PCI IDs, where the binding goes by these.
    pub fn ids_parameter(self) -> Option<&'static str> {
        match self {
            Self::Override => None,
            Self::Ids => Some("vfio-pci.ids"),
            Self::PciStub => Some("pci-stub.ids"),
        }
    }
}

/// The whole intent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// How the functions are bound at boot.
    #[serde(default)]
    pub method: Method,
    /// What else the kernel is told at boot, while any function is isolated.
    #[serde(default)]
    pub boot: BootSettings,
    /// What the host itself is set up for, while any function is isolated.
    #[serde(default)]
    pub host: HostSettings,
    /// The functions to isolate, in order of address.
    #[serde(default)]
    pub isolate: Vec<DeviceIdentity>,
}

impl Intent {
    /// Whether nothing is asked for that passthru does of itself: no function is isolated, and no virtual one made. All else is set up
    /// only beside isolated functions.
    pub fn is_nothing(&self) -> bool {
        self.isolate.is_empty() && self.host.virtual_functions.is_empty()
    }

    /// Whether a function is to be isolated.
    pub fn isolates(&self, address: PciAddress) -> bool {
        self.isolate.iter().any(|device| device.address == address)
    }
}
