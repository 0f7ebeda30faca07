//! `EFI_LOAD_OPTION`, the value of a `Boot####` variable (UEFI Specification 2.10, §3.1.3): attributes, the length of the device
//! paths, a description, the device paths, and data for the program. A kernel that firmware starts takes the data for its command
//! line, in UTF-16 (`drivers/firmware/efi/libstub`).

use crate::bytes::{le16, le32, part};
use crate::cmdline::{Change, CommandLine, Piece};
use crate::error::Refused;

/// A boot entry of the firmware. What is not looked at stays as it is, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOption<'a> {
    /// `LOAD_OPTION_ACTIVE` and others.
    pub attributes: u32,
    /// What the firmware's menu shows.
    pub description: String,
    /// The device paths, of which the first says what is started.
    paths: &'a [u8],
    /// Everything up to the data.
    head: &'a [u8],
    /// The data for the program that is started.
    data: &'a [u8],
}

/// How the data writes a command line.
struct CommandLineData {
    text: String,
    /// Whether a zero ends it. efibootmgr writes none, some firmware does.
    ended: bool,
}

impl<'a> LoadOption<'a> {
    /// Reads the value of a variable, without the four bytes that efivarfs puts ahead of it. `None`: it is cut short.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let attributes = le32(bytes, 0)?;
        let paths = usize::from(le16(bytes, 4)?);
        let mut units = Vec::new();
        let mut at = 6;
        loop {
            let unit = le16(bytes, at)?;
            at += 2;
            if unit == 0 {
                break;
            }
            units.push(unit);
        }
        let (head, data) = bytes.split_at_checked(at + paths)?;
        let paths = part(bytes, at, paths)?;
        Some(Self { attributes, description: String::from_utf16_lossy(&units), paths, head, data })
    }

    /// The file that is started, from the root of its partition with slashes: `/EFI/Linux/vmlinuz`. `None`: it is no file.
    pub fn file(&self) -> Option<String> {
        let mut path = String::new();
        for node in nodes(self.paths).filter(|node| node.kind == FILE) {
            let (pairs, _) = node.data.as_chunks::<2>();
            let units: Vec<u16> =
                pairs.iter().map(|pair| u16::from_le_bytes(*pair)).take_while(|unit| *unit != 0).collect();
            // A path may be cut into several nodes, with a separator at the cut or without one (§10.3.5.4).
            let part = String::from_utf16(&units).ok()?.replace('\\', "/");
            path = format!("{}/{}", path.trim_end_matches('/'), part.trim_start_matches('/'));
        }
        (!path.is_empty()).then_some(path)
    }

    /// The partition that the file is on: its node, which two entries on one partition have alike. `None`: none is named.
    pub fn partition(&self) -> Option<&'a [u8]> {
        nodes(self.paths).find(|node| node.kind == PARTITION).map(|node| node.data)
    }

    /// The value with another description.
    pub fn described(&self, description: &str) -> Vec<u8> {
        let length = self.paths.len().to_le_bytes();
        let text = description.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
        let head = self.attributes.to_le_bytes().into_iter().chain(length.into_iter().take(2)).chain(text);
        head.chain(self.paths.iter().copied()).chain(self.data.iter().copied()).collect()
    }

    /// The kernel's command line; `None` where the data is none in UTF-16.
    pub fn command_line(&self) -> Option<String> {
        self.text().map(|line| line.text)
    }

    /// The value with one change made to the command line.
    pub fn edit(&self, change: &Change) -> Result<Vec<u8>, Refused> {
        let Some(CommandLineData { text, ended }) = self.text() else {
            return Err(Refused::whole(
                "the data of the boot entry is no command line in UTF-16",
                "make the entry anew with `efibootmgr --create --unicode`",
            ));
        };
        let mut piece = [Piece { line: 1, value: text }];
        change.make(&mut piece)?;
        let [Piece { value, .. }] = piece;
        Ok(self.head.iter().copied().chain(encoded(&value, ended)).collect())
    }

    /// Whether the entry starts a Linux kernel with a command line of its own: a loader has other data, or none.
    pub fn is_kernel(&self) -> bool {
        let line = self.command_line();
        let words = line.as_deref().map(CommandLine::new);
        words.is_some_and(|words| words.words().any(|word| ["root", "initrd"].contains(&word.name())))
    }

    /// The value with its command line said otherwise, and the signature of its partition zeroed.
    pub fn hidden(&self, said: impl FnOnce(&str) -> String) -> Vec<u8> {
        let mut bytes = self.head.to_vec();
        let paths = self.head.len() - self.paths.len();
        for node in nodes(self.paths).filter(|node| node.kind == PARTITION) {
            let at = paths + node.at + SIGNATURE.start;
            if let Some(signature) = bytes.get_mut(at..at + SIGNATURE.len()) {
                signature.fill(0);
            }
        }
        match self.text() {
            Some(CommandLineData { text, ended }) => {
                bytes.extend(encoded(&said(&text), ended));
            }
            None => bytes.extend(self.data),
        }
        bytes
    }

    fn text(&self) -> Option<CommandLineData> {
        let (pairs, odd) = self.data.as_chunks::<2>();
        if !odd.is_empty() {
            return None;
        }
        let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        let (units, ended) = match units.as_slice() {
            [text @ .., 0] => (text, true),
            all => (all, false),
        };
        let text = String::from_utf16(units).ok()?;
        // Data of another kind can be valid UTF-16 by chance: a command line has no control characters.
        (!text.chars().any(char::is_control)).then_some(CommandLineData { text, ended })
    }
}

