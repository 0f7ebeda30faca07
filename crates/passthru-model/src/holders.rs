//! Which processes have devices open.

use std::collections::BTreeSet;

use crate::address::PciAddress;

/// A process that has device files open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub process: u32,
    /// The program's name, at most 15 bytes of it (`/proc/PID/comm`).
    pub program: String,
    /// The device files, such as `/dev/dri/card1`.
    pub files: BTreeSet<String>,
    /// The PCI functions that these stand for. Empty where that could not be found out.
    pub functions: BTreeSet<PciAddress>,
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
        self.holders.iter().filter(move |holder| holder.functions.contains(&address))
    }
}
