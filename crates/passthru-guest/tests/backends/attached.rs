//! Cards and how disks are attached, made by chance.

use passthru_guest::GuestSpec;
use passthru_guest::spec::{DiskBus, Nic, NicBackend, NicModel, Rom, Storage};
use proptest::prelude::*;
use proptest::sample::select;

/// A card on any network, with as many queues as that takes.
pub(crate) fn nic() -> impl Strategy<Value = Option<Nic>> {
    let name = |text: &str| text.parse().expect("a name");
    let backends = vec![NicBackend::User, NicBackend::Bridge(name("br0")), NicBackend::Tap(name("tap_1"))];
    let mac = prop::option::of(select(vec!["52:54:00:12:34:56", "02:00:00:00:00:01"]));
    let model = prop::option::of(select(vec![NicModel::Virtio, NicModel::E1000e]));
    let one = (select(backends), mac, model, prop::option::of(2_u8..=16));
    prop::option::of(one.prop_map(|(backend, mac, model, queues)| {
        let mac = mac.map(|text| text.parse().expect("an address"));
        let takes_several = matches!(backend, NicBackend::Tap(_)) && model == Some(NicModel::Virtio);
        Nic { backend, mac, model, queues: queues.filter(|_| takes_several) }
    }))
}

/// Any way to attach disks.
pub(crate) fn storage() -> impl Strategy<Value = Storage> {
    let bus = prop::option::of(select(vec![DiskBus::VirtioBlk, DiskBus::VirtioScsi, DiskBus::Sata]));
    (bus, prop::option::of(1_u16..=64)).prop_map(|(bus, queues)| {
        let queues = queues.filter(|_| bus.is_some_and(DiskBus::is_virtio));
        Storage { bus, queues, io_thread: None }
    })
}

/// Another ROM than the card's own.
pub(crate) fn rom() -> impl Strategy<Value = Option<Rom>> {
    prop_oneof![
        Just(None),
        Just(Some(Rom::Off)),
        "/srv/[ -~é]{1,12}".prop_map(|path| Some(Rom::File(path.into())))
    ]
}

/// What of it a specification need not say: what the system has by itself, and how no disks are attached.
pub(crate) fn settled(spec: &mut GuestSpec) {
    let is_windows = spec.os.is_windows();
    let by_itself = if is_windows { DiskBus::Sata } else { DiskBus::VirtioBlk };
    spec.storage.bus = spec.storage.bus.filter(|bus| *bus != by_itself);
    if spec.disks.is_empty() {
        spec.storage = Storage::default();
    }
    let by_itself = if is_windows { NicModel::E1000e } else { NicModel::Virtio };
    if let Some(nic) = &mut spec.network {
        nic.model = nic.model.filter(|model| *model != by_itself);
    }
}
