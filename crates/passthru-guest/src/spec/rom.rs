//! `[rom]`: what a passed function shows the guest as its ROM, by the function's address.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use passthru_model::PciAddress;
use serde::Deserialize;

use super::write::quoted;

/// Another ROM than the card's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Rom {
    /// This file, for a card whose own cannot be read, such as the one that the host booted with.
    File(PathBuf),
    /// None, where the guest's firmware shall not run it.
    Off,
}

impl From<String> for Rom {
    fn from(text: String) -> Self {
        if text == "off" { Self::Off } else { Self::File(text.into()) }
    }
}

/// The table.
pub(super) fn write(out: &mut String, roms: &BTreeMap<PciAddress, Rom>) {
    if roms.is_empty() {
        return;
    }
    out.push_str("\n[rom]\n");
    for (address, rom) in roms {
        let value = match rom {
            Rom::File(path) => quoted(&path.to_string_lossy()),
            Rom::Off => quoted("off"),
        };
        let _ = writeln!(out, "\"{address}\" = {value}");
    }
}
