//! Small text files of sysfs: attributes of PCI functions and IOMMU groups.

use std::borrow::Cow;

use passthru_model::hex::{ClassCode, Hex16, PciId};
use passthru_model::iommu::ReservedRegion;
use passthru_model::pci::Resource;

use crate::error::FormatError;

/// The text of a one-line attribute without its newline. Bytes that are no UTF-8 are replaced.
pub fn line(bytes: &[u8]) -> String {
    text(bytes).into_owned()
}

/// The same without a copy, where nothing had to be replaced.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let ends = |byte: &&u8| matches!(byte, b'\n' | b'\0');
    let end = bytes.len() - bytes.iter().rev().take_while(ends).count();
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default())
}

/// A flag: `1` and `Y` are yes, `0` and `N` are no (`param_get_bool`, `kernel/params.c`, writes the letters).
pub fn flag(bytes: &[u8]) -> Option<bool> {
    match &*text(bytes) {
        "1" | "Y" | "y" => Some(true),
        "0" | "N" | "n" => Some(false),
        _ => None,
    }
}

/// A `driver_override` attribute: the kernel writes `(null)` where none is set (`driver_override_show`,
/// `drivers/pci/pci-sysfs.c`).
pub fn driver_override(bytes: &[u8]) -> Option<String> {
    let text = line(bytes);
    (!text.is_empty() && text != "(null)").then_some(text)
}

/// A `reset_method` attribute: names parted by spaces, in the order in which the kernel tries them
/// (`Documentation/ABI/testing/sysfs-bus-pci`).
pub fn reset_methods(bytes: &[u8]) -> Vec<String> {
    text(bytes).split_ascii_whitespace().map(str::to_owned).collect()
}

/// A `numa_node` attribute; -1 means that the firmware did not say.
pub fn numa_node(bytes: &[u8]) -> Result<Option<u32>, FormatError> {
    let text = line(bytes);
    match text.trim().parse::<i64>() {
        Ok(node) if node < 0 => Ok(None),
        Ok(node) if u32::try_from(node).is_ok() => Ok(u32::try_from(node).ok()),
        _ => Err(FormatError::new("numa_node", 1, format!("‘{text}’ is not a node number"))),
    }
}

/// Three hexadecimal numbers with `0x`, as `resource` has them, or two and a word.
fn hex64(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

/// What a PCI function is, by its `modalias`: ids, the ids of its board, class.
///
/// `pci:v000010DEd000013C2sv00001458sd0000367Abc03sc00i00` (`modalias_show`, `drivers/pci/pci-sysfs.c`): one file that
/// says what five others say each for itself.
pub fn pci_modalias(text: &str) -> Option<(PciId, PciId, ClassCode)> {
    let mut rest = text.strip_prefix("pci:")?;
    let mut number = |name: &str, digits: usize| {
        let (value, after) = rest.strip_prefix(name)?.split_at_checked(digits)?;
        rest = after;
        value.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
        u32::from_str_radix(value, 16).ok()
    };
    let mut id = |name| number(name, 8).and_then(|id| u16::try_from(id).ok()).map(Hex16);
    let ids = PciId { vendor: id("v")?, device: id("d")? };
    let board = PciId { vendor: id("sv")?, device: id("sd")? };
    let class = (number("bc", 2)? << 16) | (number("sc", 2)? << 8) | number("i", 2)?;
    rest.is_empty().then_some((ids, board, ClassCode::new(class)?))
}

/// A `resource` file: a line `start end flags` for each range, in hexadecimal (`resource_show`,
/// `drivers/pci/pci-sysfs.c`). Lines of zeros stand for ranges that are not there and are left out.
pub fn resources(bytes: &[u8]) -> Result<Vec<Resource>, FormatError> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for (position, line) in text.lines().enumerate() {
        let wrong = || {
            FormatError::new("resource", position + 1, format!("‘{line}’ is not three hexadecimal numbers"))
        };
        let mut words = line.split_ascii_whitespace();
        let mut next = || words.next().and_then(hex64).ok_or_else(wrong);
        let (start, end, flags) = (next()?, next()?, next()?);
        if words.next().is_some() {
            return Err(wrong());
        }
        let index = u8::try_from(position).map_err(|_| wrong())?;
        if (start, end, flags) != (0, 0, 0) {
            found.push(Resource { index, start, end, flags });
        }
    }
    Ok(found)
}

/// A `current_link_speed` or `max_link_speed` in megatransfers a second: `8.0 GT/s PCIe` (`pci_speed_string`,
/// `drivers/pci/probe.c`). `None` for `Unknown`.
pub fn link_speed(text: &str) -> Option<u32> {
    let number = text.trim().split_once(" GT/s")?.0;
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    let tenth: u32 = tenths.parse().ok().filter(|_| tenths.len() == 1)?;
    whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(tenth * 100)
}

