//! Text to specification, with errors that name the file, the line and the key.

use std::collections::BTreeMap;

use passthru_model::PciAddress;
use passthru_model::backend::Backend;
use passthru_model::guest_tuning::GuestTuning;
use passthru_model::intent::DeviceIdentity;
use serde::Deserialize;

use super::network::NetworkKey;
use super::{
    AccelChoice, Account, Audio, Clock, Disk, Display, FirmwareKind, GuestSpec, HyperV, InputDevice,
    LookingGlass, Medium, MemoryBacking, Os, Processor, Rom, Storage, UsbDevice,
};
use crate::name::GuestName;
use crate::size::MemorySize;

/// What is wrong with a specification's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}{}: {message}", line.map(|line| format!(":{line}")).unwrap_or_default(), key.as_ref().map(|key| format!(": {key}")).unwrap_or_default())]
pub struct SpecError {
    /// The file, as it was named by the caller.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// The key on that line, where there is one.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// The keys of the file. Apart from [`GuestSpec`] so that the file can change without the rest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Keys {
    #[serde(default)]
    os: Os,
    #[serde(default)]
    backend: Backend,
    run_as: Option<Account>,
    memory: MemorySize,
    cpus: u32,
    #[serde(default)]
    processor: Processor,
    #[serde(default)]
    memory_backing: MemoryBacking,
    mmio_window: Option<MemorySize>,
    #[serde(default)]
    hyper_v: HyperV,
    #[serde(default)]
    clock: Clock,
    #[serde(default)]
    firmware: FirmwareKind,
    #[serde(default)]
    accel: AccelChoice,
    display: Option<Display>,
    #[serde(default)]
    network: NetworkKey,
    #[serde(default)]
    tuning: GuestTuning,
    #[serde(default)]
    devices: Vec<DeviceIdentity>,
    #[serde(default)]
    disks: Vec<Disk>,
    #[serde(default)]
    media: Vec<Medium>,
    #[serde(rename = "secure-boot")]
    secure_boot: Option<bool>,
    tpm: Option<bool>,
    #[serde(default)]
    usb: Vec<UsbDevice>,
    #[serde(default)]
    input: Vec<InputDevice>,
    audio: Option<Audio>,
    #[serde(rename = "looking-glass")]
    looking_glass: Option<LookingGlass>,
    #[serde(default)]
    storage: Storage,
    #[serde(default)]
    rom: BTreeMap<PciAddress, Rom>,
}

/// Reads a specification. `file` is only used in errors.
pub fn parse(name: GuestName, file: &str, text: &str) -> Result<GuestSpec, SpecError> {
    let keys: Keys = toml::from_str(text).map_err(|error| explain(file, text, &error))?;
    Ok(GuestSpec {
        name,
        os: keys.os,
        backend: keys.backend,
        run_as: keys.run_as,
        memory: keys.memory,
        cpus: keys.cpus,
        processor: keys.processor,
        memory_backing: keys.memory_backing,
        mmio_window: keys.mmio_window,
        hyper_v: keys.hyper_v,
        clock: keys.clock,
        firmware: keys.firmware,
        accel: keys.accel,
        display: keys.display,
        network: keys.network.0,
        tuning: keys.tuning,
        devices: keys.devices,
        disks: keys.disks,
        media: keys.media,
        secure_boot: keys.secure_boot,
        tpm: keys.tpm,
        usb: keys.usb,
        inputs: keys.input,
        audio: keys.audio,
        looking_glass: keys.looking_glass,
        storage: keys.storage,
        roms: keys.rom,
    })
}

/// Finds the line and the key of an error by its place in the text.
fn explain(file: &str, text: &str, error: &toml::de::Error) -> SpecError {
    let start = error.span().map(|span| span.start).filter(|start| text.is_char_boundary(*start));
    // A missing key has no place of its own; the parser then points at the whole document.
    let missing = error.message().starts_with("missing field");
    let whole = missing && start == Some(0);
    let line = start.filter(|_| !whole).map(|start| text[..start].matches('\n').count() + 1);
    let key = line
        .and_then(|line| text.lines().nth(line - 1))
        .and_then(|line| line.split_once('='))
        .map(|(key, _)| key.trim())
        .filter(|key| !missing && !key.is_empty() && key.chars().all(is_bare))
        .map(|key| match line.and_then(|line| table_of(text, line)) {
            Some(table) => format!("{table}.{key}"),
            None => key.to_owned(),
        });
    // The parser names the type it reads into, which is a word of ours and not of people who write guests.
    let message = error.message().lines().next().unwrap_or_default().trim_end_matches('.');
    let message = ["u8", "u32", "usize"].iter().fold(message.to_owned(), |message, number| {
        message.replace(&format!("expected {number}"), "expected a whole number")
    });
    SpecError { file: file.to_owned(), line, key, message }
}

