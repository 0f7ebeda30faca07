//! What passed functions show the guest besides themselves: another ROM, and the legacy addresses of VGA.

use passthru_model::{HostFacts, PciAddress};

use super::{BuildError, resources};
use crate::look::{Looked, Seen};
use crate::machine::{Backing, GuestSlot, Placed};
use crate::spec::{Display, FirmwareKind, GuestSpec, Rom};

/// Says of placed functions what is special of them, and what of it is wrong.
pub(super) fn dress(
    slots: &mut [GuestSlot],
    spec: &GuestSpec,
    display: Display,
    facts: &HostFacts,
    looked: &Looked,
    wrong: &mut Vec<BuildError>,
) {
    for (address, rom) in &spec.roms {
        match hosts(slots).find(|(known, _)| known == address) {
            Some((_, placed)) => placed.rom = Some(rom.clone()),
            None => wrong.push(BuildError::RomOfNothing(*address)),
        }
        if let Rom::File(path) = rom {
            wrong.extend(resources::path(path).or_else(|| file(path, looked)));
        }
    }
    // A virtual display has these addresses already.
    if spec.firmware == FirmwareKind::Seabios && display == Display::None {
        let is_vga =
            |address| facts.function(address).is_some_and(|function| function.class.bits() >> 8 == 0x0300);
        if let Some((_, placed)) = hosts(slots).find(|(address, _)| is_vga(*address)) {
            placed.legacy_vga = true;
        }
    }
}

fn hosts(slots: &mut [GuestSlot]) -> impl Iterator<Item = (PciAddress, &mut Placed)> {
    slots.iter_mut().flat_map(|slot| &mut slot.functions).filter_map(|placed| match placed.backing {
        Backing::Host(address) => Some((address, placed)),
        Backing::Emulated(_) => None,
    })
}

/// What is wrong with a ROM's file.
fn file(path: &std::path::Path, looked: &Looked) -> Option<BuildError> {
    match looked.files.get(path)? {
        Seen::File => None,
        Seen::Missing => Some(BuildError::FileMissing(path.to_owned())),
        Seen::Unreadable(why) => Some(BuildError::FileUnreadable { path: path.to_owned(), why: why.clone() }),
        Seen::BlockDevice | Seen::InUse(_) | Seen::Input | Seen::Other => {
            Some(BuildError::NotARom(path.to_owned()))
        }
    }
}
