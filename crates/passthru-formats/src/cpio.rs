//! The newc cpio archive of an initramfs (`Documentation/driver-api/early-userspace/buffer-format.rst`).
//!
//! What is written depends on the entries alone: no times, no inode numbers of a file system, one owner.

use std::fmt::Write as _;

/// The magic number of each header.
const MAGIC: &str = "070701";
/// Bytes of a header: the magic number and thirteen fields of eight hexadecimal digits.
const HEADER: usize = 6 + 13 * 8;
/// The name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// One member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path, without a leading slash.
    pub name: String,
    /// Permission bits.
    pub permissions: u16,
    /// What it is.
    pub kind: Kind,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file with its content.
    File(Vec<u8>),
    /// A symbolic link with its target.
    Link(String),
    /// A character device.
    CharacterDevice {
        /// Which driver.
        major: u32,
        /// Which of its devices.
        minor: u32,
    },
}

/// Why bytes are no archive, or entries none that can be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpioError {
    /// No header where one should begin.
    #[error("no cpio header at byte {0}")]
    Header(usize),
    /// The archive ends within an entry.
    #[error("the archive ends within the entry at byte {0}")]
    Short(usize),
    /// A kind of member that is not read here.
    #[error("‘{name}’ has a type that is not read here (mode {mode:o})")]
    Type {
        /// The member.
        name: String,
        /// Its mode.
        mode: u32,
    },
    /// A name or a link's target that is not UTF-8 or holds a zero byte.
    #[error("the entry at byte {0} has a name that is not plain text")]
    Name(usize),
    /// More than the format's 32-bit sizes hold.
    #[error("‘{0}’ is too large for a cpio archive")]
    TooLarge(String),
}

impl Entry {
    /// A directory that everybody may enter.
    pub fn directory(name: &str) -> Self {
        Self { name: name.to_owned(), permissions: 0o755, kind: Kind::Directory }
    }

    /// A program.
    pub fn program(name: &str, content: Vec<u8>) -> Self {
        Self { name: name.to_owned(), permissions: 0o755, kind: Kind::File(content) }
    }

    /// A character device for its owner alone.
    pub fn character_device(name: &str, major: u32, minor: u32) -> Self {
        Self { name: name.to_owned(), permissions: 0o600, kind: Kind::CharacterDevice { major, minor } }
    }
}

/// Writes an archive.
pub fn write(entries: &[Entry]) -> Result<Vec<u8>, CpioError> {
    let mut out = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        if entry.name.contains('\0') || entry.name == TRAILER || entry.name.is_empty() {
            return Err(CpioError::Name(out.len()));
        }
        let too_large = || CpioError::TooLarge(entry.name.clone());
        let inode = u32::try_from(number + 1).map_err(|_| too_large())?;
        let (format, content, device): (u32, &[u8], (u32, u32)) = match &entry.kind {
            Kind::Directory => (0o040_000, &[], (0, 0)),
            Kind::File(content) => (0o100_000, content, (0, 0)),
            Kind::Link(target) => (0o120_000, target.as_bytes(), (0, 0)),
            Kind::CharacterDevice { major, minor } => (0o020_000, &[], (*major, *minor)),
        };
        let mode = format | u32::from(entry.permissions & 0o7777);
        member(&mut out, inode, mode, &entry.name, content, device).ok_or_else(too_large)?;
    }
    member(&mut out, 0, 0, TRAILER, &[], (0, 0)).ok_or(CpioError::Short(0))?;
    Ok(out)
}

/// One member; `None`: too large.
fn member(
    out: &mut Vec<u8>,
    inode: u32,
    mode: u32,
    name: &str,
    content: &[u8],
    device: (u32, u32),
) -> Option<()> {
    let name_size = u32::try_from(name.len() + 1).ok()?;
    let size = u32::try_from(content.len()).ok()?;
    let links = if mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
    let fields = [inode, mode, 0, 0, links, 0, size, 0, 0, device.0, device.1, name_size, 0];
    let mut header = MAGIC.to_owned();
    for field in fields {
        let _ = write!(header, "{field:08x}");
    }
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(content);
    pad(out);
    Some(())
}

