//! Which guest slot a function of the host goes to: what shares a slot on the host shares one in the guest, behind a root
//! port of its own, because drivers look for their card's other functions there, and some refuse a GPU on the root complex.

use std::collections::BTreeMap;

use passthru_model::{PciAddress, PciFunction, PciSlot};

use crate::machine::{Backing, GuestSlot, Placed};

/// Root ports that fit beside each other on the root bus: slots 2 to 0x1c; 0 is the host bridge, 1 the emulated VGA, 0x1d
/// shared memory, 0x1e the sound card, 0x1f the chipset.
pub const MOST_PORTS: usize = 0x1b;

/// Places functions. A slot whose function 0 stays with the host gets its lowest function as function 0, since a slot
/// without one is not looked at by any system.
pub fn place(functions: &[&PciFunction]) -> Vec<GuestSlot> {
    let mut by_slot: BTreeMap<(PciSlot, u8), Vec<PciAddress>> = BTreeMap::new();
    for function in functions {
        // Virtual functions only look like siblings: each is a device of its own.
        let own = if function.physical_function.is_some() { function.address.function() } else { 0 };
        by_slot.entry((function.address.slot(), own)).or_default().push(function.address);
    }
    by_slot.into_values().map(slot).collect()
}

/// One guest slot for functions of one host slot.
fn slot(mut addresses: Vec<PciAddress>) -> GuestSlot {
    addresses.sort();
    addresses.dedup();
    let functions = addresses.iter().enumerate().map(|(position, address)| Placed {
        function: if position == 0 { 0 } else { address.function() },
        backing: Backing::Host(*address),
        rom: None,
        legacy_vga: false,
    });
    GuestSlot { functions: functions.collect() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::place;
    use crate::machine::Backing;
    use crate::testing;
    use passthru_model::PciFunction;
    use proptest::prelude::*;

    #[test]
    fn a_card_keeps_its_functions_together_and_a_lone_function_becomes_function_0() {
        let gpu = testing::function("0000:01:00.0", "10de:13c2", "030000");
        let audio = testing::function("0000:01:00.1", "10de:0fbb", "040300");
        let usb = testing::function("0000:0b:00.3", "1022:149c", "0c0330");
        let slots = place(&[&usb, &audio, &gpu]);
        assert_eq!(slots.len(), 2);
        assert_eq!(slots[0].functions.iter().map(|placed| placed.function).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(slots[1].functions[0].function, 0);
    }

    #[test]
    fn virtual_functions_of_one_slot_are_devices_of_their_own() {
        let mut one = testing::function("0000:03:10.0", "8086:10ed", "020000");
        let mut two = testing::function("0000:03:10.2", "8086:10ed", "020000");
        one.physical_function = Some("0000:03:00.0".parse().expect("an address"));
        two.physical_function = one.physical_function;
        assert_eq!(place(&[&one, &two]).len(), 2);
    }

    proptest! {
        #[test]
        fn every_function_gets_one_place_and_every_slot_has_a_function_0(
            picked in proptest::collection::vec((0u8..3, 0u8..4, 0u8..8, any::<bool>()), 0..24)
        ) {
            let functions: Vec<PciFunction> = picked.iter().map(|(bus, device, function, is_vf)| {
                let mut made = testing::function(&format!("{bus:x}:{device:x}.{function}"), "10de:13c2", "030000");
                made.physical_function = is_vf.then(|| "0:1f.0".parse().expect("an address"));
                made
            }).collect();
            // The builder refuses doubles; what is placed is distinct.
            let mut distinct: Vec<&PciFunction> = functions.iter().collect();
            distinct.sort_by_key(|function| function.address);
            distinct.dedup_by_key(|function| function.address);
            let slots = place(&distinct);
            let mut hosts = BTreeSet::new();
            for slot in &slots {
                let numbers: BTreeSet<u8> = slot.functions.iter().map(|placed| placed.function).collect();
                prop_assert!(numbers.contains(&0));
                prop_assert_eq!(numbers.len(), slot.functions.len());
                for placed in &slot.functions {
                    let Backing::Host(address) = placed.backing else { panic!("a host function") };
                    prop_assert!(hosts.insert(address));
                }
            }
            prop_assert_eq!(hosts.len(), distinct.len());
        }
    }
}
