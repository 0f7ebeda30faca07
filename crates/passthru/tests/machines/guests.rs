//! Guests built for real machines: for every number of vCPUs both backends say a pinning that is sound.

use passthru_guest::look::Looked;
use passthru_guest::spec::{FirmwareKind, PinningChoice};
use passthru_guest::{Guest, GuestSpec};
use passthru_host::{Host, gather};
use passthru_plan::pinning::{Request, Threads, most};

use crate::corpora::{archives, say};
use crate::said;
use crate::sound::assert_sound;

#[test]
fn guests_on_every_real_machine_are_pinned_soundly_in_both_backends() {
    let (mut guests, mut refused) = (0, 0);
    for (name, path) in archives() {
        let facts = gather(&Host::open(&path).expect("opens"));
        let Some(topology) = facts.topology.value() else { continue };
        for threads in [Threads::Siblings, Threads::OnePerCore, Threads::Shared] {
            let most = most(topology, threads);
            for cpus in 1..=topology.online.len() + 1 {
                let mut spec = GuestSpec::new("box".parse().expect("a name"));
                spec.cpus = u32::try_from(cpus).expect("small");
                spec.firmware = FirmwareKind::Seabios;
                (spec.processor.pinning, spec.processor.threads) = (PinningChoice::On, Some(threads));
                match Guest::build(&spec, &facts, &Looked::default()) {
                    Ok(guest) => {
                        assert!(cpus <= most, "{name}: {cpus}");
                        let pinning =
                            guest.pinning().unwrap_or_else(|| panic!("{name}: {cpus} without pins"));
                        assert_sound(
                            topology,
                            &Request { vcpus: cpus, threads, ..Request::default() },
                            pinning,
                        );
                        let (pins, emulator, shown) = said::by_libvirt(&guest);
                        assert_eq!(
                            (pins, emulator),
                            (pinning.pins.clone(), pinning.emulator.to_string()),
                            "{name}"
                        );
                        assert_eq!(
                            (shown, said::to_qemu(&guest)),
                            (pinning.guest, (cpus, pinning.guest)),
                            "{name}"
                        );
                        guests += 1;
                    }
                    Err(errors) => {
                        assert!(cpus > most, "{name}: {cpus}: {errors}");
                        refused += 1;
                    }
                }
            }
        }
    }
    say(&format!("{guests} guests pinned soundly, {refused} refused as they should be"));
}
