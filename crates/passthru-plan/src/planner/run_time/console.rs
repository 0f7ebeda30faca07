//! What becomes of consoles and of the firmware's screen when a card leaves the host.

use passthru_model::HostFacts;
use passthru_model::pci::PciFunction;

/// The class of cards from which vfio-pci takes the firmware's screen away (`vfio_pci_is_vga`,
/// `drivers/vfio/pci/vfio_pci_core.c`, Linux 6.0).
const VGA: u16 = 0x0300;

/// Notes what is drawn on a card and will not be any more.
pub(super) fn notes(facts: &HostFacts, function: &PciFunction, notes: &mut Vec<String>) {
    if !function.class.is_display() {
        return;
    }
    let address = function.address;
    let name = facts.name_of(function);
    let Some(graphics) = facts.graphics.value() else {
        let because = facts.graphics.because().unwrap_or_default();
        notes.push(format!("whether consoles are drawn on {address} ({name}) is not known: {because}"));
        return;
    };
    let consoles = graphics.consoles.iter().any(|console| console.draws() && console.bound);
    let own = graphics.framebuffers.iter().find(|framebuffer| framebuffer.address == Some(address));
    if let Some(framebuffer) = own.filter(|_| consoles) {
        notes.push(format!(
            "the text consoles are drawn on {address} (fb{}, {}): that ends, and they go to another display only if one has a \
             framebuffer. Over the network or a serial line the host is reached as before",
            framebuffer.number, framebuffer.name
        ));
    }
    let drawn = |screen: &&passthru_model::graphics::FirmwareScreen| {
        screen.driver.is_some()
            && (screen.address == Some(address)
                || (screen.address.is_none() && function.boot_vga == Some(true)))
    };
    if let Some(screen) = graphics.firmware_screens.iter().find(drawn) {
        let end = if function.class.base_and_sub() == VGA {
            "the kernel takes it away when vfio-pci gets the card (from Linux 6.0 on), and nothing draws there any more"
        } else {
            "the kernel takes that away from VGA cards alone, and this is none: the guest may fail with ‘can't reserve’; \
             `passthru doctor boot-framebuffer` says more"
        };
        notes.push(format!("the firmware’s screen ({}) is on {address}: {end}", screen.device));
    }
}
