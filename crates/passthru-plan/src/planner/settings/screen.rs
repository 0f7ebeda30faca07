//! The firmware's screen on a card that is to go to guests, where vfio-pci does not take it away.
//!
//! From VGA cards vfio-pci takes it when it gets them (Linux 6.0). From other displays (class 0380, such as integrated ones of AMD)
//! nothing does, and the guest fails with ‘can't reserve’: there the kernel is told not to set it up.

use passthru_model::HostFacts;
use passthru_model::intent::{DeviceIdentity, Intent};
use passthru_model::io_memory::is_boot_framebuffer;

use super::bootable;
use crate::planner::effective_parameters;

/// Has the kernel leave out what sets the firmware's screen up (`drivers/firmware/sysfb.c`).
const WORD: &str = "initcall_blacklist=sysfb_init";
/// The class of the displays that vfio-pci takes it away from.
const VGA: u16 = 0x0300;

/// The word, where a chosen device needs it. Once it has worked there is no such screen to be seen, so what is set stays while the
/// device is chosen.
pub(super) fn word(facts: &HostFacts, wanted: &Intent) -> Option<&'static str> {
    let mut others = others(wanted).peekable();
    others.peek()?;
    let needed = others.any(|device| is_on(facts, device));
    (needed || effective_parameters(facts).iter().any(|word| word == WORD)).then_some(WORD)
}

/// The chosen displays that are no VGA cards.
fn others(wanted: &Intent) -> impl Iterator<Item = &DeviceIdentity> {
    wanted.isolate.iter().filter(|device| device.class.is_display() && device.class.base_and_sub() != VGA)
}

/// Whether the firmware's screen is drawn on a device, or lies in a BAR of it.
fn is_on(facts: &HostFacts, device: &DeviceIdentity) -> bool {
    let screens =
        facts.graphics.value().map(|graphics| graphics.firmware_screens.as_slice()).unwrap_or_default();
    if screens.iter().any(|screen| screen.driver.is_some() && screen.address == Some(device.address)) {
        return true;
    }
    let (Some(map), Some(function)) = (facts.io_memory.value(), facts.function(device.address)) else {
        return false;
    };
    let mut bars = function.resources.iter().filter(|range| range.index < 6 && range.is_memory());
    bars.any(|range| map.inside(range.start, range.end).any(|inside| is_boot_framebuffer(&inside.name)))
}

/// Says what becomes of the screen, and where the word would do nothing.
pub(in crate::planner) fn note(facts: &HostFacts, wanted: &Intent, notes: &mut Vec<String>) {
    if word(facts, wanted).is_none() {
        return;
    }
    for device in others(wanted) {
        notes.push(format!(
            "the firmware’s screen is on {}, which is no VGA card, so vfio-pci would leave it there and a guest fail with ‘can't \
             reserve’: from the next boot on the kernel does not set it up (‘{WORD}’), and shows nothing until a driver of another \
             card does",
            device.address
        ));
    }
    let clang = bootable(facts)
        .filter(|kernel| kernel.options.value().is_some_and(|options| options.is_on("LTO_CLANG")));
    for kernel in clang {
        notes.push(format!(
            "kernel {} is built with Clang's LTO, where ‘{WORD}’ does nothing: unbind the framebuffer before a guest is started, as \
             `passthru doctor boot-framebuffer` says",
            kernel.release
        ));
    }
}
