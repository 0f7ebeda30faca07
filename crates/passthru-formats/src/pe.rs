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

/// Reads the header. A kilobyte is enough of most programs.
pub fn parse(bytes: &[u8]) -> Result<Program, ProgramError> {
    if part(bytes, 0, 2) != Some(b"MZ") {
        return Err(ProgramError::NoMz);
    }
    let pointer = le32(bytes, 0x3c).ok_or(ProgramError::CutShort)?;
    let at = usize::try_from(pointer).map_err(|_| ProgramError::NoPe(pointer))?;
    let header = bytes.get(at..).ok_or(ProgramError::CutShort)?;
    match part(header, 0, 4) {
        Some(b"PE\0\0") => {}
        Some(_) => return Err(ProgramError::NoPe(pointer)),
        None => return Err(ProgramError::CutShort),
    }
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
    use super::{Program, ProgramError, X86_64, parse};
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

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, cut in 0usize..1024, at in 0usize..1024, value: u8) {
            let _ = parse(&bytes);
            let mut whole = program(X86_64, 11, true);
            whole[at] = value;
            let _ = parse(&whole[..cut]);
        }
    }
}
