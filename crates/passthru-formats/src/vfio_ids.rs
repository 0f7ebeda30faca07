//! The `ids` parameter of vfio-pci and pci-stub: which functions it takes (`vfio_pci_fill_ids`,
//! `drivers/vfio/pci/vfio_pci.c`).

use passthru_model::hex::{ClassCode, PciId};

/// The kernel keeps this many bytes of the parameter, the ending zero included (`static char ids[1024]`).
pub const MOST_BYTES: usize = 1023;

/// One entry: `vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]`, all hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdEntry {
    /// As it is written.
    pub text: String,
    vendor: u32,
    device: u32,
    subvendor: Option<u32>,
    subdevice: Option<u32>,
    class: u32,
    mask: u32,
}

/// What any id matches (`PCI_ANY_ID`).
const ANY: u32 = u32::MAX;

impl IdEntry {
    /// Whether the kernel takes a function by this entry.
    pub fn matches(&self, id: PciId, subsystem: PciId, class: ClassCode) -> bool {
        let fits = |wanted: u32, is: u16| wanted == ANY || wanted == u32::from(is);
        fits(self.vendor, id.vendor.0)
            && fits(self.device, id.device.0)
            && fits(self.subvendor.unwrap_or(ANY), subsystem.vendor.0)
            && fits(self.subdevice.unwrap_or(ANY), subsystem.device.0)
            && (self.class ^ class.bits()) & self.mask == 0
    }

    /// Whether it says more than vendor and device.
    pub fn is_qualified(&self) -> bool {
        self.subvendor.is_some()
    }
}

/// The entries of a value, in order; an entry that the kernel would refuse is an error with its text.
pub fn parse(value: &str) -> Vec<Result<IdEntry, String>> {
    let value = value.trim_matches('"');
    value
        .split(',')
        .filter(|entry| !entry.is_empty())
        .map(|entry| one(entry).ok_or_else(|| entry.to_owned()))
        .collect()
}

fn one(text: &str) -> Option<IdEntry> {
    let mut numbers = Vec::new();
    for part in text.split(':') {
        // The kernel's %x takes a number with 0x before it and stops at what is no digit; what stops it here is no id that
        // anybody means.
        let digits = part.trim_start_matches("0x").trim_start_matches("0X");
        numbers.push(u32::from_str_radix(digits, 16).ok()?);
    }
    if numbers.len() < 2 || numbers.len() > 6 {
        return None;
    }
    let at = |index: usize| numbers.get(index).copied();
    Some(IdEntry {
        text: text.to_owned(),
        vendor: at(0)?,
        device: at(1)?,
        subvendor: at(2),
        subdevice: at(3),
        class: at(4).unwrap_or(0),
        mask: at(5).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::parse;
    use passthru_model::hex::{ClassCode, PciId};
    use proptest::prelude::*;

    fn id(text: &str) -> PciId {
        text.parse().expect("an id")
    }

    fn class(text: &str) -> ClassCode {
        text.parse().expect("a class")
    }

    fn takes(value: &str, device: &str, subsystem: &str, code: &str) -> bool {
        parse(value).iter().flatten().any(|entry| entry.matches(id(device), id(subsystem), class(code)))
    }

    #[test]
    fn ids_match_as_the_kernel_matches() {
        assert!(takes("10de:13c2,10de:0fbb", "10de:0fbb", "1458:3687", "040300"));
        assert!(takes("10DE:13C2", "10de:13c2", "0000:0000", "030000"));
        assert!(!takes("10de:13c2:1458", "10de:13c2", "1462:3160", "030000"));
        assert!(takes("10de:13c2:1458:3687", "10de:13c2", "1458:3687", "030000"));
        assert!(takes("10de:ffffffff:ffffffff:ffffffff:030000:ff0000", "10de:1111", "1:1", "030000"));
        assert!(!takes("10de:ffffffff:ffffffff:ffffffff:030000:ff0000", "10de:1111", "1:1", "040300"));
    }

    #[test]
    fn what_the_kernel_would_refuse_is_named() {
        let found: Vec<_> = parse("10de:13c2,,06:00.0,10de,10de:xyz").into_iter().map(Result::err).collect();
        let named = |text: &str| Some(text.to_owned());
        assert_eq!(found, [None, named("06:00.0"), named("10de"), named("10de:xyz")]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = parse(&text);
        }

        #[test]
        fn an_entry_made_of_a_function_takes_that_function(vendor: u16, device: u16, sub: u16, subdevice: u16, code in 0u32..0x100_0000) {
            let text = format!("{vendor:04x}:{device:04x}:{sub:04x}:{subdevice:04x}");
            let entry = parse(&text).remove(0).expect("an entry");
            let ids = [(vendor, device), (sub, subdevice)].map(|(one, other)| id(&format!("{one:04x}:{other:04x}")));
            let taken = entry.matches(ids[0], ids[1], class(&format!("{code:06x}")));
            prop_assert!(taken);
        }
    }
}
