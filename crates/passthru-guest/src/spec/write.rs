//! Specification to text, with the comments that a person who edits it wants.

use std::fmt::Write as _;

use passthru_model::backend::Backend;
use passthru_model::guest_tuning::{Frequency, GuestTuning, HostSleep, Interrupts, Isolation};
use passthru_model::intent::DeviceIdentity;

use super::{GuestSpec, audio, input, looking_glass, network, rom, storage, usb};

/// A TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A table as it is written; one without keys is not.
pub(super) struct Table {
    name: &'static str,
    lines: String,
}

impl Table {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, lines: String::new() }
    }

    /// A key with its value in TOML.
    pub(super) fn key(&mut self, key: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.lines, "{key} = {value}");
    }

    /// A key that may be left to the builder.
    pub(super) fn optional(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.key(key, value);
        }
    }

    pub(super) fn finish(self) -> String {
        if self.lines.is_empty() { String::new() } else { format!("\n[{}]\n{}", self.name, self.lines) }
    }
}

/// Writes a specification as `guest new` puts it down. `describe` names a device for its comment.
pub fn write(spec: &GuestSpec, describe: impl Fn(&DeviceIdentity) -> Option<String>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# A guest of passthru. Check it with: passthru guest check {0}", spec.name);
    let _ = writeln!(
        out,
        "# Start and stop it with: passthru guest start {0}, passthru guest stop {0}\n",
        spec.name
    );
    let _ =
        writeln!(out, "# linux, windows-10, windows-11 or other: decides which drivers can be counted on.");
    let _ = writeln!(out, "os = {}\n", quoted(spec.os.word()));
    if let Some(user) = &spec.run_as {
        let _ = writeln!(out, "run-as = {}\n", quoted(&user.to_string()));
    }
    if spec.backend != Backend::Qemu {
        let _ = writeln!(out, "backend = {}\n", quoted(spec.backend.word()));
    }
    let _ = writeln!(
        out,
        "# All of it is taken from the host while the guest runs: a device may write anywhere in it."
    );
    let _ = writeln!(out, "memory = {}", quoted(&spec.memory.to_string()));
    let _ = writeln!(out, "cpus = {}\n", spec.cpus);
    let _ = writeln!(out, "# uefi (OVMF, found by QEMU's firmware descriptors) or seabios.");
    let _ = writeln!(out, "firmware = {}", quoted(spec.firmware.word()));
    let _ = writeln!(
        out,
        "# Without these lines: true for windows-11, which is not installed without, else false."
    );
    switch(&mut out, "secure-boot", spec.secure_boot);
    switch(&mut out, "tpm", spec.tpm);
    let _ = writeln!(out, "# auto (KVM where it can be used), kvm or tcg.");
    let _ = writeln!(out, "accel = {}", quoted(spec.accel.word()));
    let _ = writeln!(
        out,
        "# none, or vnc or spice on a Unix socket. Without this line: none with a GPU, else vnc."
    );
    match spec.display {
        Some(display) => drop(writeln!(out, "display = {}", quoted(display.word()))),
        None => out.push_str("# display = \"vnc\"\n"),
    }
    let _ = writeln!(
        out,
        "# none; user: QEMU's own network, by which the guest reaches out and is not reached; or {{ bridge = \"br0\" }}."
    );
    let _ = writeln!(out, "network = {}", network::value(spec.network.as_ref()));
    if let Some(window) = spec.mmio_window {
        let _ = writeln!(out, "mmio-window = {}", quoted(&window.to_string()));
    }
    let tables =
        [spec.processor.write(), spec.memory_backing.write(), spec.hyper_v.write(), spec.clock.write()];
    if tables.iter().all(String::is_empty) {
        let _ = writeln!(
            out,
            "\n# Pinning, caches, huge pages, Hyper-V and timers are chosen for the host; [processor], [memory-backing], [hyper-v] and\n\
             # [clock] say otherwise. What was chosen, and why: passthru guest show {} --explain",
            spec.name
        );
    }
    out.extend(tables);
    tuning_table(&mut out, spec.tuning);
    for device in &spec.devices {
        out.push('\n');
        if let Some(name) = describe(device) {
            // The name is data from a file of ids or a device: one line, nothing that ends a comment.
            let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let _ = writeln!(out, "# {name}");
        }
        device_table(&mut out, device);
    }
    if spec.devices.is_empty() {
        out.push_str(
            "\n# Devices are named by what they are; passthru guest new NAME --device ADDRESS writes them.\n",
        );
    }
    for disk in &spec.disks {
        let path = quoted(&disk.path.to_string_lossy());
        let _ = write!(out, "\n[[disks]]\npath = {path}\nformat = {}\n", quoted(disk.format.word()));
    }
    if spec.disks.is_empty() {
        out.push_str(
            "\n# [[disks]]\n# path = \"/var/lib/passthru/images/NAME.qcow2\"\n# format = \"qcow2\"\n",
        );
    }
    for medium in &spec.media {
        let _ = write!(out, "\n[[media]]\npath = {}\n", quoted(&medium.path.to_string_lossy()));
    }
    if spec.media.is_empty() {
        out.push_str("\n# [[media]]\n# path = \"/var/lib/passthru/images/installer.iso\"\n");
    }
    spec.usb.iter().for_each(|device| usb::write(&mut out, device));
    spec.inputs.iter().for_each(|device| input::write(&mut out, device));
    if let Some(audio) = &spec.audio {
        audio::write(&mut out, audio);
    }
    if let Some(glass) = &spec.looking_glass {
        looking_glass::write(&mut out, glass);
    }
    storage::write(&mut out, spec.storage);
    rom::write(&mut out, &spec.roms);
    out
}

