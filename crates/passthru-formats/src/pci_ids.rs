//! `pci.ids`, the list of names of vendors and devices (<https://pci-ids.ucw.cz>).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use passthru_model::hex::{Hex16, PciId};

/// Names for the wanted ids: `Vendor Device`, or `Vendor Device 1234` where only the vendor is
/// known, as lspci writes it. Ids of unknown vendors are left out.
///
/// A line without a tab is a vendor (`10de  NVIDIA Corporation`), one tab a device of it, two tabs a board with it. The
/// list of classes, which comes last, has no line that begins like a vendor's.
pub fn names(text: &[u8], wanted: &BTreeSet<PciId>) -> BTreeMap<PciId, String> {
    // The list is read at every start and is a megabyte long: the vendors are sought in it as bytes, and only what is theirs
    // is read line by line.
    let mut found = BTreeMap::new();
    let vendors: BTreeSet<Hex16> = wanted.iter().map(|id| id.vendor).collect();
    for vendor in vendors {
        let Some((name, lines)) = of_vendor(text, vendor) else { continue };
        let all = |device| PciId { vendor, device: Hex16(device) };
        for mine in wanted.range(all(0)..=all(u16::MAX)) {
            found.insert(*mine, format!("{name} Device {}", mine.device));
        }
        for line in lines {
            let Some((device, device_name)) = line.strip_prefix(b"\t").and_then(entry) else { continue };
            if let Some(known) = found.get_mut(&PciId { vendor, device }) {
                *known = format!("{name} {device_name}");
            }
        }
    }
    found
}

/// A vendor's name, and the lines below it up to the next vendor's.
fn of_vendor(text: &[u8], vendor: Hex16) -> Option<(Cow<'_, str>, impl Iterator<Item = &[u8]>)> {
    let begin = format!("{vendor}  ");
    let at = if text.starts_with(begin.as_bytes()) {
        0
    } else {
        memchr::memmem::find(text, format!("\n{begin}").as_bytes())? + 1
    };
    let mut lines = text.get(at..)?.split(|byte| *byte == b'\n');
    let (_, name) = entry(lines.next()?)?;
    Some((name, lines.take_while(|line| matches!(line, [] | [b'\t' | b'#', ..]))))
}

/// `10de  NVIDIA Corporation`: four digits, two spaces, a name.
fn entry(line: &[u8]) -> Option<(Hex16, Cow<'_, str>)> {
    let (digits, name) = line.split_at_checked(4)?;
    let name = name.strip_prefix(b"  ")?;
    // Signs, which the standard library would take, are refused.
    let digits = std::str::from_utf8(digits).ok()?;
    let id = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
    Some((Hex16(u16::from_str_radix(id, 16).ok()?), String::from_utf8_lossy(name.trim_ascii_end())))
}

#[cfg(test)]
mod tests {
    use super::names;
    use proptest::prelude::*;

    const TEXT: &[u8] =
        b"# comment\n10de  NVIDIA Corporation\n\t13c2  GM204 [GeForce GTX 970]\n\t\t1458 367a  A board\n\
        \t13c3  Other\n8086  Intel Corporation\n\t13c2  Not this one\nC 03  Display controller\n\t00  VGA\n";

    fn look_up(ids: &[&str]) -> Vec<String> {
        let wanted = ids.iter().map(|id| id.parse().expect("an id")).collect();
        names(TEXT, &wanted).into_values().collect()
    }

    #[test]
    fn a_device_is_named_with_its_vendor() {
        assert_eq!(look_up(&["10de:13c2"]), ["NVIDIA Corporation GM204 [GeForce GTX 970]"]);
    }

    #[test]
    fn an_unknown_device_of_a_known_vendor_keeps_the_vendor() {
        assert_eq!(look_up(&["8086:1234", "abcd:1234"]), ["Intel Corporation Device 1234"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let wanted = ["10de:13c2"].iter().map(|id| id.parse().expect("an id")).collect();
            let _ = names(&bytes, &wanted);
        }

        #[test]
        fn an_entry_that_is_written_is_found(vendor: u16, device: u16, name in "[!-~]{1,20}") {
            let text = format!("{vendor:04x}  V\n\t{device:04x}  {name}\n");
            let id = format!("{vendor:04x}:{device:04x}").parse().expect("an id");
            let found = names(text.as_bytes(), &[id].into());
            prop_assert_eq!(found.get(&id), Some(&format!("V {name}")));
        }
    }
}
