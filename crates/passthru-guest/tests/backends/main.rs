//! One specification, two backends: the domain XML is one by libvirt's schema, libvirt makes the same machine of it that we
//! make, QEMU takes our arguments, and what is written down can be read back.

#[path = "../../src/testing.rs"]
#[expect(dead_code, reason = "the unit tests use all of it")]
mod testing;

mod attached;
mod desktops;
mod imported;
mod meaning;
mod pinned;
mod said;
mod same_machine;
mod schema;
mod starts;
mod tuning;

use std::path::{Path, PathBuf};

use passthru_guest::look::Looked;
use passthru_guest::run::GuestPaths;
use passthru_guest::spec::{AccelChoice, Disk, DiskFormat, Display, FirmwareKind, Medium, Os};
use passthru_guest::{Guest, GuestSpec, MemorySize};
use passthru_model::HostFacts;
use proptest::prelude::*;

/// Whether a program is there; a word about it where not.
pub(crate) fn has(program: &str) -> bool {
    let there = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !there {
        say(&format!("skipped: {program} is not installed"));
    }
    there
}

/// A word to whoever reads the tests' output.
pub(crate) fn say(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
}

/// Published data, which is not part of the project; `None`, with a word about it, where it is absent.
pub(crate) fn corpora(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora").join(path);
    if path.exists() {
        return Some(path);
    }
    say(&format!("skipped: there is no {}", path.display()));
    None
}

/// The host of the tests: 32 cores of two threads, in two L3 domains.
pub(crate) fn facts() -> HostFacts {
    testing::tuned_facts(testing::processors(32, 16, 1))
}

pub(crate) fn build(spec: &GuestSpec) -> Guest {
    Guest::build(spec, &facts(), &Looked::default()).unwrap_or_else(|errors| panic!("{errors}\n{spec:?}"))
}

pub(crate) fn paths(guest: &Guest) -> GuestPaths {
    GuestPaths::new("/run/passthru/guests".as_ref(), "/var/lib/passthru/guests".as_ref(), guest.name())
}

/// Every guest that a host without surprises takes: all systems, firmware, displays, with and without a card, with images
/// whose names mean something to XML, to QEMU and to shells.
pub(crate) fn specs() -> impl Strategy<Value = GuestSpec> {
    let os = prop_oneof![Just(Os::Linux), Just(Os::Windows10), Just(Os::Windows11), Just(Os::Other)];
    let firmware = prop_oneof![Just(FirmwareKind::Uefi), Just(FirmwareKind::Seabios)];
    let accel = prop_oneof![Just(AccelChoice::Auto), Just(AccelChoice::Kvm), Just(AccelChoice::Tcg)];
    let display = prop_oneof![
        Just(None),
        Just(Some(Display::None)),
        Just(Some(Display::Vnc)),
        Just(Some(Display::Spice))
    ];
    let image = "/(srv|dev/vg|dev/shm)/[ -~é]{1,12}";
    let disks = prop::collection::btree_map(image, any::<bool>(), 0..4);
    let media = prop::collection::vec(image, 0..3);
    let attached = (attached::nic(), attached::storage());
    let trust = (any::<Option<bool>>(), any::<Option<bool>>());
    (
        (os, firmware, accel, display, attached),
        1_u32..=64,
        128_u64..=1 << 20,
        any::<bool>(),
        disks,
        media,
        (trust, desktops::desktops(), attached::rom(), tuning::wishes()),
    )
        .prop_map(
            |(
                (os, firmware, accel, display, (nic, storage)),
                cpus,
                mib,
                card,
                disks,
                media,
                (trust, desktop, rom, wishes),
            )| {
                let mut spec = GuestSpec::new("box.1".parse().expect("a name"));
                spec.memory = MemorySize::from_mib(mib).expect("a size");
                (spec.os, spec.firmware, spec.accel, spec.display, spec.cpus) =
                    (os, firmware, accel, display, cpus);
                (spec.network, spec.storage) = (nic, storage);
                (spec.secure_boot, spec.tpm) = trust;
                // What the legacy BIOS cannot do is refused.
                spec.secure_boot =
                    spec.secure_boot.filter(|wanted| !wanted || firmware == FirmwareKind::Uefi);
                desktop.put_into(&mut spec);
                if card {
                    spec.devices = testing::gpu_identities();
                    spec.roms.extend(rom.map(|rom| (testing::address("0000:01:00.0"), rom)));
                }
                spec.disks = disks
                    .into_iter()
                    .map(|(path, raw)| Disk {
                        path: path.into(),
                        format: if raw { DiskFormat::Raw } else { DiskFormat::Qcow2 },
                    })
                    .collect();
                spec.media = media.into_iter().map(|path| Medium { path: path.into() }).collect();
                wishes.come_true(&mut spec);
                spec
            },
        )
}

/// So many of them, the same each time.
pub(crate) fn some(count: usize) -> Vec<GuestSpec> {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = specs();
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a specification").current()).collect()
}