/// A switch that the builder sets by itself where the file does not.
fn switch(out: &mut String, key: &str, set: Option<bool>) {
    match set {
        Some(value) => drop(writeln!(out, "{key} = {value}")),
        None => drop(writeln!(out, "# {key} = true")),
    }
}

/// The table `[tuning]`; what is not asked for stands there as a comment.
fn tuning_table(out: &mut String, tuning: GuestTuning) {
    let isolation = match tuning.isolation {
        Isolation::None => None,
        Isolation::Slices => Some("slices"),
        Isolation::Partition => Some("partition"),
    };
    let frequency = (tuning.frequency == Frequency::Performance).then_some("performance");
    let interrupts = (tuning.interrupts == Interrupts::Move).then_some("move");
    let asked = tuning != GuestTuning::default();
    out.push_str("\n# Changes of the host while the guest runs; all are put back when it ends.\n");
    out.push_str(if asked { "[tuning]\n" } else { "# [tuning]\n" });
    for (about, key, word, example) in [
        (
            "none, slices (what systemd started keeps to the host's CPUs), or partition (nothing else runs there).",
            "isolation",
            isolation,
            "slices",
        ),
        (
            "leave, or performance: the guest's CPUs run as fast as they can.",
            "frequency",
            frequency,
            "performance",
        ),
        ("leave, or move: interrupts of the host go to the host's CPUs.", "interrupts", interrupts, "move"),
    ] {
        let _ = writeln!(out, "# {about}");
        let _ = match word {
            Some(word) => writeln!(out, "{key} = {}", quoted(word)),
            None => writeln!(out, "# {key} = {}", quoted(example)),
        };
    }
    out.push_str("# block (a guest with devices of the host keeps it awake), or allow.\n");
    out.push_str(match tuning.host_sleep {
        HostSleep::Block => "# host-sleep = \"allow\"\n",
        HostSleep::Allow => "host-sleep = \"allow\"\n",
    });
    out.push_str(
        "# true: the desktop ends while it runs, and comes back: for a host whose only card the guest has.\n",
    );
    out.push_str(if tuning.hand_over_display { "" } else { "# " });
    out.push_str("hand-over-display = true\n");
    out.push_str(
        "# true: it may be given what the host is left without while it runs; it is refused otherwise.\n",
    );
    for (key, is_set) in [
        ("take-only-display", tuning.take_only_display),
        ("take-in-use", tuning.take_in_use),
        ("take-last-keyboard", tuning.take_last_keyboard),
    ] {
        let _ = writeln!(out, "{}{key} = true", if is_set { "" } else { "# " });
    }
}

/// One `[[devices]]` table.
fn device_table(out: &mut String, device: &DeviceIdentity) {
    let _ = writeln!(out, "[[devices]]");
    let _ = writeln!(out, "address = \"{}\"", device.address);
    let _ = writeln!(out, "id = \"{}\"", device.id);
    let _ = writeln!(out, "subsystem = \"{}\"", device.subsystem);
    let _ = writeln!(out, "class = \"{}\"", device.class);
    if !device.parents.is_empty() {
        let parents: Vec<String> = device.parents.iter().map(|parent| format!("\"{parent}\"")).collect();
        let _ = writeln!(out, "parents = [{}]", parents.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::spec::{Disk, DiskFormat, Display, GuestSpec, Medium, Nic, NicBackend, parse};
    use crate::testing;
    use passthru_model::backend::Backend;
    use passthru_model::guest_tuning::{Frequency, GuestTuning, HostSleep, Interrupts, Isolation};
    use proptest::prelude::*;

    #[test]
    fn an_empty_guest_and_a_full_one() {
        let mut spec = GuestSpec::new("box".parse().expect("a name"));
        insta::assert_snapshot!("empty", write(&spec, |_| None));
        spec.display = Some(Display::None);
        spec.devices = testing::gpu_identities();
        spec.disks.push(Disk { path: "/srv/a, \"b\".qcow2".into(), format: DiskFormat::Qcow2 });
        spec.media.push(Medium { path: "/srv/c.iso".into() });
        insta::assert_snapshot!("full", write(&spec, |device| Some(format!("a\ncard {}", device.id))));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(path in "/[^\\x00]{0,40}", cpus in 1u32..512, tuned in 0usize..12, gpu: bool, networked: bool, named in ".{0,20}", secure_boot: Option<bool>, tpm: Option<bool>, by_libvirt: bool, by_user: bool) {
            let mut spec = GuestSpec::new("box".parse().expect("a name"));
            spec.cpus = cpus;
            (spec.secure_boot, spec.tpm) = (secure_boot, tpm);
            spec.run_as = by_user.then(|| "qemu".parse().expect("a name"));
            spec.backend = if by_libvirt { Backend::Libvirt } else { Backend::Qemu };
            spec.network = networked.then(|| Nic::on(NicBackend::User));
            spec.tuning = GuestTuning {
                isolation: [Isolation::None, Isolation::Slices, Isolation::Partition][tuned % 3],
                frequency: [Frequency::Leave, Frequency::Performance][tuned / 3 % 2],
                interrupts: [Interrupts::Leave, Interrupts::Move][tuned / 6],
                host_sleep: if gpu { HostSleep::Allow } else { HostSleep::Block },
                hand_over_display: by_libvirt,
                take_only_display: gpu,
                take_in_use: networked,
                take_last_keyboard: by_user,
            };
            spec.disks.push(Disk { path: path.clone().into(), format: DiskFormat::Raw });
            spec.media.push(Medium { path: path.into() });
            if gpu {
                spec.devices = testing::gpu_identities();
            }
            let text = write(&spec, |_| Some(named.clone()));
            prop_assert_eq!(parse(spec.name.clone(), "box.toml", &text), Ok(spec), "{}", text);
        }
    }
}