/// A `reserved_regions` file: `start end type` for each (`iommu_group_show_resv_regions`, `drivers/iommu/iommu.c`).
pub fn reserved_regions(bytes: &[u8]) -> Result<Vec<ReservedRegion>, FormatError> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for (position, line) in text.lines().enumerate() {
        let mut words = line.split_ascii_whitespace();
        let parts = (words.next().and_then(hex64), words.next().and_then(hex64), words.next(), words.next());
        let (Some(start), Some(end), Some(kind), None) = parts else {
            let reason = format!("‘{line}’ is not a start, an end and a type");
            return Err(FormatError::new("reserved_regions", position + 1, reason));
        };
        found.push(ReservedRegion { start, end, kind: kind.to_owned() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{
        driver_override, flag, link_speed, numa_node, pci_modalias, reserved_regions, reset_methods,
        resources,
    };
    use passthru_model::hex::{ClassCode, Hex16, PciId};
    use passthru_model::pci::Resource;
    use proptest::prelude::*;

    #[test]
    fn an_override_that_is_not_set_reads_as_none() {
        assert_eq!(driver_override(b"(null)\n"), None);
        assert_eq!(driver_override(b"\n"), None);
        assert_eq!(driver_override(b"vfio-pci\n"), Some("vfio-pci".to_owned()));
    }

    #[test]
    fn flags_are_read_in_both_spellings() {
        assert_eq!(
            [flag(b"1\n"), flag(b"N\n"), flag(b""), flag(b"2\n")],
            [Some(true), Some(false), None, None]
        );
    }

    #[test]
    fn a_node_of_minus_one_is_no_node() {
        assert_eq!(numa_node(b"-1\n"), Ok(None));
        assert_eq!(numa_node(b"3\n"), Ok(Some(3)));
        assert!(numa_node(b"three\n").is_err());
    }

    #[test]
    fn the_speed_of_a_link_is_read_in_each_of_its_spellings() {
        let speeds =
            ["2.5 GT/s PCIe", "8 GT/s", "16.0 GT/s PCIe", "Unknown", "1e9 GT/s", "GT/s", "99999999 GT/s"];
        assert_eq!(speeds.map(link_speed), [Some(2500), Some(8000), Some(16000), None, None, None, None]);
    }

    #[test]
    fn reset_methods_keep_their_order() {
        assert_eq!(reset_methods(b"flr bus\n"), ["flr", "bus"]);
        assert_eq!(reset_methods(b"\n"), Vec::<String>::new());
    }

    #[test]
    fn resources_keep_their_position_and_drop_what_is_not_there() {
        let text = b"0x00000000fd000000 0x00000000fdffffff 0x0000000000040200\n\
            0x0000000000000000 0x0000000000000000 0x0000000000000000\n\
            0x000000000000e000 0x000000000000e07f 0x0000000000040101\n";
        let found = resources(text).expect("reads");
        assert_eq!(
            found.iter().map(|range| (range.index, range.size())).collect::<Vec<_>>(),
            [(0, 0x0100_0000), (2, 0x80)]
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = resources(b"0x0 0x0 0x0\n0x1 0x2\n").expect_err("two numbers");
        assert_eq!(error.to_string(), "line 2 of resource: ‘0x1 0x2’ is not three hexadecimal numbers");
        assert!(reserved_regions(b"0x1 0x2 msi extra\n").is_err());
    }

    #[test]
    fn reserved_regions_are_read_with_their_type() {
        let text =
            b"0x00000000fee00000 0x00000000feefffff msi\n0x000000fd00000000 0x000000ffffffffff reserved\n";
        let found = reserved_regions(text).expect("reads");
        assert_eq!(found.iter().map(|region| region.kind.as_str()).collect::<Vec<_>>(), ["msi", "reserved"]);
    }

    #[test]
    fn an_alias_that_is_not_the_kernels_is_none() {
        let good = "pci:v000010DEd000013C2sv00001458sd0000367Abc03sc00i00";
        assert!(pci_modalias(good).is_some());
        for bad in ["", "pci:v0", "usb:v000010DEd000013C2", &good[..good.len() - 1], &format!("{good}0")] {
            assert_eq!(pci_modalias(bad), None, "{bad}");
        }
        assert_eq!(pci_modalias(&good.replace("v000010DE", "v010010DE")), None, "an id has sixteen bits");
        assert_eq!(pci_modalias(&good.replace("bc03", "bc+3")), None, "a sign is no digit");
    }

    proptest! {
        #[test]
        fn an_alias_says_what_it_was_made_of(ids: [u16; 4], class in 0u32..0x0100_0000) {
            let [vendor, device, sub_vendor, sub_device] = ids;
            let [_, base, sub, interface] = class.to_be_bytes();
            let text = format!(
                "pci:v{vendor:08X}d{device:08X}sv{sub_vendor:08X}sd{sub_device:08X}bc{base:02X}sc{sub:02X}i{interface:02X}"
            );
            let id = |vendor, device| PciId { vendor: Hex16(vendor), device: Hex16(device) };
            let code = format!("{class:06x}").parse::<ClassCode>().expect("a class");
            prop_assert_eq!(pci_modalias(&text), Some((id(vendor, device), id(sub_vendor, sub_device), code)));
        }

        #[test]
        fn resources_as_the_kernel_writes_them_are_read_back(ranges in prop::collection::vec((1u64.., 0u64.., 0u64..), 0..17)) {
            let text = ranges.iter().fold(String::new(), |text, (start, end, flags)| {
                format!("{text}{start:#018x} {end:#018x} {flags:#018x}\n")
            });
            let expected: Vec<_> = ranges.iter().enumerate()
                .map(|(index, &(start, end, flags))| Resource {
                    index: u8::try_from(index).expect("small"), start, end, flags,
                }).collect();
            prop_assert_eq!(resources(text.as_bytes()), Ok(expected));
        }

        #[test]
        fn no_bytes_make_a_parser_panic(bytes: Vec<u8>) {
            let _ = (resources(&bytes), reserved_regions(&bytes), numa_node(&bytes), flag(&bytes));
            let _ = (driver_override(&bytes), reset_methods(&bytes), link_speed(&String::from_utf8_lossy(&bytes)));
        }
    }
}
