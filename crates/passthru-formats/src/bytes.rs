//! Numbers in little-endian bytes. Nothing is read beyond the end: what is not there is `None`.

/// The bytes `at..at + count`.
pub(crate) fn part(bytes: &[u8], at: usize, count: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(count)?)
}

/// Two bytes as a number.
pub(crate) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    part(bytes, at, 2)?.try_into().ok().map(u16::from_le_bytes)
}

/// Four bytes as a number.
pub(crate) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    part(bytes, at, 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// Eight bytes as a number.
pub(crate) fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    part(bytes, at, 8)?.try_into().ok().map(u64::from_le_bytes)
}

/// Whether all bytes are the same, and which one; `None` of nothing.
pub(crate) fn uniform(bytes: &[u8]) -> Option<u8> {
    let first = *bytes.first()?;
    bytes.iter().all(|byte| *byte == first).then_some(first)
}
