//! Which processes have devices open.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::PciAddress;

/// A process that has device files open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub process: u32,
    /// The program's name, at most 15 bytes of it (`/proc/PID/comm`).
    pub program: String,
    /// The device files, such as `/dev/dri/card1`, each with the PCI functions that it stands for. Of some that could not
    /// be found out.
    pub files: BTreeMap<String, BTreeSet<PciAddress>>,
}

impl Holder {
    /// The files that stand for one function.
    pub fn files_of(&self, address: PciAddress) -> impl Iterator<Item = &str> {
        self.files
            .iter()
            .filter(move |(_, functions)| functions.contains(&address))
            .map(|(file, _)| file.as_str())
    }

    /// Those of them for which the driver waits until they are closed. A keyboard or a mouse may go at any time, as when
    /// it is pulled out (`input_unregister_device`); a sound card waits (`snd_card_free`), as do VFIO and most GPUs.
    pub fn files_that_keep(&self, address: PciAddress) -> impl Iterator<Item = &str> {
        self.files_of(address).filter(|file| !file.starts_with("/dev/input/"))
    }
}

/// All that were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// In order of process.
    pub holders: Vec<Holder>,
    /// How many processes could not be looked into: without root, those of others.
    pub unseen: usize,
}

impl Holders {
    /// Those of one function.
    pub fn of(&self, address: PciAddress) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(move |holder| holder.files_of(address).next().is_some())
    }
}
