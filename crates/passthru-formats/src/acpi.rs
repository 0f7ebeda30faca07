//! ACPI tables, as `/sys/firmware/acpi/tables` has them (ACPI Specification 6.5, §5.2.6): those by which firmware offers
//! an IOMMU.
//!
//! A table is walked by the lengths that it states. A length that cannot be is an error with its offset; a type that is not
//! known is stepped over, as the kernel does.

mod dmar;
mod ivrs;

pub use dmar::parse as dmar;
pub use ivrs::parse as ivrs;

use crate::bytes::{le32, part};

/// Bytes of the header that all tables have in common.
const HEADER: usize = 36;

/// Why bytes are no such table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcpiError {
    /// There is less than a header.
    #[error("it ends after {0} bytes, before its header does")]
    Short(usize),
    /// It is another table.
    #[error("it begins with ‘{found}’ in the place of ‘{expected}’")]
    Signature {
        /// What it should begin with.
        expected: &'static str,
        /// What it begins with.
        found: String,
    },
    /// It says that it is longer than it is.
    #[error("it says that it has {stated} bytes, and has {found}")]
    Length {
        /// The length in its header.
        stated: u32,
        /// The bytes there are.
        found: usize,
    },
    /// A part is not what it must be.
    #[error("at byte {offset:#x}: {reason}")]
    Part {
        /// Where the part begins.
        offset: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

/// The header that all tables have, and the bytes that belong to the table.
struct Header<'a> {
    table: &'a [u8],
    revision: u8,
    sums_up: bool,
    maker: String,
}

/// Reads the header; bytes behind the table are left out.
fn header<'a>(bytes: &'a [u8], signature: &'static str) -> Result<Header<'a>, AcpiError> {
    let short = || AcpiError::Short(bytes.len());
    let (start, stated) = (part(bytes, 0, 4).ok_or_else(short)?, le32(bytes, 4).ok_or_else(short)?);
    if part(bytes, 0, HEADER).is_none() {
        return Err(short());
    }
    if start != signature.as_bytes() {
        let found = printable(start);
        return Err(AcpiError::Signature { expected: signature, found });
    }
    let table = usize::try_from(stated)
        .ok()
        .filter(|length| *length >= HEADER)
        .and_then(|length| bytes.get(..length))
        .ok_or(AcpiError::Length { stated, found: bytes.len() })?;
    let ids = [part(table, 10, 6), part(table, 16, 8)];
    let maker: Vec<String> =
        ids.iter().flatten().map(|id| printable(id)).filter(|id| !id.is_empty()).collect();
    Ok(Header {
        table,
        revision: table.get(8).copied().unwrap_or_default(),
        sums_up: table.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0,
        maker: maker.join(" "),
    })
}

/// A text of fixed length: up to the first zero, without blanks at its ends, what is not printable replaced.
fn printable(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text: String = bytes
        .iter()
        .take(end)
        .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '?' })
        .collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests;
