//! The header of a UEFI program: a Portable Executable (PE Format of Microsoft, "COFF File Header" and "Optional Header";
//! UEFI Specification 2.10, §2.1.1).

use crate::bytes::{le16, le32, part};

/// The machine number of x86-64 (`IMAGE_FILE_MACHINE_AMD64`).
pub const X86_64: u16 = 0x8664;

/// What the header of a program says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// The machine it runs on; see [`machine_name`].
    pub machine: u16,
    /// 10: application, 11: boot service driver, 12: runtime driver.
    pub subsystem: u16,
    /// Whether it carries a certificate table. Whose signature that is, and whether it is right, is not looked at.
    pub signed: bool,
}

/// Why bytes are no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// No `MZ` at the begin.
    #[error("it does not begin with MZ")]
    NoMz,
    /// No `PE` where the begin points to.
    #[error("there is no PE header at {0:#x}")]
    NoPe(u32),
    /// The bytes end before the header does.
    #[error("it ends within its header")]
    CutShort,
    /// Neither PE32 (0x10b) nor PE32+ (0x20b).
    #[error("its optional header is of the unknown kind {0:#x}")]
    OptionalHeader(u16),
}

/// A part of a program with a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its name, such as `.cmdline`.
    pub name: &'a str,
    /// Its content, without what it is filled up with in the file.
    pub content: &'a [u8],
}

/// The sections, in their order. One whose content is not in the bytes is an error: what is cut must not pass for empty.
pub fn sections(bytes: &[u8]) -> Result<Vec<Section<'_>>, ProgramError> {
    const HEADER: usize = 40;
    let header = pe_header(bytes)?;
    let number = |at| le16(header, at).map(usize::from).ok_or(ProgramError::CutShort);
    let (count, first) = (number(6)?, 24 + number(20)?);
    let one = |index: usize| {
        let entry = part(header, first + index * HEADER, HEADER)?;
        let place = |at| usize::try_from(le32(entry, at)?).ok();
        // The size in memory is that of the content; the size in the file is filled up to a multiple.
        let size = place(8)?.min(place(16)?);
        let name = part(entry, 0, 8)?.split(|byte| *byte == 0).next()?;
        let content = if size == 0 { &[] } else { part(bytes, place(20)?, size)? };
        Some(Section { name: std::str::from_utf8(name).unwrap_or_default(), content })
    };
    (0..count).map(|index| one(index).ok_or(ProgramError::CutShort)).collect()
}

/// The content of the first section of this name; `None`: there is none.
pub fn section<'a>(bytes: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, ProgramError> {
    Ok(sections(bytes)?.iter().find(|section| section.name == name).map(|section| section.content))
}

/// The bytes from `PE` on.
fn pe_header(bytes: &[u8]) -> Result<&[u8], ProgramError> {
    if part(bytes, 0, 2) != Some(b"MZ") {
        return Err(ProgramError::NoMz);
    }
    let pointer = le32(bytes, 0x3c).ok_or(ProgramError::CutShort)?;
    let at = usize::try_from(pointer).map_err(|_| ProgramError::NoPe(pointer))?;
    let header = bytes.get(at..).ok_or(ProgramError::CutShort)?;
    match part(header, 0, 4) {
        Some(b"PE\0\0") => Ok(header),
        Some(_) => Err(ProgramError::NoPe(pointer)),
        None => Err(ProgramError::CutShort),
    }
}

/// Reads the header. A kilobyte is enough of most programs.
pub fn parse(bytes: &[u8]) -> Result<Program, ProgramError> {
    let header = pe_header(bytes)?;
    let read = || {
        let optional = header.get(24..)?;
        // Where the count of data directories stands; the directories follow it, eight bytes each.
        let count_at = match le16(optional, 0)? {
            0x10b => 92,
            0x20b => 108,
            other => return Some(Err(ProgramError::OptionalHeader(other))),
        };
        // The fifth directory is the certificate table: its place and its size.
        let signed = le32(optional, count_at)? > 4 && le32(optional, count_at + 4 + 4 * 8 + 4)? != 0;
        Some(Ok(Program { machine: le16(header, 4)?, subsystem: le16(optional, 68)?, signed }))
    };
    read().unwrap_or(Err(ProgramError::CutShort))
}

