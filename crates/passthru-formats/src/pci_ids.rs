//! `pci.ids`, the list of names of vendors and devices (<https://pci-ids.ucw.cz>).

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::hex::{Hex16, PciId};

/// Names for the wanted ids, in one pass over the text: `Vendor Device`, or `Vendor Device 1234` where only the vendor is
/// known, as lspci writes it. Ids of unknown vendors are left out.
///
/// A line without a tab is a vendor (`10de  NVIDIA Corporation`), one tab a device of it, two tabs a board with it. The
/// list of classes, whose lines begin with `C`, comes last and ends the search.
pub fn names(text: &[u8], wanted: &BTreeSet<PciId>) -> BTreeMap<PciId, String> {
    // The list is read at every start, so nothing is copied of what is not wanted, and the search ends with the last
    // wanted vendor. `split` on text looks for newlines a word at a time.
    let text = String::from_utf8_lossy(text);
    let mut vendors_left: BTreeSet<Hex16> = wanted.iter().map(|id| id.vendor).collect();
    let mut found: BTreeMap<PciId, String> = BTreeMap::new();
    let mut vendor: Option<(Hex16, &str)> = None;
    for line in text.split('\n') {
        match line.as_bytes() {
            [b'\t', b'\t', ..] | [b'#', ..] | [] => {}
            [b'\t', ..] => {
                let Some((vendor, vendor_name)) = vendor else { continue };
                let Some((device, name)) = line.get(1..).and_then(entry) else { continue };
                if let Some(known) = found.get_mut(&PciId { vendor, device }) {
                    *known = format!("{vendor_name} {name}");
                }
            }
            [b'C', b' ', ..] => break,
            _ => {
                if vendor.is_some() && vendors_left.is_empty() {
                    break;
                }
                vendor = entry(line).filter(|(id, _)| vendors_left.remove(id));
                let Some((id, name)) = vendor else { continue };
                let all = |device| PciId { vendor: id, device: Hex16(device) };
                for mine in wanted.range(all(0)..=all(u16::MAX)) {
                    found.insert(*mine, format!("{name} Device {}", mine.device));
                }
            }
        }
    }
    found
}

/// `10de  NVIDIA Corporation`: four digits, two spaces, a name.
fn entry(line: &str) -> Option<(Hex16, &str)> {
    let (digits, name) = line.split_at_checked(4)?;
    let name = name.strip_prefix("  ")?;
    // Signs, which the standard library would take, are refused.
    let id = digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u16::from_str_radix(digits, 16).ok())??;
    Some((Hex16(id), name.trim_end()))
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