/// A command line as data, with a zero at its end or without one.
fn encoded(text: &str, ended: bool) -> impl Iterator<Item = u8> {
    text.encode_utf16().chain(ended.then_some(0)).flat_map(u16::to_le_bytes)
}

/// Type and subtype of a node that is a file's path (UEFI Specification 2.10, §10.3.5.4).
const FILE: (u8, u8) = (4, 4);
/// Of a node that is a partition (§10.3.5.1).
const PARTITION: (u8, u8) = (4, 1);
/// Where the node of a partition has its signature, behind number, start and size.
const SIGNATURE: std::ops::Range<usize> = 20..36;
/// The type of a node that ends a device path (§10.3.1).
const END: u8 = 0x7f;

/// A node of a device path.
struct Node<'a> {
    /// Type and subtype.
    kind: (u8, u8),
    /// Where its data is in the path, behind the four bytes that every node begins with.
    at: usize,
    data: &'a [u8],
}

/// The nodes of the first device path.
fn nodes(paths: &[u8]) -> impl Iterator<Item = Node<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let [kind, subtype, ..] = *paths.get(start..)? else { return None };
        let length = usize::from(le16(paths, start + 2)?);
        let at = start + 4;
        let data = part(paths, at, length.checked_sub(4)?)?;
        start += length;
        (kind != END).then_some(Node { kind: (kind, subtype), at, data })
    })
}

#[cfg(test)]
mod tests {
    use super::LoadOption;
    use crate::cmdline::change::tests::{add, remove, replace};
    use proptest::prelude::*;

