//! What sits between a guest and who sits at its host: made by chance, as the specifications are.

use passthru_guest::spec::{
    Audio, AudioBackend, AudioCodec, Display, GrabToggle, InputDevice, LookingGlass, SharedMemory,
    SharedSize, UsbChoice, UsbDevice,
};
use passthru_guest::{GuestSpec, MemorySize};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Part of a specification.
#[derive(Clone, Debug)]
pub(crate) struct Desktop {
    usb: Vec<UsbDevice>,
    inputs: Vec<InputDevice>,
    audio: Option<Audio>,
    glass: Option<LookingGlass>,
}

impl Desktop {
    /// Puts it into a specification, but for sound that only a SPICE display carries.
    pub(crate) fn put_into(self, spec: &mut GuestSpec) {
        (spec.usb, spec.inputs, spec.audio, spec.looking_glass) =
            (self.usb, self.inputs, self.audio, self.glass);
        let is_spice = spec.display == Some(Display::Spice);
        spec.audio = spec.audio.take().filter(|audio| is_spice || audio.backend != AudioBackend::Spice);
    }
}

/// Devices of the tests' host; twins are told apart by their port and their id, as domain XML takes them.
fn usb() -> impl Strategy<Value = Vec<UsbDevice>> {
    let id = |text: &str| text.parse().expect("an id");
    let twin =
        |port: &str| UsbChoice::Port { port: port.parse().expect("a port"), id: Some(id("0781:5581")) };
    let choices = vec![UsbChoice::Id(id("046d:c31c")), twin("1-3"), twin("1-4")];
    (subsequence(choices, 0..=3), any::<bool>()).prop_map(|(choices, optional)| {
        choices.into_iter().map(|choice| UsbDevice { choice, optional }).collect()
    })
}

fn inputs() -> impl Strategy<Value = Vec<InputDevice>> {
    let one = (
        "/dev/input/by-id/usb-[A-Za-z0-9_,:.-]{1,12}-event-kbd",
        any::<bool>(),
        any::<bool>(),
        select(GrabToggle::ALL.to_vec()),
    );
    let one = one.prop_map(|(path, grab_all, repeat, toggle)| InputDevice {
        path: path.into(),
        grab_all,
        repeat,
        toggle,
    });
    prop::collection::btree_set(one, 0..3).prop_map(|all| {
        let mut all: Vec<_> = all.into_iter().collect();
        all.dedup_by(|one, other| one.path == other.path);
        all
    })
}

fn audio() -> impl Strategy<Value = Option<Audio>> {
    let directory = || Some("/run/user/1000".into());
    let backends = vec![
        AudioBackend::None,
        AudioBackend::Spice,
        AudioBackend::Jack,
        AudioBackend::Pipewire(None),
        AudioBackend::Pipewire(directory()),
        AudioBackend::Pulseaudio(None),
        AudioBackend::Pulseaudio(directory()),
    ];
    let card = (select(backends), select(vec![AudioCodec::Duplex, AudioCodec::Micro]));
    prop::option::of(card.prop_map(|(backend, codec)| Audio { backend, codec }))
}

fn glass() -> impl Strategy<Value = Option<LookingGlass>> {
    let memory = prop_oneof![
        "[a-z0-9][a-z0-9._-]{0,12}".prop_map(SharedMemory::File),
        (0_u8..4).prop_map(SharedMemory::Kvmfr)
    ];
    let size = prop_oneof![
        (0_u32..9).prop_map(|power| SharedSize::Memory(MemorySize::from_mib(1 << power).expect("a size"))),
        select(vec!["1920x1080", "2560x1440", "3840x2160"])
            .prop_map(|text| SharedSize::Resolution(text.parse().expect("a resolution"))),
    ];
    prop::option::of((size, memory).prop_map(|(size, memory)| LookingGlass { size, memory }))
}

/// Any of them.
pub(crate) fn desktops() -> impl Strategy<Value = Desktop> {
    (usb(), inputs(), audio(), glass()).prop_map(|(usb, inputs, audio, glass)| Desktop {
        usb,
        inputs,
        audio,
        glass,
    })
}
