//! The physical address space as the kernel gives it out (`/proc/iomem`).

/// One range and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoRange {
    /// How deep it stands: 0 for a range of the whole, 1 for one inside that, and so on.
    pub depth: usize,
    /// First address.
    pub start: u64,
    /// Last address, inclusive.
    pub end: u64,
    /// Whose it is: a bus, a device's address, a driver, `System RAM`, `BOOTFB`, …
    pub name: String,
}

/// All ranges in the order of the file: each stands before those inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IoMemory {
    /// The ranges.
    pub ranges: Vec<IoRange>,
}

impl IoMemory {
    /// Who sits inside a range, at any depth below the smallest range that holds all of it; that of the device itself,
    /// which is called after its address, is left out.
    pub fn inside(&self, start: u64, end: u64) -> impl Iterator<Item = &IoRange> {
        self.ranges
            .iter()
            .filter(move |range| range.start >= start && range.end <= end && !is_address(&range.name))
    }
}

/// Whether a name is a PCI address, which the BAR of that function has for its own.
fn is_address(name: &str) -> bool {
    name.parse::<crate::address::PciAddress>().is_ok_and(|address| address.to_string() == name)
}

/// Whether the name of a range is that of a framebuffer which the firmware set up: what sysfb claims (`BOOTFB`,
/// `drivers/firmware/sysfb_simplefb.c`), and the drivers that draw on it.
pub fn is_boot_framebuffer(name: &str) -> bool {
    matches!(
        name,
        "BOOTFB"
            | "efifb"
            | "vesafb"
            | "simplefb"
            | "simpledrm"
            | "simple-framebuffer"
            | "efidrm"
            | "vesadrm"
    )
}
