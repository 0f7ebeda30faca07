//! Devices that Linux knows to keep functions apart, or to lie about it: the facts behind `pci_dev_acs_enabled[]` and
//! `pci_dev_acs_ops[]` (`drivers/pci/quirks.c`, read in 6.1, 6.18 and a later tree).
//!
//! The order counts: the first entry that has an opinion decides (`pci_dev_specific_acs_enabled`).

use std::ops::RangeInclusive;

use passthru_formats::config_space::PortType;

/// What a quirk asks of a device before it has an opinion, and what that opinion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Isolates, whatever it is: its maker says that its functions do not talk to each other.
    Always,
    /// Isolates if it is a root port.
    RootPort,
    /// Decides for root ports and switches' downstream ports: those listed isolate, all others do not.
    ListedPorts(&'static [RangeInclusive<u16>]),
    /// Isolates if it is an endpoint of the root complex.
    RootComplexEndpoint,
    /// Isolates if it is one of several functions on the root bus and the firmware describes an AMD IOMMU.
    AmdSouthbridge,
    /// A root port without the capability that the kernel can make isolate by the chipset's own registers, if those are
    /// mapped.
    IntelChipset,
    /// A root port whose access control registers are double words, so that the control register is elsewhere.
    IntelDoubleWords,
    /// Decides for all devices of the vendor: those listed isolate, all others do not.
    Listed(&'static [RangeInclusive<u16>]),
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quirk {
    /// What it is for, in words that follow "the kernel knows".
    pub(super) name: &'static str,
    vendor: u16,
    /// Device ids; empty: every device of the vendor.
    devices: &'static [RangeInclusive<u16>],
    pub(super) rule: Rule,
    /// The first Linux version with it, where that is known; distribution kernels may have it earlier.
    pub(super) since: Option<(u16, u16)>,
}

impl Quirk {
    const fn new(
        name: &'static str,
        vendor: u16,
        devices: &'static [RangeInclusive<u16>],
        rule: Rule,
    ) -> Self {
        Self { name, vendor, devices, rule, since: None }
    }

    const fn since(mut self, major: u16, minor: u16) -> Self {
        self.since = Some((major, minor));
        self
    }

    /// Whether the entry is for a device with these ids.
    pub(super) fn is_for(&self, vendor: u16, device: u16) -> bool {
        self.vendor == vendor
            && (self.devices.is_empty() || self.devices.iter().any(|range| range.contains(&device)))
    }

    /// Whether the entry has anything to say of a function of this kind; `None`: not a PCI Express function.
    pub(super) fn concerns(&self, kind: Option<PortType>) -> bool {
        match self.rule {
            Rule::Always | Rule::AmdSouthbridge | Rule::Listed(_) => true,
            Rule::RootPort | Rule::IntelChipset | Rule::IntelDoubleWords => kind == Some(PortType::RootPort),
            Rule::ListedPorts(_) => matches!(kind, Some(PortType::RootPort | PortType::Downstream)),
            Rule::RootComplexEndpoint => kind == Some(PortType::RootComplexEndpoint),
        }
    }
}

const INTEL: u16 = 0x8086;
const CAVIUM: u16 = 0x177d;
const ZHAOXIN: u16 = 0x1d17;
const BROADCOM: u16 = 0x14e4;

/// The entries, in the kernel's order.
pub(super) const QUIRKS: &[Quirk] = &[
    Quirk::new(
        "AMD southbridges",
        0x1002,
        &[0x4383..=0x4385, 0x4399..=0x4399, 0x439c..=0x439d],
        Rule::AmdSouthbridge,
    ),
    Quirk::new("AMD southbridges", 0x1022, &[0x7809..=0x7809, 0x780f..=0x780f], Rule::AmdSouthbridge),
    Quirk::new(
        "Solarflare network cards",
        0x1924,
        &[0x0903..=0x0903, 0x0923..=0x0923, 0x0a03..=0x0a03],
        Rule::Always,
    ),
    Quirk::new("Intel network cards", INTEL, INTEL_NETWORK, Rule::Always),
    Quirk::new("endpoints of Intel's root complexes", INTEL, &[], Rule::RootComplexEndpoint).since(5, 8),
    Quirk::new(
        "Qualcomm root ports",
        0x17cb,
        &[0x0111..=0x0111, 0x0115..=0x0115, 0x0120..=0x0120, 0x0400..=0x0401],
        Rule::Always,
    ),
    Quirk::new("HXT root ports", 0x1dbf, &[0x0401..=0x0401], Rule::Always),
    Quirk::new("root ports of Intel's chipsets of 2009 to 2014", INTEL, INTEL_CHIPSETS, Rule::IntelChipset)
        .since(3, 15),
    Quirk::new(
        "root ports of Intel's chipsets of 2015 to 2018",
        INTEL,
        &[0xa110..=0xa11f, 0xa167..=0xa16a, 0xa290..=0xa29f, 0xa2e7..=0xa2ee, 0x9d10..=0x9d1b],
        Rule::IntelDoubleWords,
    ),
    Quirk::new("Emulex network cards", 0x19a2, &[0x0710..=0x0710], Rule::Always),
    Quirk::new("Emulex network cards", 0x10df, &[0x0720..=0x0720], Rule::Always),
    Quirk::new(
        "Cavium root ports",
        CAVIUM,
        &[0xa000..=0xa7ff, 0xaf84..=0xaf84, 0xb884..=0xb884],
        Rule::RootPort,
    ),
    Quirk::new("Cavium devices", CAVIUM, &[0xa026..=0xa026, 0xa059..=0xa059, 0xa060..=0xa060], Rule::Always),
    Quirk::new("APM root ports", 0x10e8, &[0xe004..=0xe004], Rule::Always),
    Quirk::new("Ampere root ports", 0x1def, &[0xe005..=0xe00c], Rule::Always),
    Quirk::new(
        "Broadcom network cards",
        BROADCOM,
        &[0x16d7..=0x16d7, 0x1750..=0x1752, 0x1760..=0x1763],
        Rule::Always,
    ),
    Quirk::new("Broadcom root ports", BROADCOM, &[0xd714..=0xd714], Rule::Always),
    Quirk::new("Loongson root ports", 0x0014, LOONGSON, Rule::Always).since(6, 16),
    Quirk::new("Annapurna Labs root ports", 0x1c36, &[0x0031..=0x0031], Rule::RootPort),
    Quirk::new(
        "Zhaoxin devices",
        ZHAOXIN,
        &[0x3038..=0x3038, 0x3104..=0x3104, 0x9083..=0x9083],
        Rule::Always,
    ),
    Quirk::new("NXP root ports", 0x1957, NXP, Rule::Always),
    Quirk::new(
        "Zhaoxin ports",
        ZHAOXIN,
        &[],
        Rule::ListedPorts(&[0x0710..=0x071e, 0x0721..=0x0721, 0x0723..=0x0752]),
    ),
    Quirk::new("Wangxun network cards", 0x8088, &[], Rule::Listed(WANGXUN)).since(6, 3),
];

/// Intel's network functions whose maker says that they do not talk to each other: 82571 (without the cards of four ports,
/// which have a switch), 82575, 82576, 82580, 82598, 82599, X540, I350, I219.
const INTEL_NETWORK: &[RangeInclusive<u16>] = &[
    0x105e..=0x1060,
    0x10a7..=0x10a7,
    0x10a9..=0x10a9,
    0x10c6..=0x10c6,
    0x10c9..=0x10c9,
    0x10d6..=0x10d6,
    0x10d9..=0x10d9,
    0x10db..=0x10db,
    0x10dd..=0x10dd,
    0x10e1..=0x10e1,
    0x10e6..=0x10e8,
    0x10f1..=0x10f1,
    0x10f7..=0x10fc,
    0x1507..=0x1507,
    0x1509..=0x150a,
    0x150d..=0x1511,
    0x1514..=0x1514,
    0x1516..=0x1516,
    0x1518..=0x1518,
    0x151c..=0x151c,
    0x1521..=0x1524,
    0x1526..=0x1527,
    0x1529..=0x152a,
    0x154d..=0x154d,
    0x154f..=0x154f,
    0x1551..=0x1551,
    0x1558..=0x1558,
    0x15b7..=0x15b8,
];

/// Ibex Peak, Cougar Point, Panther Point, Lynx Point, Lynx Point LP, Wildcat Point, Patsburg, Wellsburg, 9 Series.
const INTEL_CHIPSETS: &[RangeInclusive<u16>] = &[
    0x3b42..=0x3b51,
    0x1c10..=0x1c1f,
    0x1e10..=0x1e1f,
    0x8c10..=0x8c1f,
    0x9c10..=0x9c1b,
    0x9c90..=0x9c9b,
    0x1d10..=0x1d10,
    0x1d12..=0x1d12,
    0x1d14..=0x1d14,
    0x1d16..=0x1d16,
    0x1d18..=0x1d18,
    0x1d1a..=0x1d1a,
    0x1d1c..=0x1d1c,
    0x1d1e..=0x1d1e,
    0x8d10..=0x8d1e,
    0x8c90..=0x8c90,
    0x8c92..=0x8c92,
    0x8c94..=0x8c94,
    0x8c96..=0x8c96,
    0x8c98..=0x8c98,
    0x8c9a..=0x8c9a,
    0x8c9c..=0x8c9c,
    0x8c9e..=0x8c9e,
];

const LOONGSON: &[RangeInclusive<u16>] = &[
    0x3c09..=0x3c09,
    0x3c19..=0x3c19,
    0x3c29..=0x3c29,
    0x7a09..=0x7a09,
    0x7a19..=0x7a19,
    0x7a29..=0x7a29,
    0x7a39..=0x7a39,
    0x7a49..=0x7a49,
    0x7a59..=0x7a59,
    0x7a69..=0x7a69,
];

/// LX2 processors in their variants.
const NXP: &[RangeInclusive<u16>] = &[
    0x8d80..=0x8d83,
    0x8d88..=0x8d8b,
    0x8d90..=0x8d93,
    0x8d98..=0x8d9b,
    0x8da0..=0x8da1,
    0x8da8..=0x8da9,
    0x8db0..=0x8db1,
    0x8db8..=0x8db9,
];

/// The 50 and 51 series since Linux 6.13.
const WANGXUN: &[RangeInclusive<u16>] = &[
    0x0100..=0x010f,
    0x1001..=0x1001,
    0x2001..=0x2001,
    0x5010..=0x5010,
    0x5025..=0x5025,
    0x5040..=0x5040,
    0x5110..=0x5110,
    0x5125..=0x5125,
    0x5140..=0x5140,
];
