//! The host's own firmware: DMI, how it started the system, Secure Boot, lockdown, and its tables of IOMMUs.

use std::collections::BTreeSet;

use passthru_formats::acpi::{self, AcpiError};
use passthru_formats::{efi_variable, memory, sysfs};
use passthru_model::acpi::Table;
use passthru_model::fact::Fact;
use passthru_model::firmware::{Board, FirmwareFacts, Lockdown, Start};
use passthru_model::iommu::FirmwareTable;

use super::because;
use crate::host::Host;

const FIRMWARE: &str = "/sys/firmware";
const EFI: &str = "/sys/firmware/efi";
const DMI: &str = "/sys/class/dmi/id";
const SECURE_BOOT: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const SECURITY: &str = "/sys/kernel/security";
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// What makers leave in fields that they do not fill.
const PLACEHOLDERS: &[&str] = &[
    "To Be Filled By O.E.M.",
    "To be filled by O.E.M.",
    "Default string",
    "System manufacturer",
    "System Product Name",
    "Not Specified",
    "Not Applicable",
    "Unknown",
    "N/A",
    "None",
    "x.x",
];

/// `tables` are the names of the tables that there are.
pub(super) fn facts(host: &Host, tables: &Fact<BTreeSet<FirmwareTable>>) -> FirmwareFacts {
    let start = start(host);
    FirmwareFacts {
        board: board(host),
        secure_boot: secure_boot(host, &start),
        lockdown: lockdown(host),
        dmar: table(host, tables, FirmwareTable::Dmar, acpi::dmar),
        ivrs: table(host, tables, FirmwareTable::Ivrs, acpi::ivrs),
        start,
    }
}

/// What DMI says. Serial numbers are not read.
fn board(host: &Host) -> Fact<Board> {
    let directory = host.directory(DMI);
    let mut denied = None;
    let mut field = |name: &str| match directory.read(name) {
        Ok(bytes) => {
            let text = sysfs::line(&bytes);
            let text = text.trim();
            (!text.is_empty() && !PLACEHOLDERS.contains(&text)).then(|| text.to_owned())
        }
        Err(error) => {
            denied = denied.take().or(Some(error));
            None
        }
    };
    let board = Board {
        system_vendor: field("sys_vendor"),
        product: field("product_name"),
        vendor: field("board_vendor"),
        name: field("board_name"),
        firmware_vendor: field("bios_vendor"),
        firmware_version: field("bios_version"),
        firmware_date: field("bios_date"),
    };
    match denied {
        Some(error) if board == Board::default() => because(&error),
        _ => {
            let line = board.line();
            Fact::known(board, DMI, line)
        }
    }
}

fn start(host: &Host) -> Fact<Start> {
    match host.exists(EFI) {
        Ok(true) => Fact::known(Start::Uefi, EFI, "is there"),
        // The directory has entries on every PC; without any it was masked, or is no part of a capture.
        Ok(false) => match host.list(FIRMWARE) {
            Ok(names) if names.is_empty() => {
                Fact::unknown(format!("{FIRMWARE} is empty, as it is where a container masks it"))
            }
            Ok(_) => Fact::known(Start::Bios, EFI, "is not there"),
            Err(error) => because(&error),
        },
        Err(error) => because(&error),
    }
}

fn secure_boot(host: &Host, start: &Fact<Start>) -> Fact<Option<bool>> {
    match host.read(SECURE_BOOT) {
        Ok(bytes) => match efi_variable::flag(&bytes) {
            Some(on) => Fact::known(Some(on), SECURE_BOOT, if on { "1" } else { "0" }),
            None => Fact::unknown(format!("{SECURE_BOOT} holds no flag")),
        },
        Err(error) if error.is_not_found() => match start {
            Fact::Known(Start::Bios, evidence) => Fact::Known(None, evidence.clone()),
            // The variables are a file system of their own, which is mounted or not.
            Fact::Known(Start::Uefi, _) => match host.list("/sys/firmware/efi/efivars") {
                Ok(names) if !names.is_empty() => Fact::known(None, SECURE_BOOT, "is not there"),
                _ => Fact::unknown("the variables of UEFI are not mounted at /sys/firmware/efi/efivars"),
            },
            Fact::Unknown(why) => Fact::Unknown(why.clone()),
        },
        Err(error) => because(&error),
    }
}

fn lockdown(host: &Host) -> Fact<Option<Lockdown>> {
    match host.read(LOCKDOWN) {
        Ok(bytes) => {
            let text = sysfs::line(&bytes);
            let level = match memory::chosen(&text) {
                Some("none") => Lockdown::None,
                Some("integrity") => Lockdown::Integrity,
                Some("confidentiality") => Lockdown::Confidentiality,
                _ => return Fact::unknown(format!("{LOCKDOWN} says ‘{text}’")),
            };
            Fact::known(Some(level), LOCKDOWN, text)
        }
        Err(error) if error.is_not_found() => match host.list(SECURITY) {
            Ok(names) if !names.is_empty() => Fact::known(None, LOCKDOWN, "is not there"),
            Ok(_) => Fact::unknown(format!("nothing is mounted at {SECURITY}")),
            Err(error) => because(&error),
        },
        Err(error) => because(&error),
    }
}

/// One table, read to the end. Only root may read it.
fn table<T>(
    host: &Host,
    tables: &Fact<BTreeSet<FirmwareTable>>,
    which: FirmwareTable,
    parse: fn(&[u8]) -> Result<Table<T>, AcpiError>,
) -> Fact<Option<Table<T>>> {
    let evidence = match tables {
        Fact::Known(names, evidence) if !names.contains(&which) => {
            return Fact::Known(None, evidence.clone());
        }
        Fact::Known(_, evidence) => evidence,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    let path = format!("{}/{}", evidence.path, which.signature());
    match host.read(&path) {
        Ok(bytes) if bytes.is_empty() => {
            Fact::unknown(format!("{path} is empty: it was named and not read when this host was captured"))
        }
        Ok(bytes) => match parse(&bytes) {
            Ok(table) => {
                let seen = format!("{} bytes, made by {}", bytes.len(), table.maker);
                Fact::known(Some(table), path, seen)
            }
            Err(error) => Fact::unknown(format!("{path}: {error}")),
        },
        Err(error) => because(&error),
    }
}