/// The table `[name]` that a line is in; the elements of lists (`[[name]]`) have no name of their own.
fn table_of(text: &str, line: usize) -> Option<&str> {
    let header = text.lines().take(line.saturating_sub(1)).filter(|line| line.starts_with('[')).last()?;
    let name = header.strip_prefix('[')?.split_once(']')?.0;
    (!name.is_empty() && name.chars().all(is_bare)).then_some(name)
}

/// Characters of a bare or dotted key.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::spec::{DiskFormat, Display, FirmwareKind, GuestSpec, Nic, NicBackend, Os};
    use passthru_model::guest_tuning::{GuestTuning, HostSleep, Interrupts, Isolation};
    use proptest::prelude::*;

    fn read(text: &str) -> Result<GuestSpec, String> {
        let name = "win".parse().expect("a name");
        parse(name, "guests/win.toml", text).map_err(|error| error.to_string())
    }

    #[test]
    fn four_lines_are_a_guest() {
        let spec = read("memory = \"4G\"\ncpus = 2\n").expect("a spec");
        assert_eq!(
            (spec.os, spec.firmware, spec.memory.mib(), spec.cpus),
            (Os::Linux, FirmwareKind::Uefi, 4096, 2)
        );
        assert_eq!(spec.display, None);
    }

    #[test]
    fn every_key_is_read() {
        let spec = read(
            "os = \"windows-10\"\nmemory = \"16G\"\ncpus = 8\nfirmware = \"seabios\"\naccel = \"kvm\"\ndisplay = \"vnc\"\nnetwork = \"user\"\n\
             mmio-window = \"64G\"\n\
             [processor]\npinning = \"on\"\nthreads = \"one-per-core\"\nprefer = \"frequency\"\npins = [2, 6]\nemulator = \"0-1\"\niothread = \"1\"\nscheduler = \"round-robin\"\n\
             topology = { cores = 4, threads = 2 }\ncache = \"host\"\ntopoext = true\naddress-bits = 39\nhide-kvm = true\n\
             [memory-backing]\npages = \"1G\"\nnode = 1\nprealloc = true\nmerge = false\n\
             [hyper-v]\nenlightenments = [\"relaxed\", \"stimer-direct\"]\nvendor-id = \"whatever\"\n\
             [clock]\nbase = \"utc\"\nhpet = true\nrtc = \"delay\"\npit = \"discard\"\n\
             [tuning]\nisolation = \"slices\"\ninterrupts = \"move\"\nhost-sleep = \"allow\"\n\
             [[devices]]\naddress = \"0000:06:00.0\"\nid = \"10de:13c2\"\nsubsystem = \"1458:3679\"\nclass = \"030000\"\n\
             [[disks]]\npath = \"/srv/win.qcow2\"\nformat = \"qcow2\"\n[[media]]\npath = \"/srv/win.iso\"\n",
        )
        .expect("a spec");
        assert_eq!(spec.os, Os::Windows10);
        assert_eq!(spec.display, Some(Display::Vnc));
        assert_eq!(spec.network, Some(Nic::on(NicBackend::User)));
        let tuning = GuestTuning {
            isolation: Isolation::Slices,
            interrupts: Interrupts::Move,
            host_sleep: HostSleep::Allow,
            ..GuestTuning::default()
        };
        assert_eq!(spec.tuning, tuning);
        assert_eq!(spec.disks[0].format, DiskFormat::Qcow2);
        assert_eq!(spec.devices[0].id.to_string(), "10de:13c2");
        insta::assert_debug_snapshot!((
            spec.processor,
            spec.memory_backing,
            spec.hyper_v,
            spec.clock,
            spec.mmio_window
        ));
    }

    #[test]
    fn errors_name_the_file_the_line_and_the_key() {
        let cases = [
            "memory = \"4096\"\ncpus = 2\n",
            "memory = \"4G\"\ncpus = \"two\"\n",
            "memory = \"4G\"\ncpus = -1\n",
            "memory = \"4G\"\ncpus = 2\nmemroy = \"8G\"\n",
            "cpus = 2\n",
            "memory = \"4G\"\ncpus = 2\nfirmware = \"bios\"\n",
            "memory = \"4G\"\ncpus = 2\n[[disks]]\npath = \"/x\"\n",
            "memory = \"4G\"\ncpus = 2\n[[devices]]\naddress = \"06:00.9\"\n",
            "memory = \"4G\"\ncpus = 2\n[tuning]\nisolation = \"all\"\n",
            "memory = \"4G\ncpus = 2\n",
            "memory = \"4G\"\nmemory = \"4G\"\n",
            "memory = \"4G\"\ncpus = 2\nnetwork = \"bridge\"\n",
            "memory = \"4G\"\ncpus = 2\nnetwork = { bridge = \"br/0\" }\n",
            "memory = \"4G\"\ncpus = 2\nnetwork = { bridge = \"br0\", mac = \"01:00:5e:00:00:01\" }\n",
            "memory = \"4G\"\ncpus = 2\n\n[[usb]]\noptional = true\n",
            "memory = \"4G\"\ncpus = 2\n\n[[usb]]\nport = \"3\"\n",
            "memory = \"4G\"\ncpus = 2\n\n[[input]]\npath = \"/dev/input/event3\"\ntoggle = \"f12\"\n",
            "memory = \"4G\"\ncpus = 2\n\n[audio]\nbackend = \"alsa\"\n",
            "memory = \"4G\"\ncpus = 2\n\n[audio]\nbackend = \"jack\"\nruntime-directory = \"/run/user/1000\"\n",
            "memory = \"4G\"\ncpus = 2\n\n[looking-glass]\nresolution = \"4K\"\n",
            "memory = \"4G\"\ncpus = 2\n\n[looking-glass]\nsize = \"48M\"\n",
            "memory = \"4G\"\ncpus = 2\n\n[looking-glass]\nsize = \"64M\"\nmemory = \"/tmp/x\"\n",
            "memory = \"4G\"\ncpus = 2\n\n[storage]\nbus = \"ide\"\n",
            "memory = \"4G\"\ncpus = 2\n\n[rom]\n\"1:0\" = \"off\"\n",
            "memory = \"4G\"\ncpus = 2\n[processor]\nthreads = \"both\"\n",
            "memory = \"4G\"\ncpus = 2\n[processor]\npins = [0, -1]\n",
            "memory = \"4G\"\ncpus = 2\n[processor]\nemulator = \"3-1\"\n",
            "memory = \"4G\"\ncpus = 2\n[processor]\naddress-bits = 300\n",
            "memory = \"4G\"\ncpus = 2\n[processor]\ntopology = { cores = 2, threds = 1 }\n",
            "memory = \"4G\"\ncpus = 2\n[memory-backing]\npages = \"4K\"\n",
            "memory = \"4G\"\ncpus = 2\n[memory_backing]\npages = \"2M\"\n",
            "memory = \"4G\"\ncpus = 2\n[hyper-v]\nenlightenments = [\"relaxed\", \"rapid\"]\n",
            "memory = \"4G\"\ncpus = 2\n[clock]\nrtc = \"discard\"\n",
            "memory = \"4G\"\ncpus = 2\nmmio-window = \"64\"\n",
        ];
        let errors: Vec<String> = cases.iter().map(|text| read(text).expect_err("an error")).collect();
        insta::assert_snapshot!(errors.join("\n"));
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer_and_never_a_panic(text in "(?s).{0,200}") {
            let _ = read(&text);
        }

        #[test]
        fn one_spoilt_byte_is_an_answer_and_never_a_panic(at in 0usize..60, byte in 0u8..128) {
            let mut text = "os = \"linux\"\nmemory = \"4G\"\ncpus = 2\n[[media]]\npath = \"/é.iso\"\n".to_owned().into_bytes();
            let at = at % text.len();
            text[at] = byte;
            let _ = read(&String::from_utf8_lossy(&text));
        }
    }
}