    fn value(description: &str, paths: &[u8], data: &[u8]) -> Vec<u8> {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let length = u16::try_from(paths.len()).expect("short");
        [&1u32.to_le_bytes()[..], &length.to_le_bytes(), &utf16(description), &[0, 0], paths, data].concat()
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn one_word_of_the_load_options_changes_and_the_device_path_stays() {
        let line = "root=UUID=1 rw initrd=\\initramfs-linux.img";
        let before = value("Arch Linux", b"\x04\x01\x2a\0paths\x7f\xff\x04\0", &utf16(line));
        let option = LoadOption::parse(&before).expect("whole");
        assert_eq!((option.attributes, option.description.as_str()), (1, "Arch Linux"));
        assert_eq!(option.command_line().as_deref(), Some(line));
        let after = option.edit(&add("intel_iommu=on")).expect("text");
        assert_eq!(after, [before.clone(), utf16(" intel_iommu=on")].concat());
        let again = LoadOption::parse(&after).expect("whole");
        assert_eq!(again.edit(&remove("intel_iommu=on")), Ok(before.clone()));
        assert_eq!(option.edit(&replace("rw", "ro")).map(|bytes| bytes.len()), Ok(before.len()));
        let ended = value("x", b"", &utf16("quiet\0"));
        let longer = LoadOption::parse(&ended).expect("whole").edit(&add("ro"));
        assert_eq!(longer, Ok(value("x", b"", &utf16("quiet ro\0"))), "a zero at the end stays at the end");
    }

    #[test]
    fn the_file_that_is_started_and_its_partition_are_in_the_device_path() {
        let node = |kind: u8, subtype: u8, data: &[u8]| {
            let length = u16::try_from(data.len() + 4).expect("short").to_le_bytes();
            [&[kind, subtype][..], &length, data].concat()
        };
        let (partition, end) = (node(4, 1, b"partition"), node(0x7f, 0xff, b""));
        let file = |name: &str| node(4, 4, &utf16(name));
        let seen = |paths: &[Vec<u8>]| {
            let bytes = value("Arch Linux", &paths.concat(), b"data");
            let option = LoadOption::parse(&bytes).expect("whole");
            (option.file(), option.partition().map(<[u8]>::to_vec))
        };
        let one = seen(&[partition.clone(), file("\\EFI\\arch\\vmlinuz-linux\0"), end.clone()]);
        assert_eq!(one, (Some("/EFI/arch/vmlinuz-linux".to_owned()), Some(b"partition".to_vec())));
        let cut = seen(&[file("\\EFI\0"), file("vmlinuz\0"), end.clone(), file("\\of another\0")]);
        assert_eq!(cut, (Some("/EFI/vmlinuz".to_owned()), None));
        assert_eq!(seen(&[partition, end]).0, None);
        assert_eq!(seen(&[vec![4, 4, 3, 0]]), (None, None), "a node is no shorter than what it begins with");
        let bytes = value("Arch", b"\x7f\xff\x04\0", &utf16("quiet"));
        let node = node(4, 1, &[7; 38]);
        let whole = value("Arch", &node, &utf16("root=UUID=1"));
        let hidden = LoadOption::parse(&whole).expect("whole").hidden(|_| "root=UUID=0".to_owned());
        let zeroed = [&node[..24], &[0; 16], &[7; 2]].concat();
        assert_eq!(hidden, value("Arch", &zeroed, &utf16("root=UUID=0")));
        let described = LoadOption::parse(&bytes).expect("whole").described("Arch, without");
        assert_eq!(described, value("Arch, without", b"\x7f\xff\x04\0", &utf16("quiet")));
    }

    #[test]
    fn data_that_is_no_text_is_refused_and_a_value_that_is_cut_short_is_none() {
        for data in [&b"abc"[..], b"\x01\0\x02\0", b"\0\xd8", b"a\0\0\0b\0"] {
            let bytes = value("Windows", b"\x7f\xff\x04\0", data);
            let option = LoadOption::parse(&bytes).expect("whole");
            assert_eq!(option.command_line(), None);
            assert_eq!(
                option.edit(&add("x")).map_err(|refused| refused.to_string()),
                Err("the data of the boot entry is no command line in UTF-16; make the entry anew with \
                     `efibootmgr --create --unicode`"
                    .to_owned())
            );
        }
        let bytes = value("A", b"12345", b"");
        assert!((0..bytes.len()).all(|length| LoadOption::parse(&bytes[..length]).is_none()));
    }

    proptest! {
        #[test]
        fn adding_and_taking_out_gives_the_same_bytes(
            name in "[a-zA-Zé ]{0,9}", paths: Vec<u8>, words in prop::collection::vec("[a-zé]{1,4}(=[a-z,]{1,3})?", 0..5), ended: bool,
        ) {
            let line = words.join(" ") + if ended { "\0" } else { "" };
            let before = value(&name, &paths, &utf16(&line));
            let option = LoadOption::parse(&before).expect("whole");
            let after = option.edit(&add("new_word=1")).expect("text");
            prop_assert_eq!(LoadOption::parse(&after).expect("whole").edit(&remove("new_word=1")), Ok(before));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Some(option) = LoadOption::parse(&bytes) {
                let _ = (option.command_line(), option.edit(&add("x")), option.edit(&remove("a")));
                let _ = (option.file(), option.partition());
                prop_assert_eq!(LoadOption::parse(&option.described("a")).and_then(|it| it.file()), option.file());
            }
        }
    }
}
