//! What options of a command line refer to by name: nodes of the block layer, and buses.

use std::collections::BTreeMap;

use passthru_model::virtualisation::GuestFunction;

use super::{Properties, QemuCommand};

/// The files of nodes of the block layer.
pub(super) struct Files(BTreeMap<String, String>);

impl Files {
    /// The file of a node.
    pub(super) fn get(&self, node: &str) -> Option<&String> {
        self.0.get(node)
    }

    pub(super) fn of(command: &QemuCommand) -> Self {
        let nodes: Vec<Properties> = command
            .options
            .iter()
            .filter(|option| option.name == "blockdev")
            .map(|option| option.properties("driver"))
            .collect();
        let file =
            |said: &Properties| said.get("file.filename").or_else(|| said.get("filename")).map(str::to_owned);
        let mut found: BTreeMap<String, String> =
            nodes.iter().filter_map(|said| Some((said.get("node-name")?.to_owned(), file(said)?))).collect();
        let outer: Vec<(String, String)> = nodes
            .iter()
            .filter_map(|said| {
                Some((said.get("node-name")?.to_owned(), found.get(said.get("file")?)?.clone()))
            })
            .collect();
        found.extend(outer);
        Self(found)
    }
}

/// The buses of a command line by name, numbered; the root bus is 0.
pub(super) struct Buses(BTreeMap<String, u8>);

impl Buses {
    pub(super) fn of(command: &QemuCommand) -> Self {
        let ids = command
            .options
            .iter()
            .filter(|option| option.name == "device")
            .filter_map(|option| option.properties("driver").get("id").map(str::to_owned));
        Self(ids.zip(1..=u8::MAX).collect())
    }

    /// Where a function is in the guest. Without a word it gets a slot of its own on the root bus, which is told apart from
    /// real ones by a number that no slot has.
    pub(super) fn place(&self, said: &Properties, count: usize) -> Option<GuestFunction> {
        let bus = match said.get("bus") {
            None | Some("pcie.0" | "pci.0") => 0,
            Some(name) => *self.0.get(name)?,
        };
        let number = |text: &str| u8::from_str_radix(text.trim_start_matches("0x"), 16).ok();
        let (slot, function) = match said.get("addr") {
            None if bus == 0 => (32_u8.saturating_add(u8::try_from(count).ok()?), 0),
            None => (0, 0),
            Some(addr) => {
                let (slot, function) = addr.split_once('.').unwrap_or((addr, "0"));
                (number(slot)?, number(function)?)
            }
        };
        let multifunction = said.get("multifunction").map(|_| said.is_on("multifunction"));
        Some(GuestFunction { bus, slot, function, multifunction })
    }
}
