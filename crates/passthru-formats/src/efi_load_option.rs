//! `EFI_LOAD_OPTION`, the value of a `Boot####` variable (UEFI Specification 2.10, §3.1.3): attributes, the length of the device
//! paths, a description, the device paths, and data for the program. A kernel that firmware starts takes the data for its command
//! line, in UTF-16 (`drivers/firmware/efi/libstub`).

use crate::bytes::{le16, le32, part};
use crate::cmdline::{Change, Piece};
use crate::error::Refused;

/// A boot entry of the firmware. What is not looked at stays as it is, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOption<'a> {
    /// `LOAD_OPTION_ACTIVE` and others.
    pub attributes: u32,
    /// What the firmware's menu shows.
    pub description: String,
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
        part(bytes, at, paths)?;
        let (head, data) = bytes.split_at_checked(at + paths)?;
        Some(Self { attributes, description: String::from_utf16_lossy(&units), head, data })
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
        let units = value.encode_utf16().chain(ended.then_some(0));
        Ok(self.head.iter().copied().chain(units.flat_map(u16::to_le_bytes)).collect())
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
            }
        }
    }
}
