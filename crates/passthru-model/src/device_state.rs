//! What is known of functions beyond what groups need: power, links, resizable BARs, virtual functions.

use std::collections::BTreeMap;

use crate::address::PciAddress;

/// How fast and how wide a link of PCI Express is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Megatransfers a second a lane: 2500, 5000, 8000, 16000, 32000, 64000.
    pub megatransfers: u32,
    /// Lanes.
    pub lanes: u8,
}

/// A link as it runs now and as the function could have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Now (`current_link_speed`, `current_link_width`). A GPU without work runs slower than it can.
    pub now: Option<Link>,
    /// At most (`max_link_speed`, `max_link_width`).
    pub most: Option<Link>,
}

/// A BAR whose size can be changed (`resourceN_resize`, Linux 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResizableBar {
    /// Which BAR, 0 to 5.
    pub index: u8,
    /// The sizes that it can have: bit n stands for 2^(n+20) bytes.
    pub sizes: u64,
}

impl ResizableBar {
    /// The largest size that it can have, in bytes.
    pub fn largest(&self) -> Option<u64> {
        let bit = u64::BITS.checked_sub(self.sizes.leading_zeros() + 1)?;
        1u64.checked_shl(bit + 20).filter(|size| *size > 0)
    }
}

/// The virtual functions that a physical one can have (`Documentation/ABI/testing/sysfs-bus-pci`, `sriov_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SriovState {
    /// How many it can have (`sriov_totalvfs`).
    pub total: u16,
    /// How many are switched on (`sriov_numvfs`).
    pub enabled: u16,
    /// Whether drivers of the host take new ones by themselves (`sriov_drivers_autoprobe`, Linux 4.12).
    pub autoprobe: Option<bool>,
}

/// The state of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceState {
    /// `power_state`: `D0`, `D1`, `D2`, `D3hot`, `D3cold`, `unknown`, `error`; `None` before Linux 5.12.
    pub power: Option<String>,
    /// Whether the kernel may take all power from it (`d3cold_allowed`): a permission, not a state.
    pub d3cold_allowed: Option<bool>,
    /// `power/control`: `auto`, where it may fall asleep while it is idle, or `on`.
    pub power_control: Option<String>,
    /// The link towards the root, for displays and the ports above them, as sysfs says it. Empty where configuration space
    /// was read, which says the same.
    pub link: LinkState,
    /// Its BARs that can be resized, for displays.
    pub resizable: Vec<ResizableBar>,
    /// Its virtual functions; `None`: it cannot have any.
    pub sriov: Option<SriovState>,
    /// Whether the boot was shown on it (`boot_display`, Linux 6.17). `None` where the kernel does not say.
    pub boot_display: Option<bool>,
    /// Attributes that could not be read, and why.
    pub gaps: BTreeMap<String, String>,
}

/// The state of functions that are no bridges, and the ports above displays.
pub type DeviceStates = BTreeMap<PciAddress, DeviceState>;

#[cfg(test)]
mod tests {
    use super::ResizableBar;

    #[test]
    fn the_largest_size_is_the_highest_bit() {
        let bar = |sizes| ResizableBar { index: 0, sizes }.largest();
        assert_eq!(bar(0), None);
        assert_eq!(bar(1), Some(1 << 20));
        assert_eq!(bar(0x7f00), Some(16 << 30));
        assert_eq!(bar(1 << 63), None, "larger than an address");
    }
}
