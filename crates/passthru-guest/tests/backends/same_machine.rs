//! What libvirt makes of our XML, against our own arguments, by meaning.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use passthru_guest::accel::Accel;
use passthru_guest::machine::Machine;
use passthru_guest::spec::{AccelChoice, Audio, AudioBackend};
use passthru_guest::{GuestSpec, libvirt, render, script};

use crate::{build, has, meaning, paths, say, some};

/// What differs, by the beginning of a sentence, and why it may.
const EXPLAINED: &[(&str, &str)] = &[
    ("option no-shutdown", "libvirt itself takes a guest down that has shut down"),
    ("option S", "libvirt lets a guest go when it has it in hand"),
    (
        "option uuid",
        "libvirt gives each domain an id, which the guest sees as its board's; QEMU's is all zeros",
    ),
    (
        "option boot strict=on",
        "with libvirt firmware tries nothing that has no boot order; all our drives have one",
    ),
    ("option spice addr=", "each has its sockets where its own QEMU may make them"),
    (
        "option spice seamless-migration=on",
        "for guests that move to another host, which none with a passed device does",
    ),
    ("option overcommit mem-lock=off", "QEMU's default"),
    ("machine usb=off", "what -nodefaults says too"),
    ("machine dump-guest-core=off", "what a crash of QEMU leaves on the host, not the guest's machine"),
    ("firmware pflash1: raw over file ", "each keeps the guest's variables where its own QEMU may write"),
    ("object secret", "the key of libvirt's own secrets"),
    ("option display is=none", "what -vnc and -spice imply"),
    ("object thread-context", "which of libvirt's threads takes memory beforehand; the memory is the same"),
    ("option rtc driftfix=none", "QEMU's default"),
    ("machine hpet=on", "QEMU's default"),
];

/// And of properties of devices.
const EXPLAINED_PROPERTIES: &[(&str, &str)] = &[
    (": index=0", "the first serial port has it anyway"),
    (": port=1", "the first free port of the hub, which it gets anyway"),
    (": device_id=", "a name of the disk in its identification, which is QEMU's own choice too"),
    (": vgamem_mb=16", "QEMU's default"),
    (": slot=", "the slot number that hotplug shows; chassis and place tell ports apart"),
    (": chardev=a pty", "virsh console finds it there"),
    (": chardev=a socket", "ours, so that the log is kept"),
];

fn explanation(sentence: &str) -> Option<&'static (&'static str, &'static str)> {
    let by_start = EXPLAINED.iter().find(|(start, _)| sentence.starts_with(start));
    by_start.or_else(|| EXPLAINED_PROPERTIES.iter().find(|(part, _)| sentence.contains(part)))
}

/// libvirt's QEMU driver within this process of virsh, with its files in one folder: no daemon, no state of the host.
struct Embedded {
    root: tempfile::TempDir,
    /// The group that may open `/dev/kvm`, where libvirt shall see KVM.
    kvm: Option<u32>,
}

impl Embedded {
    fn new(kvm: Option<u32>) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o777)).expect("set");
        Self { root, kvm }
    }

    /// The command line that libvirt makes of a domain.
    fn arguments(&self, xml: &str) -> String {
        let root = self.root.path();
        std::fs::write(root.join("domain.xml"), xml).expect("written");
        let uri = format!("qemu:///embed?root={}/state", root.display());
        // As root, libvirt wants its user to be there; as anybody else it wants none.
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            let groups = self.kvm.map_or("--clear-groups".to_owned(), |group| format!("--groups={group}"));
            command.args(["--reuid=65534", "--regid=65534", &groups, "virsh"]);
            command
        } else {
            Command::new("virsh")
        };
        command.args(["-q", "-c", &uri, "domxml-to-native", "qemu-argv"]).arg(root.join("domain.xml"));
        let out = command.env("HOME", root).output().expect("runs");
        assert!(out.status.success(), "{}\n{xml}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("text")
    }
}

/// The sentences of our own arguments.
fn ours(machine: &Machine) -> BTreeSet<String> {
    let words = std::iter::once("qemu-system-x86_64".to_owned());
    let words: Vec<String> = words.chain(render::arguments(machine)).collect();
    meaning::of(&script::command(&words))
}

static SWTPM: LazyLock<bool> = LazyLock::new(|| has("swtpm"));

