//! The host's own firmware: who made the board, how it started the system, what it offers and what it forbids.

use crate::acpi::{Dmar, Ivrs, Table};
use crate::fact::Fact;

/// The firmware of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirmwareFacts {
    /// Maker and model of the machine, its board and its firmware.
    pub board: Fact<Board>,
    /// How the system was started.
    pub start: Fact<Start>,
    /// Whether Secure Boot is on (variable `SecureBoot`). Known and `None`: the firmware has no such thing.
    pub secure_boot: Fact<Option<bool>>,
    /// What the kernel keeps even from root (`/sys/kernel/security/lockdown`). Known and `None`: the kernel has no
    /// lockdown.
    pub lockdown: Fact<Option<Lockdown>>,
    /// The table DMAR. Known and `None`: there is none.
    pub dmar: Fact<Option<Table<Dmar>>>,
    /// The table IVRS. Known and `None`: there is none.
    pub ivrs: Fact<Option<Table<Ivrs>>>,
}

/// What DMI says (`/sys/class/dmi/id`), without serial numbers. What a maker left empty or as a placeholder is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// `sys_vendor`.
    pub system_vendor: Option<String>,
    /// `product_name`.
    pub product: Option<String>,
    /// `board_vendor`.
    pub vendor: Option<String>,
    /// `board_name`.
    pub name: Option<String>,
    /// `bios_vendor`.
    pub firmware_vendor: Option<String>,
    /// `bios_version`.
    pub firmware_version: Option<String>,
    /// `bios_date`, month first as DMI has it.
    pub firmware_date: Option<String>,
}

/// How the firmware started the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// By UEFI (`/sys/firmware/efi` is there).
    Uefi,
    /// The old way: by a BIOS, or by a UEFI firmware that plays one (CSM).
    Bios,
}

/// What the kernel keeps from root (`man 7 kernel_lockdown`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lockdown {
    /// Nothing.
    None,
    /// What would change the running kernel: unsigned modules, writes to configuration space.
    Integrity,
    /// Also what would read its memory.
    Confidentiality,
}

impl Lockdown {
    /// As the kernel writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Integrity => "integrity",
            Self::Confidentiality => "confidentiality",
        }
    }
}

impl FirmwareFacts {
    /// Nothing known, for one reason.
    pub fn unknown(because: &str) -> Self {
        Self {
            board: Fact::unknown(because),
            start: Fact::unknown(because),
            secure_boot: Fact::unknown(because),
            lockdown: Fact::unknown(because),
            dmar: Fact::unknown(because),
            ivrs: Fact::unknown(because),
        }
    }

    /// The DMAR table, where there is one and it could be read.
    pub fn dmar(&self) -> Option<&Dmar> {
        self.dmar.value()?.as_ref().map(|table| &table.body)
    }

    /// The IVRS table, where there is one and it could be read.
    pub fn ivrs(&self) -> Option<&Ivrs> {
        self.ivrs.value()?.as_ref().map(|table| &table.body)
    }
}

impl Board {
    /// The board by maker and name, or the machine where the board has none; and its firmware's version and date.
    pub fn line(&self) -> String {
        let join = |parts: &[&Option<String>]| {
            let parts: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
            parts.join(" ")
        };
        let board = join(&[&self.vendor, &self.name]);
        let machine = if board.is_empty() { join(&[&self.system_vendor, &self.product]) } else { board };
        let firmware = join(&[&self.firmware_version, &self.firmware_date]);
        match (machine.is_empty(), firmware.is_empty()) {
            (true, true) => "a board without a name".to_owned(),
            (true, false) => format!("firmware {firmware}"),
            (false, true) => machine,
            (false, false) => format!("{machine}, firmware {firmware}"),
        }
    }
}