/// Members and their contents begin at multiples of four.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Reads an archive, up to its trailer.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, CpioError> {
    let mut entries = Vec::new();
    let mut at = 0;
    loop {
        let header = bytes.get(at..at + HEADER).ok_or(CpioError::Short(at))?;
        let field = |number: usize| field(header, number).ok_or(CpioError::Header(at));
        if !header.starts_with(MAGIC.as_bytes()) {
            return Err(CpioError::Header(at));
        }
        let size = |number: usize| Ok(usize::try_from(field(number)?).unwrap_or(usize::MAX));
        let (mode, content_size, name_size) = (field(1)?, size(6)?, size(11)?);
        let name_start = at + HEADER;
        let name_end = name_start.checked_add(name_size).ok_or(CpioError::Short(at))?;
        let raw = bytes.get(name_start..name_end).ok_or(CpioError::Short(at))?;
        let name = raw.strip_suffix(&[0]).filter(|name| !name.is_empty() && !name.contains(&0));
        let name = name.and_then(|name| str::from_utf8(name).ok()).ok_or(CpioError::Name(at))?;
        if name == TRAILER {
            return Ok(entries);
        }
        let start = name_end.next_multiple_of(4);
        let end = start.checked_add(content_size).ok_or(CpioError::Short(at))?;
        let content = bytes.get(start..end).ok_or(CpioError::Short(at))?;
        let kind = match mode & 0o170_000 {
            0o040_000 => Kind::Directory,
            0o100_000 => Kind::File(content.to_vec()),
            0o120_000 => Kind::Link(str::from_utf8(content).map_err(|_| CpioError::Name(at))?.to_owned()),
            0o020_000 => Kind::CharacterDevice { major: field(9)?, minor: field(10)? },
            _ => return Err(CpioError::Type { name: name.to_owned(), mode }),
        };
        let permissions = u16::try_from(mode & 0o7777).unwrap_or(0);
        entries.push(Entry { name: name.to_owned(), permissions, kind });
        at = end.next_multiple_of(4);
    }
}

/// One field of a header.
fn field(header: &[u8], number: usize) -> Option<u32> {
    let digits = header.get(6 + number * 8..6 + (number + 1) * 8)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{CpioError, Entry, Kind, read, write};
    use proptest::prelude::*;

    fn kinds() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Directory),
            proptest::collection::vec(any::<u8>(), 0..64).prop_map(Kind::File),
            "[a-z/]{1,20}".prop_map(Kind::Link),
            (0u32..4096, 0u32..4096).prop_map(|(major, minor)| Kind::CharacterDevice { major, minor }),
        ]
    }

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let entry = ("[a-z]{1,12}(/[a-z]{1,12}){0,2}", 0u16..0o10000, kinds());
        proptest::collection::vec(
            entry.prop_map(|(name, permissions, kind)| Entry { name, permissions, kind }),
            0..8,
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_written_the_same(entries in entries()) {
            let bytes = write(&entries).expect("written");
            prop_assert_eq!(bytes.len() % 4, 0);
            prop_assert_eq!(&write(&entries).expect("written"), &bytes);
            prop_assert_eq!(read(&bytes), Ok(entries));
        }

        #[test]
        fn cut_or_spoilt_bytes_are_an_answer_and_never_a_panic(
            entries in entries(), at in any::<proptest::sample::Index>(), byte: u8, cut: bool
        ) {
            let mut bytes = write(&entries).expect("written");
            let at = at.index(bytes.len());
            if cut {
                // The trailer's name is the end of what is read; the zeros that pad it out to four bytes may be missing.
                let padding = bytes.iter().rev().skip(1).take_while(|byte| **byte == 0).count();
                let whole = at >= bytes.len() - padding;
                bytes.truncate(at);
                prop_assert_eq!(read(&bytes).is_ok(), whole);
            } else {
                bytes[at] = byte;
                let _ = read(&bytes);
            }
        }
    }

    #[test]
    fn names_that_would_end_the_archive_are_refused() {
        for name in ["", "TRAILER!!!", "a\0b"] {
            assert!(matches!(write(&[Entry::directory(name)]), Err(CpioError::Name(0))), "{name:?}");
        }
    }

    #[test]
    fn the_cpio_program_reads_it_where_there_is_one() {
        use std::io::Write as _;
        #[expect(
            clippy::disallowed_types,
            reason = "the real program is the judge of what is written; nothing else here starts one"
        )]
        let mut command = std::process::Command::new("cpio");
        let command = command
            .args(["-tv", "--quiet"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            // Most test machines have cpio; those without have the round trip above.
            return;
        };
        let entries = [
            Entry::directory("dev"),
            Entry::program("init", b"#!x".to_vec()),
            Entry::character_device("dev/console", 5, 1),
        ];
        let archive = write(&entries).expect("written");
        child.stdin.take().expect("a pipe").write_all(&archive).expect("taken");
        let output = child.wait_with_output().expect("ended");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        let modes: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(modes, ["drwxr-xr-x", "-rwxr-xr-x", "crw-------"], "{text}");
    }
}
