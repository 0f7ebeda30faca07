//! The compression of UEFI option ROMs: LZ77 with Huffman codes (UEFI Specification 2.10, chapter 19, "Compression
//! Algorithm Specification"). Only as much is unpacked as is asked for.

use crate::bytes::le32;

/// Bytes before the packed ones: the size packed and the size unpacked, four bytes each.
const HEADER: usize = 8;
/// Symbols of the set of bytes and lengths: 256 bytes, and matches of 3 to 256 bytes.
const CHARACTERS: usize = 510;
/// The symbol of a match of 3 bytes less 3.
const MATCH_BASE: usize = 253;
/// Symbols of the extra set, which codes the code lengths of the first.
const EXTRA: usize = 19;
/// Symbols of the set of positions that fit its 4-bit count.
const POSITIONS: usize = 15;
/// The longest code, in bits.
const LONGEST: usize = 16;

/// Why bytes cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// They end too soon, or say so of themselves.
    #[error("the packed bytes end too soon")]
    CutShort,
    /// A table of codes holds more codes than there can be, or a code is in none.
    #[error("a table of codes in the packed bytes makes no sense")]
    Codes,
    /// A match lies before the first byte.
    #[error("the packed bytes refer to what is before their begin")]
    Position,
}

/// Unpacks the first `most` bytes, or all where there are fewer.
pub fn unpack_begin(bytes: &[u8], most: usize) -> Result<Vec<u8>, UnpackError> {
    let size = |at| le32(bytes, at).and_then(|size| usize::try_from(size).ok()).ok_or(UnpackError::CutShort);
    let (packed, unpacked) = (size(0)?, size(4)?);
    let body = bytes.get(HEADER..).and_then(|rest| rest.get(..packed)).ok_or(UnpackError::CutShort)?;
    let wanted = unpacked.min(most);
    let mut bits = Bits { bytes: body, at: 0 };
    let mut out = Vec::with_capacity(wanted.min(64 << 10));
    while out.len() < wanted {
        block(&mut bits, &mut out, wanted)?;
    }
    out.truncate(wanted);
    Ok(out)
}

/// One block: its three tables, then its symbols.
fn block(bits: &mut Bits<'_>, out: &mut Vec<u8>, wanted: usize) -> Result<(), UnpackError> {
    let symbols = bits.take(16)?;
    if symbols == 0 {
        // The count wraps in the reference decoder; no encoder writes it, and it would let nothing happen for ever.
        return Err(UnpackError::Codes);
    }
    let extra = small_table(bits, EXTRA, 5, Some(3))?;
    let characters = character_table(bits, &extra)?;
    let positions = small_table(bits, POSITIONS, 4, None)?;
    for _ in 0..symbols {
        if out.len() >= wanted {
            break;
        }
        let symbol = characters.decode(bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            out.push(byte);
            continue;
        }
        let slot = positions.decode(bits)?;
        let back = if slot > 1 { (1 << (slot - 1)) + bits.take(slot - 1)? } else { slot };
        let first = out.len().checked_sub(back + 1).ok_or(UnpackError::Position)?;
        for from in (first..).take(symbol - MATCH_BASE) {
            // A match may reach into what it makes itself.
            let byte = *out.get(from).ok_or(UnpackError::Position)?;
            out.push(byte);
        }
    }
    Ok(())
}

/// A table whose lengths are written plainly. `pause`: after so many lengths, two bits say how many zeros follow.
fn small_table(
    bits: &mut Bits<'_>,
    most: usize,
    count_bits: usize,
    pause: Option<usize>,
) -> Result<Codes, UnpackError> {
    let count = bits.take(count_bits)?;
    if count == 0 {
        return Ok(Codes::Single(bits.take(count_bits)?));
    }
    if count > most {
        return Err(UnpackError::Codes);
    }
    let mut lengths = Vec::with_capacity(most);
    while lengths.len() < count {
        let mut length = bits.take(3)?;
        if length == 7 {
            // From 7 on, each further bit that is set counts one more.
            while bits.take(1)? == 1 {
                length += 1;
                if length > LONGEST {
                    return Err(UnpackError::Codes);
                }
            }
        }
        lengths.push(length);
        if Some(lengths.len()) == pause {
            let zeros = bits.take(2)?;
            lengths.extend(std::iter::repeat_n(0, zeros));
        }
    }
    lengths.truncate(most);
    Codes::of(&lengths)
}

/// The table of bytes and match lengths, whose code lengths are written in the codes of the extra set.
fn character_table(bits: &mut Bits<'_>, extra: &Codes) -> Result<Codes, UnpackError> {
    let count = bits.take(9)?;
    if count == 0 {
        return Ok(Codes::Single(bits.take(9)?));
    }
    if count > CHARACTERS {
        return Err(UnpackError::Codes);
    }
    let mut lengths = Vec::with_capacity(CHARACTERS);
    while lengths.len() < count {
        let zeros = match extra.decode(bits)? {
            0 => 1,
            1 => bits.take(4)? + 3,
            2 => bits.take(9)? + 20,
            symbol => {
                lengths.push(symbol - 2);
                continue;
            }
        };
        lengths.extend(std::iter::repeat_n(0, zeros));
    }
    lengths.truncate(CHARACTERS);
    Codes::of(&lengths)
}

/// Canonical Huffman codes.
enum Codes {
    /// One symbol, which takes no bit.
    Single(usize),
    /// Symbols in order of their codes, and how many codes there are of each length.
    Many { symbols: Vec<usize>, counts: [usize; LONGEST + 1] },
}

impl Codes {
    fn of(lengths: &[usize]) -> Result<Self, UnpackError> {
        let mut counts = [0; LONGEST + 1];
        for length in lengths.iter().filter(|length| **length > 0) {
            *counts.get_mut(*length).ok_or(UnpackError::Codes)? += 1;
        }
        let mut free = 1usize;
        for count in counts.iter().skip(1) {
            free = (free * 2).checked_sub(*count).ok_or(UnpackError::Codes)?;
        }
        let mut symbols: Vec<usize> =
            lengths.iter().enumerate().filter(|(_, length)| **length > 0).map(|(symbol, _)| symbol).collect();
        // The sort keeps the order of symbols of one length, as the codes do.
        symbols.sort_by_key(|symbol| lengths.get(*symbol).copied());
        Ok(Self::Many { symbols, counts })
    }

    fn decode(&self, bits: &mut Bits<'_>) -> Result<usize, UnpackError> {
        let (symbols, counts) = match self {
            Self::Single(symbol) => return Ok(*symbol),
            Self::Many { symbols, counts } => (symbols, counts),
        };
        let (mut code, mut first, mut before) = (0, 0, 0);
        for count in counts.iter().skip(1) {
            code = code * 2 + bits.take(1)?;
            first *= 2;
            if code < first + count {
                return symbols.get(before + code - first).copied().ok_or(UnpackError::Codes);
            }
            before += count;
            first += count;
        }
        Err(UnpackError::Codes)
    }
}

/// Bits, the highest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Result<usize, UnpackError> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or(UnpackError::CutShort)?;
            value = value * 2 + usize::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }
}

#[cfg(test)]
#[path = "efi_compression/tests.rs"]
mod tests;
