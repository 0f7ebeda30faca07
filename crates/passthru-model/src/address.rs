//! Where a PCI function sits: domain, bus, device, function.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The address of one PCI function, written `DDDD:BB:DD.F` in hexadecimal as the kernel writes it.
///
/// The domain may have more than four digits: Intel VMD starts its domains at `0x10000`
/// (`drivers/pci/controller/vmd.c`). Ordering is domain, bus, device, function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

/// The place that the functions of one card share: domain, bus and device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciSlot {
    domain: u32,
    bus: u8,
    device: u8,
}

/// Why a text is no PCI address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The shape is not `[domain:]bus:device.function`.
    #[error("‘{0}’ is not a PCI address: write it as 0000:06:00.0 or 06:00.0")]
    Shape(String),
    /// A part is in shape but out of range.
    #[error("‘{text}’ is not a PCI address: the {part} is above {most}")]
    Range {
        /// The text as it was given.
        text: String,
        /// Which part is too large.
        part: &'static str,
        /// The largest value allowed, in hexadecimal.
        most: &'static str,
    },
}

impl PciAddress {
    /// Makes an address; `device` is 0 to 31, `function` 0 to 7.
    pub fn new(domain: u32, bus: u8, device: u8, function: u8) -> Result<Self, AddressError> {
        let address = Self { domain, bus, device, function };
        if device > 0x1f {
            return Err(AddressError::Range { text: address.to_string(), part: "device", most: "1f" });
        }
        if function > 7 {
            return Err(AddressError::Range { text: address.to_string(), part: "function", most: "7" });
        }
        Ok(address)
    }

    /// The domain (segment), most often 0.
    pub fn domain(self) -> u32 {
        self.domain
    }

    /// The bus, 0 to 255.
    pub fn bus(self) -> u8 {
        self.bus
    }

    /// The device on its bus, 0 to 31.
    pub fn device(self) -> u8 {
        self.device
    }

    /// The function of its device, 0 to 7.
    pub fn function(self) -> u8 {
        self.function
    }

    /// The slot that this function shares with its siblings.
    pub fn slot(self) -> PciSlot {
        PciSlot { domain: self.domain, bus: self.bus, device: self.device }
    }

    /// Whether both functions belong to one card.
    pub fn is_sibling_of(self, other: Self) -> bool {
        self != other && self.slot() == other.slot()
    }
}

/// The hexadecimal digit of the lower four bits.
fn digit(bits: u8) -> u8 {
    match bits & 0xf {
        low @ 0..=9 => b'0' + low,
        low => b'a' - 10 + low,
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Lists of functions are long. Nearly all domains have four digits, and then the text can be put together by hand.
        let (Ok(domain), 0..=7) = (u16::try_from(self.domain), self.function) else {
            return write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.device, self.function);
        };
        let [high, low] = domain.to_be_bytes();
        let text = [
            digit(high >> 4),
            digit(high),
            digit(low >> 4),
            digit(low),
            b':',
            digit(self.bus >> 4),
            digit(self.bus),
            b':',
            digit(self.device >> 4),
            digit(self.device),
            b'.',
            digit(self.function),
        ];
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PciSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}", self.domain, self.bus, self.device)
    }
}

/// Reads 1 to `most` hexadecimal digits and nothing else (no sign, no `0x`, no space).
fn digits(text: &str, most: usize) -> Option<u32> {
    if text.is_empty() || text.len() > most || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(text, 16).ok()
}

impl FromStr for PciAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let shape = || AddressError::Shape(text.to_owned());
        let (front, function) = text.rsplit_once('.').ok_or_else(shape)?;
        let (front, device) = front.rsplit_once(':').ok_or_else(shape)?;
        let (domain, bus) = front.rsplit_once(':').unwrap_or(("0", front));
        let domain = digits(domain, 8).ok_or_else(shape)?;
        let bus = digits(bus, 2).ok_or_else(shape)?;
        let device = digits(device, 2).ok_or_else(shape)?;
        let function = digits(function, 1).ok_or_else(shape)?;
        let byte = |value: u32| u8::try_from(value).map_err(|_| shape());
        Self::new(domain, byte(bus)?, byte(device)?, byte(function)?).map_err(|error| match error {
            AddressError::Range { part, most, .. } => {
                AddressError::Range { text: text.to_owned(), part, most }
            }
            other @ AddressError::Shape(_) => other,
        })
    }
}

impl Serialize for PciAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PciAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for PciAddress {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PciAddress".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A PCI function: domain:bus:device.function in hexadecimal",
            "pattern": "^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressError, PciAddress};
    use proptest::prelude::*;

    #[test]
    fn a_long_a_short_and_a_vmd_address_are_read() {
        for (text, full) in
            [("0000:06:00.0", "0000:06:00.0"), ("6:0.1", "0000:06:00.1"), ("10000:E1:1F.7", "10000:e1:1f.7")]
        {
            assert_eq!(text.parse::<PciAddress>().map(|a| a.to_string()), Ok(full.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for text in [
            "",
            "06:00",
            "06.0",
            "0x06:00.0",
            "06:00.0 ",
            "+6:00.0",
            "06:00.8",
            "06:20.0",
            "1234567890:00:00.0",
            "é:00.0",
        ] {
            assert!(text.parse::<PciAddress>().is_err(), "{text}");
        }
        assert_eq!(
            "06:00.8".parse::<PciAddress>(),
            Err(AddressError::Range { text: "06:00.8".to_owned(), part: "function", most: "7" })
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(domain: u32, bus: u8, device in 0u8..32, function in 0u8..8) {
            let address = PciAddress::new(domain, bus, device, function).expect("in range");
            prop_assert_eq!(address.to_string().parse::<PciAddress>(), Ok(address));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,20}") {
            let _ = text.parse::<PciAddress>();
        }
    }
}
