//! The DMAR table (Intel Virtualization Technology for Directed I/O, Architecture Specification 5.0, chapter 8).

use passthru_model::acpi::{
    DeviceScope, Dmar, DmarAffinity, DmarAts, DmarIntegrated, DmarNamed, DmarReserved, DmarUnit, ScopeKind,
    Table,
};

use super::{AcpiError, header, printable};
use crate::bytes::{le16, le32, le64};

/// Where the structures begin (§8.1).
const BODY: usize = 48;
/// Flags of the table (§8.1).
const INTR_REMAP: u8 = 1 << 0;
const X2APIC_OPT_OUT: u8 = 1 << 1;
const PLATFORM_OPT_IN: u8 = 1 << 2;
/// The first flag of a structure: all devices, all ports, or the cache is required.
const FIRST: u8 = 1 << 0;

/// Reads the table.
pub fn parse(bytes: &[u8]) -> Result<Table<Dmar>, AcpiError> {
    let header = header(bytes, "DMAR")?;
    let table = header.table;
    let short = || AcpiError::Short(table.len());
    let (width, flags) =
        (table.get(36).copied().ok_or_else(short)?, table.get(37).copied().ok_or_else(short)?);
    let mut dmar = Dmar {
        // The field holds one less than the width.
        address_bits: width.saturating_add(1),
        interrupt_remapping: flags & INTR_REMAP != 0,
        x2apic_opt_out: flags & X2APIC_OPT_OUT != 0,
        platform_opt_in: flags & PLATFORM_OPT_IN != 0,
        ..Dmar::default()
    };
    let mut others = Vec::new();
    let mut offset = BODY;
    while offset < table.len() {
        let wrong = |reason| AcpiError::Part { offset, reason };
        let (kind, length) = (le16(table, offset), le16(table, offset + 2));
        let (Some(kind), Some(length)) = (kind, length) else {
            return Err(wrong("the table ends within a structure's header"));
        };
        let length = usize::from(length);
        // A structure without length would be walked for ever.
        if length < 4 {
            return Err(wrong("a structure states a length below that of its header"));
        }
        let structure = table
            .get(offset..offset + length)
            .ok_or_else(|| wrong("a structure goes beyond the end of the table"))?;
        match read(kind, structure, &mut dmar) {
            Some(Ok(())) => {}
            Some(Err(reason)) => return Err(wrong(reason)),
            None => others.push((offset, kind)),
        }
        offset += length;
    }
    Ok(Table { maker: header.maker, revision: header.revision, sums_up: header.sums_up, body: dmar, others })
}

/// Reads one structure (§8.3 to §8.8); `None`: of a type that is not known.
fn read(kind: u16, structure: &[u8], dmar: &mut Dmar) -> Option<Result<(), &'static str>> {
    match kind {
        0 => Some(unit(structure).map(|unit| dmar.units.push(unit))),
        1 => Some(reserved(structure).map(|reserved| dmar.reserved.push(reserved))),
        2 => Some(ats(structure).map(|ats| dmar.ats.push(ats))),
        3 => Some(affinity(structure).map(|affinity| dmar.affinity.push(affinity))),
        4 => Some(named(structure).map(|named| dmar.named.push(named))),
        5 => Some(integrated(structure).map(|integrated| dmar.integrated.push(integrated))),
        _ => None,
    }
}

const CUT: &str = "a structure ends before its fields do";

fn unit(structure: &[u8]) -> Result<DmarUnit, &'static str> {
    Ok(DmarUnit {
        domain: le16(structure, 6).ok_or(CUT)?,
        is_catch_all: structure.get(4).ok_or(CUT)? & FIRST != 0,
        registers: le64(structure, 8).ok_or(CUT)?,
        scope: scopes(structure, 16)?,
    })
}

fn reserved(structure: &[u8]) -> Result<DmarReserved, &'static str> {
    Ok(DmarReserved {
        domain: le16(structure, 6).ok_or(CUT)?,
        start: le64(structure, 8).ok_or(CUT)?,
        end: le64(structure, 16).ok_or(CUT)?,
        scope: scopes(structure, 24)?,
    })
}

fn ats(structure: &[u8]) -> Result<DmarAts, &'static str> {
    Ok(DmarAts {
        domain: le16(structure, 6).ok_or(CUT)?,
        is_all: structure.get(4).ok_or(CUT)? & FIRST != 0,
        scope: scopes(structure, 8)?,
    })
}

fn affinity(structure: &[u8]) -> Result<DmarAffinity, &'static str> {
    Ok(DmarAffinity { registers: le64(structure, 8).ok_or(CUT)?, proximity: le32(structure, 16).ok_or(CUT)? })
}

fn named(structure: &[u8]) -> Result<DmarNamed, &'static str> {
    Ok(DmarNamed { number: *structure.get(7).ok_or(CUT)?, name: printable(structure.get(8..).ok_or(CUT)?) })
}

fn integrated(structure: &[u8]) -> Result<DmarIntegrated, &'static str> {
    Ok(DmarIntegrated {
        domain: le16(structure, 6).ok_or(CUT)?,
        is_required: structure.get(4).ok_or(CUT)? & FIRST != 0,
        scope: scopes(structure, 8)?,
    })
}

/// The device scopes that end a structure (§8.3.1).
fn scopes(structure: &[u8], mut at: usize) -> Result<Vec<DeviceScope>, &'static str> {
    let mut found = Vec::new();
    while at < structure.len() {
        let length = usize::from(*structure.get(at + 1).ok_or("the structure ends within a device scope")?);
        if length < 6 {
            return Err("a device scope states a length below that of its header");
        }
        let scope = structure.get(at..at + length).ok_or("a device scope goes beyond its structure")?;
        let [kind, _, _, _, number, bus, path @ ..] = scope else {
            return Err("a device scope ends before its fields do");
        };
        let kind = match kind {
            1 => ScopeKind::Endpoint,
            2 => ScopeKind::Bridge,
            3 => ScopeKind::IoApic,
            4 => ScopeKind::Hpet,
            5 => ScopeKind::Named,
            other => ScopeKind::Other(*other),
        };
        let path = path.chunks_exact(2).filter_map(|step| Some((*step.first()?, *step.get(1)?))).collect();
        found.push(DeviceScope { kind, number: *number, bus: *bus, path });
        at += length;
    }
    Ok(found)
}
