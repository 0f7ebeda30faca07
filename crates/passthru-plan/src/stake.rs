//! What the host would lose with a device.

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::facts::HostUse;
use passthru_model::pci::PciFunction;

/// One thing that is at stake with a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stake {
    /// A part of the chipset that the host cannot do without.
    Chipset(&'static str),
    /// The host would have no display.
    OnlyDisplay,
    /// The host draws on it, and has another.
    Display(String),
    /// Storage that is in use.
    Storage(String),
    /// Network that is in use.
    Network(String),
    /// The host would have no keyboard.
    LastKeyboard(String),
}

impl Stake {
    /// Whether it is lost to the host without a replacement.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Self::Display(_))
    }

    /// What is at stake, in words that follow "ADDRESS:".
    pub fn sentence(&self) -> String {
        match self {
            Self::Chipset(what) => format!("the host cannot do without its {what}"),
            Self::OnlyDisplay => "it is the host's only display".to_owned(),
            Self::Display(what) => {
                format!("the host draws on it now ({what}) and would use its other display")
            }
            Self::Storage(what) => format!("the host uses its storage: {what}"),
            Self::Network(what) => format!("the host uses its network: {what}"),
            Self::LastKeyboard(what) => format!("it carries the host's last keyboard: {what}"),
        }
    }
}

/// What is at stake with one function, taken alone.
pub fn of(facts: &HostFacts, function: &PciFunction) -> Vec<Stake> {
    of_taking(facts, function, &[function.address])
}

/// What is at stake with one function where all of `taken` leave the host together.
pub fn of_taking(facts: &HostFacts, function: &PciFunction, taken: &[PciAddress]) -> Vec<Stake> {
    let mut stakes = Vec::new();
    if let Some(what) = chipset_part(function) {
        stakes.push(Stake::Chipset(what));
    }
    let in_use = facts.in_use.value().map(Vec::as_slice).unwrap_or_default();
    if is_host_display(function) {
        let remains = |other: &PciFunction| is_host_display(other) && !taken.contains(&other.address);
        if !facts.functions().any(remains) {
            stakes.push(Stake::OnlyDisplay);
        } else if let Some(used) =
            in_use.iter().find(|used| used.address == function.address && used.kind == HostUse::Display)
        {
            stakes.push(Stake::Display(used.what.clone()));
        }
    }
    for used in in_use.iter().filter(|used| used.address == function.address) {
        match used.kind {
            HostUse::Storage => stakes.push(Stake::Storage(used.what.clone())),
            HostUse::Network => stakes.push(Stake::Network(used.what.clone())),
            HostUse::Keyboard => {
                let remains = |other: &&passthru_model::facts::InUse| {
                    other.kind == HostUse::Keyboard && !taken.contains(&other.address)
                };
                if in_use.iter().find(remains).is_none() {
                    stakes.push(Stake::LastKeyboard(used.what.clone()));
                }
            }
            HostUse::Display => {}
        }
    }
    stakes
}

/// Whether a display function is the host's: one that vfio-pci holds already is not.
fn is_host_display(function: &PciFunction) -> bool {
    function.class.is_display() && !function.is_on_vfio()
}

/// The part of the chipset that a function is, where it is one. Bridges between PCI buses are judged elsewhere.
pub(crate) fn chipset_part(function: &PciFunction) -> Option<&'static str> {
    match function.class.base_and_sub() {
        0x0601 => Some("ISA bridge"),
        0x0c05 => Some("SMBus"),
        0x0806 => Some("IOMMU"),
        _ if function.is_bridge() => None,
        0x0500 | 0x0580 if function.address.bus() == 0 => Some("memory controller"),
        _ => None,
    }
}

/// Other functions of the host with the same vendor and device ids.
pub fn twins(facts: &HostFacts, function: &PciFunction) -> Vec<PciAddress> {
    facts
        .functions()
        .filter(|other| other.id == function.id && other.address != function.address && !other.is_bridge())
        .filter(|_| !function.is_bridge())
        .map(|other| other.address)
        .collect()
}