/// The machine of a guest without a card of the host, which libvirt looks for, and without a network, for `domxml-to-native`
/// takes any network for a tap device, which it makes (`qemuConnectDomainXMLToNative`).
fn without_hardware(mut spec: GuestSpec) -> Machine {
    spec.devices.clear();
    spec.roms.clear();
    spec.network = None;
    spec.usb.clear();
    // The libvirt of Debian 12 does not know PipeWire.
    if let Some(Audio { backend: backend @ AudioBackend::Pipewire(_), .. }) = &mut spec.audio {
        *backend = AudioBackend::None;
    }
    // libvirt makes no arguments for a TPM that nothing here could emulate.
    if !*SWTPM {
        spec.tpm = Some(false);
    }
    let guest = build(&spec);
    guest.machine(&paths(&guest))
}

/// The same emulated, for there may be no KVM: with all that was chosen for KVM, but for what libvirt lets only the host's own
/// processor have.
fn emulated(mut machine: Machine) -> Machine {
    machine.accel = Accel::Tcg;
    (machine.cpu.cache, machine.cpu.address_bits) = (None, None);
    machine
}

/// Where `/dev/kvm` is, and a group may open it, that group.
fn kvm_group() -> Option<u32> {
    let about = std::fs::metadata("/dev/kvm").ok()?;
    let open = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    (open && about.mode() & 0o060 == 0o060).then(|| about.gid())
}

/// Holds what libvirt makes of machines against our arguments. Every difference has its explanation, and every explanation
/// its difference; what differs is returned.
fn compared(
    libvirt: &Embedded,
    machines: impl Iterator<Item = Machine>,
    explained: &[&[(&str, &str)]],
) -> String {
    let mut differences = BTreeSet::new();
    let mut used = BTreeSet::new();
    let mut unexplained = BTreeSet::new();
    for machine in machines {
        let theirs = meaning::of(&libvirt.arguments(&libvirt::xml(&machine)));
        let ours = ours(&machine);
        for (whose, sentence) in theirs
            .difference(&ours)
            .map(|sentence| ("libvirt", sentence))
            .chain(ours.difference(&theirs).map(|sentence| ("ours", sentence)))
        {
            match explanation(sentence) {
                Some((start, why)) => {
                    used.insert(*start);
                    differences.insert(format!("{whose}: {}\n    {why}", general(sentence)));
                }
                None => drop(unexplained.insert(format!("{whose}: {sentence}"))),
            }
        }
    }
    let unexplained: Vec<String> = unexplained.into_iter().collect();
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    let idle = explained.iter().copied().flatten().filter(|(start, _)| !used.contains(start));
    assert_eq!(idle.collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "differences that are no more");
    differences.into_iter().collect::<Vec<String>>().join("\n")
}

/// Whether there is something to compare with.
fn there_is_libvirt() -> bool {
    let there = has("virsh") && Path::new("/usr/bin/qemu-system-x86_64").exists();
    if !there {
        say("skipped: this test compares with virsh and QEMU");
    }
    there
}

#[test]
fn libvirt_makes_the_same_machine_of_our_xml() {
    if !there_is_libvirt() {
        return;
    }
    let machines = some(64).into_iter().map(|spec| emulated(without_hardware(spec)));
    let differences = compared(&Embedded::new(None), machines, &[EXPLAINED, EXPLAINED_PROPERTIES]);
    insta::assert_snapshot!(differences);
}

#[test]
fn libvirt_makes_the_same_machine_of_our_xml_under_kvm() {
    let (true, Some(group)) = (there_is_libvirt(), kvm_group()) else {
        return say("skipped: there is no KVM that a group may use");
    };
    // What differs is the same as of guests that are emulated, and reviewed there.
    let specs = some(64).into_iter().filter(|spec| spec.accel != AccelChoice::Tcg);
    compared(&Embedded::new(Some(group)), specs.map(without_hardware), &[EXPLAINED, EXPLAINED_PROPERTIES]);
}

/// A sentence without what is one guest's alone.
fn general(sentence: &str) -> String {
    let words = sentence.split(' ').map(|word| match word.split_once('=') {
        Some((name @ ("slot" | "is"), _)) if sentence.starts_with("option uuid") || name == "slot" => {
            format!("{name}=…")
        }
        _ if word.contains('/') => "…".to_owned(),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}
