//! Numbers that the field writes in hexadecimal: vendor and device ids, class codes.

use std::fmt;
use std::str::FromStr;

/// A 16-bit id (vendor, device, subsystem), written as four hexadecimal digits without `0x`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hex16(pub u16);

/// A 24-bit PCI class code: base class, sub-class, programming interface (PCI Code and ID Assignment, §1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClassCode(u32);

/// A PCI ID, written `10de:13c2`: vendor and device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PciId {
    /// Who made the chip.
    pub vendor: Hex16,
    /// Which chip it is.
    pub device: Hex16,
}

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("‘{text}’ is not {wanted}")]
pub struct HexError {
    text: String,
    wanted: &'static str,
}

/// Reads hexadecimal digits after an optional `0x`, as sysfs writes them.
fn number(text: &str, most: usize) -> Option<u32> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.is_empty() || digits.len() > most || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

impl FromStr for Hex16 {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        number(text, 4)
            .and_then(|value| u16::try_from(value).ok())
            .map(Self)
            .ok_or_else(|| HexError { text: text.to_owned(), wanted: "a 16-bit id such as 10de" })
    }
}

impl ClassCode {
    /// Makes a class code of its 24 bits; higher bits are an error.
    pub fn new(bits: u32) -> Option<Self> {
        (bits <= 0x00ff_ffff).then_some(Self(bits))
    }

    /// All 24 bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The base class, the top byte: 03 is a display controller.
    pub fn base(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    /// Base class and sub-class, the top two bytes: 0300 is VGA.
    pub fn base_and_sub(self) -> u16 {
        let [_, base, sub, _] = self.0.to_be_bytes();
        u16::from_be_bytes([base, sub])
    }

    /// The programming interface, the low byte: 30 of class 0c03 is xHCI.
    pub fn interface(self) -> u8 {
        self.0.to_be_bytes()[3]
    }

    /// Whether this is a display controller of any kind (VGA, 3D, other).
    pub fn is_display(self) -> bool {
        self.base() == 0x03
    }

    /// Whether this is a bridge of any kind (host, ISA, PCI-to-PCI, …): a part of the host that no guest can have.
    pub fn is_bridge(self) -> bool {
        self.base() == 0x06
    }

    /// Whether this is a PCI-to-PCI bridge, which root ports and switch ports are too.
    pub fn is_pci_bridge(self) -> bool {
        self.base_and_sub() == 0x0604
    }

    /// What the class is called, in a few plain words.
    pub fn name(self) -> &'static str {
        match self.base_and_sub() {
            0x0100 => "SCSI controller",
            0x0101 => "IDE controller",
            0x0104 => "RAID controller",
            0x0106 => "SATA controller",
            0x0107 => "SAS controller",
            0x0108 => "NVMe controller",
            0x0200 => "Ethernet controller",
            0x0280 => "network controller",
            0x0300 => "VGA controller",
            0x0302 => "3D controller",
            0x0380 => "display controller",
            0x0400 => "video device",
            0x0401 | 0x0403 => "audio device",
            0x0500 => "memory controller",
            0x0600 => "host bridge",
            0x0601 => "ISA bridge",
            0x0604 => "PCI bridge",
            0x0680 => "bridge",
            0x0700 => "serial controller",
            0x0780 => "communication controller",
            0x0805 => "SD host controller",
            0x0806 => "IOMMU",
            0x0c03 => "USB controller",
            0x0c05 => "SMBus",
            0x0c80 => "serial bus controller",
            0x1080 => "encryption controller",
            0x1180 => "signal processing controller",
            0x1200 => "processing accelerator",
            _ => match self.base() {
                0x01 => "storage controller",
                0x02 => "network controller",
                0x03 => "display controller",
                0x04 => "multimedia device",
                0x05 => "memory controller",
                0x06 => "bridge",
                0x07 => "communication controller",
                0x08 => "system peripheral",
                0x09 => "input device",
                0x0c => "serial bus controller",
                0x0d => "wireless controller",
                0x10 => "encryption controller",
                0x11 => "signal processing controller",
                0x12 => "processing accelerator",
                _ => "device",
            },
        }
    }
}

impl FromStr for ClassCode {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        number(text, 6)
            .and_then(Self::new)
            .ok_or_else(|| HexError { text: text.to_owned(), wanted: "a 24-bit class code such as 030000" })
    }
}

impl FromStr for PciId {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        let wrong = || HexError { text: text.to_owned(), wanted: "a PCI ID such as 10de:13c2" };
        let (vendor, device) = text.split_once(':').ok_or_else(wrong)?;
        Ok(Self {
            vendor: vendor.parse().map_err(|_| wrong())?,
            device: device.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for Hex16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

impl fmt::Display for ClassCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06x}", self.0)
    }
}

impl fmt::Display for PciId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.vendor, self.device)
    }
}

/// The traits that what is written as a text shares: debug as displayed, (de)serialised as its text.
macro_rules! as_text {
    ($type:ty, $name:literal, $pattern:literal) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

pub(crate) use as_text;

as_text!(Hex16, "Hex16", "^[0-9a-f]{4}$");
as_text!(ClassCode, "ClassCode", "^[0-9a-f]{6}$");
as_text!(PciId, "PciId", "^[0-9a-f]{4}:[0-9a-f]{4}$");

#[cfg(test)]
mod tests {
    use super::{ClassCode, Hex16, PciId};
    use proptest::prelude::*;

    #[test]
    fn ids_are_read_with_and_without_the_prefix_of_sysfs() {
        assert_eq!("0x10de".parse(), Ok(Hex16(0x10de)));
        assert_eq!("10DE".parse(), Ok(Hex16(0x10de)));
        assert_eq!("10de:13c2".parse::<PciId>().map(|id| id.to_string()), Ok("10de:13c2".to_owned()));
        for text in ["", "0x", "12345", "10de:", "+1", "10 de"] {
            assert!(text.parse::<Hex16>().is_err(), "{text}");
            assert!(text.parse::<PciId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_class_code_knows_its_parts() {
        let xhci: ClassCode = "0x0c0330".parse().expect("a class code");
        assert_eq!((xhci.base(), xhci.base_and_sub(), xhci.interface()), (0x0c, 0x0c03, 0x30));
        assert_eq!(xhci.name(), "USB controller");
        assert!("1000000".parse::<ClassCode>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(vendor: u16, device: u16, class in 0u32..0x0100_0000) {
            let id = PciId { vendor: Hex16(vendor), device: Hex16(device) };
            prop_assert_eq!(id.to_string().parse::<PciId>(), Ok(id));
            let class = ClassCode::new(class).expect("24 bits");
            prop_assert_eq!(class.to_string().parse::<ClassCode>(), Ok(class));
        }
    }
}
