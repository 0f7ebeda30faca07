//! The IVRS table (AMD I/O Virtualization Technology Specification, 48882, revision 3.10, chapter 5), read as the kernel
//! reads it (`drivers/iommu/amd/init.c`).

use passthru_model::acpi::{Ivrs, IvrsEntry, IvrsMemory, IvrsUnit, Table};

use super::{AcpiError, header, printable};
use crate::bytes::{le16, le32, le64, part};

/// Where the blocks begin (§5.2.1).
const BODY: usize = 48;
/// Flags of a memory block (§5.2.2.2).
const UNITY: u8 = 1 << 0;
const EXCLUSION: u8 = 1 << 3;

/// Reads the table.
pub fn parse(bytes: &[u8]) -> Result<Table<Ivrs>, AcpiError> {
    let header = header(bytes, "IVRS")?;
    let table = header.table;
    let mut ivrs = Ivrs { info: le32(table, 36).ok_or(AcpiError::Short(table.len()))?, ..Ivrs::default() };
    let mut others = Vec::new();
    let mut offset = BODY;
    while offset < table.len() {
        let wrong = |reason| AcpiError::Part { offset, reason };
        let (Some(kind), Some(length)) = (table.get(offset).copied(), le16(table, offset + 2)) else {
            return Err(wrong("the table ends within a block's header"));
        };
        let length = usize::from(length);
        if length < 4 {
            return Err(wrong("a block states a length below that of its header"));
        }
        let block = table
            .get(offset..offset + length)
            .ok_or_else(|| wrong("a block goes beyond the end of the table"))?;
        match kind {
            0x10 => ivrs.blocks.push(unit(block, 24).map_err(wrong)?),
            0x11 | 0x40 => ivrs.blocks.push(unit(block, 40).map_err(wrong)?),
            0x20..=0x22 => ivrs.memory.push(memory(block).ok_or_else(|| wrong(CUT))?),
            other => others.push((offset, u16::from(other))),
        }
        offset += length;
    }
    Ok(Table { maker: header.maker, revision: header.revision, sums_up: header.sums_up, body: ivrs, others })
}

const CUT: &str = "a block ends before its fields do";

/// A unit (§5.2.2.1) whose entries begin at a place.
fn unit(block: &[u8], entries_at: usize) -> Result<IvrsUnit, &'static str> {
    if block.len() < entries_at {
        return Err(CUT);
    }
    let features = if entries_at > 24 { le64(block, 24) } else { None };
    let mut unit = IvrsUnit {
        form: *block.first().ok_or(CUT)?,
        flags: *block.get(1).ok_or(CUT)?,
        device: le16(block, 4).ok_or(CUT)?,
        registers: le64(block, 8).ok_or(CUT)?,
        domain: le16(block, 16).ok_or(CUT)?,
        features,
        entries: Vec::new(),
    };
    let mut at = entries_at;
    // The start of a range, until the entry that ends it.
    let mut open: Option<(u16, Option<u16>, u8)> = None;
    while at < block.len() {
        let kind = *block.get(at).ok_or(CUT)?;
        let length = entry_length(block, at).ok_or("an entry has no length that is known")?;
        let entry = part(block, at, length).ok_or("an entry goes beyond its block")?;
        let device = le16(entry, 1);
        let flags = entry.get(3).copied().unwrap_or_default();
        let devices = |first, last, alias| IvrsEntry::Devices { first, last, alias, flags };
        match (kind, device) {
            // Padding.
            (0, _) => {}
            (0x01, _) => unit.entries.push(devices(0, u16::MAX, None)),
            (0x02 | 0x46, Some(device)) => unit.entries.push(devices(device, device, None)),
            (0x42, Some(device)) => unit.entries.push(devices(device, device, le16(entry, 5))),
            (0x03 | 0x47, Some(device)) => open = Some((device, None, flags)),
            (0x43, Some(device)) => open = Some((device, le16(entry, 5), flags)),
            (0x04, Some(last)) => {
                let (first, alias, flags) = open.take().ok_or("a range ends that did not begin")?;
                unit.entries.push(IvrsEntry::Devices { first, last, alias, flags });
            }
            (0x48, _) => unit.entries.push(IvrsEntry::Special {
                variety: *entry.get(7).ok_or(CUT)?,
                number: *entry.get(4).ok_or(CUT)?,
                device: le16(entry, 5).ok_or(CUT)?,
            }),
            (0xf0, Some(device)) => {
                unit.entries.push(IvrsEntry::Named { device, id: printable(part(entry, 4, 8).ok_or(CUT)?) });
            }
            (other, _) => unit.entries.push(IvrsEntry::Other(other)),
        }
        at += length;
    }
    Ok(unit)
}

/// The length of an entry: by the upper two bits of its type, or stated by the last field of a named device (§5.2.2.1).
fn entry_length(block: &[u8], at: usize) -> Option<usize> {
    let kind = *block.get(at)?;
    match kind {
        0x00..0x80 => Some(4 << (kind >> 6)),
        0xf0 => Some(22 + usize::from(*block.get(at + 21)?)),
        _ => None,
    }
}

/// Memory (§5.2.2.2): of all devices (20h), of one (21h), or of a range (22h).
fn memory(block: &[u8]) -> Option<IvrsMemory> {
    let (kind, flags) = (*block.first()?, *block.get(1)?);
    let (device, other) = (le16(block, 4)?, le16(block, 6)?);
    let (first, last) = match kind {
        0x20 => (0, u16::MAX),
        0x21 => (device, device),
        _ => (device, other),
    };
    Some(IvrsMemory {
        first,
        last,
        domain: le16(block, 8)?,
        start: le64(block, 16)?,
        length: le64(block, 24)?,
        is_unity: flags & UNITY != 0,
        is_exclusion: flags & EXCLUSION != 0,
    })
}