/// The machine's name, for people.
pub fn machine_name(machine: u16) -> &'static str {
    match machine {
        0x014c => "32-bit x86",
        X86_64 => "x86-64",
        0x01c2 => "32-bit ARM",
        0xaa64 => "64-bit ARM",
        0x0200 => "Itanium",
        0x0ebc => "EFI byte code",
        0x5064 => "64-bit RISC-V",
        0x6264 => "64-bit LoongArch",
        _ => "an unknown machine",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Program, ProgramError, X86_64, parse, section, sections};
    use proptest::prelude::*;

    /// The smallest header of a program, 1 KiB with padding.
    pub(crate) fn program(machine: u16, subsystem: u16, signed: bool) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
        put(0, b"MZ");
        put(0x3c, &[0x80]);
        put(0x80, b"PE\0\0");
        put(0x84, &machine.to_le_bytes());
        put(0x98, &[0x0b, 0x02]);
        put(0x98 + 68, &subsystem.to_le_bytes());
        put(0x98 + 108, &[16]);
        put(0x98 + 108 + 4 + 32, &[0, 4, 0, 0, u8::from(signed)]);
        bytes
    }

    #[test]
    fn machine_subsystem_and_certificate_table_are_read() {
        for signed in [true, false] {
            let read = parse(&program(X86_64, 11, signed));
            assert_eq!(read, Ok(Program { machine: X86_64, subsystem: 11, signed }));
        }
    }

    #[test]
    fn what_is_no_program_is_told_apart() {
        let whole = program(X86_64, 11, false);
        assert_eq!(parse(b"ZM"), Err(ProgramError::NoMz));
        assert_eq!(parse(&whole[..0x82]), Err(ProgramError::CutShort));
        let mut other = whole.clone();
        other[0x98] = 7;
        assert_eq!(parse(&other), Err(ProgramError::OptionalHeader(0x207)));
        other[0x80] = b'N';
        assert_eq!(parse(&other), Err(ProgramError::NoPe(0x80)));
    }

    /// A program with these sections, each filled up to a block of 512 bytes.
    fn with_sections(sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = program(X86_64, 10, false);
        let number = |size: usize| u32::try_from(size).expect("small").to_le_bytes();
        let optional = 240;
        bytes[0x80 + 20..0x80 + 22].copy_from_slice(&number(optional)[..2]);
        bytes[0x80 + 6..0x80 + 8].copy_from_slice(&number(sections.len())[..2]);
        for (index, (name, content)) in sections.iter().enumerate() {
            let at = 0x80 + 24 + optional + index * 40;
            let (size, place) = (content.len(), bytes.len());
            bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
            bytes[at + 8..at + 12].copy_from_slice(&number(size));
            bytes[at + 16..at + 20].copy_from_slice(&number(size.next_multiple_of(512)));
            bytes[at + 20..at + 24].copy_from_slice(&number(place));
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes
    }

    #[test]
    fn sections_are_found_by_their_names_without_their_padding() {
        let image = with_sections(&[(".cmdline", b"root=UUID=1 quiet"), (".initrd", &[7; 600])]);
        assert_eq!(section(&image, ".cmdline"), Ok(Some(b"root=UUID=1 quiet".as_slice())));
        assert_eq!(section(&image, ".initrd"), Ok(Some([7; 600].as_slice())));
        assert_eq!(section(&image, ".linux"), Ok(None));
        assert_eq!(section(&image[..image.len() - 512], ".initrd"), Err(ProgramError::CutShort));
        assert_eq!(section(b"no program", ".cmdline"), Err(ProgramError::NoMz));
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_section_table_make_it_panic(at in 0usize..1024, value: u8, cut in 0usize..2048) {
            let mut image = with_sections(&[(".cmdline", b"quiet"), (".initrd", &[7; 600])]);
            image[at] = value;
            let _ = section(&image[..cut.min(image.len())], ".initrd");
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, cut in 0usize..1024, at in 0usize..1024, value: u8) {
            let _ = (parse(&bytes), sections(&bytes));
            let mut whole = program(X86_64, 11, true);
            whole[at] = value;
            let _ = (parse(&whole[..cut]), sections(&whole[..cut]));
        }
    }
}
