//! Scripts and command lines of QEMU, judged by the rules that domains are judged by.

use std::fmt::Write as _;
use std::path::Path;

use passthru_formats::qemu_command::{self, CommandDomain};
use passthru_guest::look::Looked;
use passthru_guest::run::GuestPaths;
use passthru_guest::spec::FirmwareKind;
use passthru_guest::{Guest, GuestSpec, script};
use passthru_host::{Host, gather};
use passthru_model::intent::DeviceIdentity;
use passthru_model::{Fact, HostFacts, Verdict};
use passthru_plan::guest_file::{GuestFile, lint_command};

use crate::domains::patched;
use crate::published::files;
use crate::{Made, corpora, say};

fn judged(facts: &HostFacts, name: &str, text: &str) -> Option<GuestFile> {
    let command = qemu_command::parse(text).ok()?;
    let read = CommandDomain::of(name, "the guest", &command);
    Some(lint_command(facts, &read, &command, text))
}

/// The faults with their lines and remedies.
fn faults(file: &GuestFile) -> String {
    let mut out = String::new();
    for finding in file.findings.iter().filter(|finding| finding.verdict >= Verdict::Warn) {
        let place = finding.evidence.first().map_or("", |one| one.path.as_str());
        let line = place.rsplit_once(':').map_or("-", |(_, line)| line);
        let _ = writeln!(out, "{line}: {} {}: {}", finding.verdict.word(), finding.id, finding.summary);
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(out, "    -> {}", remedy.what);
        }
    }
    out
}

const OLD: &str = "#!/bin/bash\n# As it was done in 2017.\nexport QEMU_AUDIO_DRV=pa\n\
    qemu-system-x86_64 -enable-kvm -name win10 -M q35 -m 8192 \\\n\
    \x20 -cpu host,kvm=off,hv_vendor_id=1234567890ab,hv_relaxed,hv_stimer \\\n\
    \x20 -smp 8,sockets=4,cores=2,threads=1 \\\n\
    \x20 -bios /usr/share/ovmf/OVMF.fd -mem-path /dev/hugepages \\\n\
    \x20 -device vfio-pci,host=01:00.0,x-vga=on \\\n\
    \x20 -device vfio-pci,host=01:00.1 \\\n\
    \x20 -device virtio-balloon \\\n\
    \x20 -object input-linux,id=kbd,evdev=/dev/input/event5,grab_all=on \\\n\
    \x20 -soundhw hda \\\n\
    \x20 -spice port=5900,disable-ticketing \\\n\
    \x20 -vga qxl -display none \\\n\
    \x20 -cdrom ./win10.iso\n";

#[test]
fn an_old_script_is_judged_by_line_and_a_patch_mends_what_is_safe() {
    let facts = Made::new().on_vfio().facts();
    let file = judged(&facts, "win10.sh", OLD).expect("a command");
    insta::assert_snapshot!(format!("{}\n{}", faults(&file), file.patch));
}

#[test]
fn what_the_patch_mends_is_found_no_more_and_the_command_stays_one() {
    let facts = Made::new().on_vfio().facts();
    let first = judged(&facts, "win10.sh", OLD).expect("a command");
    let Some(better) = patched(OLD.as_bytes(), &first.patch) else {
        return say("skipped: patch(1) is not installed");
    };
    let better = String::from_utf8(better).expect("text");
    let second = judged(&facts, "win10.sh", &better).expect("still a command");
    assert_eq!(second.patch, "");
    assert!(faults(&second).lines().count() < faults(&first).lines().count());
}

#[test]
fn a_script_whose_words_a_shell_works_out_is_judged_and_not_patched() {
    let text = "BALLOON=\"-device virtio-balloon\"\nqemu-kvm -accel kvm -cpu 'host,kvm=off' -m 4G $BALLOON -device vfio-pci,host=01:00.0\n";
    let file = judged(&Made::new().on_vfio().facts(), "a.sh", text).expect("a command");
    assert!(faults(&file).contains("guest-balloon"), "{}", faults(&file));
    assert!(faults(&file).contains("std, which QEMU adds by itself"), "{}", faults(&file));
    assert_eq!(file.patch, "");
}

/// Lines of libvirt's logs among the published setups; each fault was held against its file.
#[test]
fn published_command_lines_have_their_faults_and_no_others() {
    let Some(folder) = corpora("setups") else { return };
    let nothing = tempfile::tempdir().expect("a folder");
    let facts = gather(&Host::open(nothing.path()).expect("opens"));
    let mut out = String::new();
    for path in files(&folder) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let name = path.strip_prefix(&folder).expect("below").display().to_string();
        if path.extension().is_none_or(|ending| ending != "xml")
            && let Some(file) = judged(&facts, &name, &text)
        {
            let _ = writeln!(out, "{name}\n{}{}", faults(&file), file.patch);
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn what_is_exported_as_a_script_has_no_fault() {
    let mut facts = Made::new().on_vfio().facts();
    facts.kvm = Fact::known(passthru_model::facts::KvmState::Usable, "/dev/kvm", "usable");
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.devices = facts.functions().filter(|one| one.address.bus() == 1).map(DeviceIdentity::of).collect();
    if facts.guest_firmware.value().is_none_or(Vec::is_empty) {
        spec.firmware = FirmwareKind::Seabios;
    }
    let guest = Guest::build(&spec, &facts, &Looked::default()).expect("a guest");
    let paths = GuestPaths::new(Path::new("/run/p"), Path::new("/var/lib/p"), guest.name());
    let file = judged(&facts, "box.sh", &script::script(&guest, &paths)).expect("a command");
    assert_eq!(faults(&file), "");
}
