//! What libvirt makes of our XML, against our own arguments, by meaning.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use passthru_guest::spec::{AccelChoice, Audio, AudioBackend};
use passthru_guest::{Guest, GuestSpec, libvirt, render, script};

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
}

impl Embedded {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o777)).expect("set");
        Self { root }
    }

    /// The command line that libvirt makes of a domain.
    fn arguments(&self, xml: &str) -> String {
        let root = self.root.path();
        std::fs::write(root.join("domain.xml"), xml).expect("written");
        let uri = format!("qemu:///embed?root={}/state", root.display());
        // As root, libvirt wants its user to be there; as anybody else it wants none.
        let (program, before): (_, &[&str]) = if rustix::process::geteuid().is_root() {
            ("setpriv", &["--reuid=65534", "--regid=65534", "--clear-groups", "virsh"])
        } else {
            ("virsh", &[])
        };
        let mut command = Command::new(program);
        command
            .args(before)
            .args(["-q", "-c", &uri, "domxml-to-native", "qemu-argv"])
            .arg(root.join("domain.xml"));
        let out = command.env("HOME", root).output().expect("runs");
        assert!(out.status.success(), "{}\n{xml}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("text")
    }
}

/// The sentences of our own arguments.
fn ours(guest: &Guest) -> BTreeSet<String> {
    let words = std::iter::once("qemu-system-x86_64".to_owned());
    let words: Vec<String> = words.chain(render::arguments(&guest.machine(&paths(guest)))).collect();
    meaning::of(&script::command(&words))
}

/// Without a card of the host, which libvirt looks for; emulated, for there may be no KVM; and without a network, for
/// `domxml-to-native` takes any network for a tap device, which it makes (`qemuConnectDomainXMLToNative`).
fn without_hardware(mut spec: GuestSpec) -> GuestSpec {
    spec.devices.clear();
    spec.roms.clear();
    spec.accel = AccelChoice::Tcg;
    spec.network = None;
    spec.usb.clear();
    // The libvirt of Debian 12 does not know PipeWire.
    if let Some(Audio { backend: backend @ AudioBackend::Pipewire(_), .. }) = &mut spec.audio {
        *backend = AudioBackend::None;
    }
    spec
}

#[test]
fn libvirt_makes_the_same_machine_of_our_xml() {
    if !has("virsh") || !Path::new("/usr/bin/qemu-system-x86_64").exists() {
        return say("skipped: this test compares with virsh and QEMU");
    }
    let libvirt = Embedded::new();
    let mut differences = BTreeSet::new();
    let mut used = BTreeSet::new();
    let mut unexplained = BTreeSet::new();
    for spec in some(48).into_iter().map(without_hardware) {
        let guest = build(&spec);
        let theirs = meaning::of(&libvirt.arguments(&libvirt::xml(&guest.machine(&paths(&guest)))));
        let ours = ours(&guest);
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
    let idle = EXPLAINED.iter().chain(EXPLAINED_PROPERTIES).filter(|(start, _)| !used.contains(start));
    assert_eq!(idle.collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "differences that are no more");
    let differences: Vec<String> = differences.into_iter().collect();
    insta::assert_snapshot!(differences.join("\n"));
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
