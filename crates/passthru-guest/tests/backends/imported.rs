//! Specifications of what other programs keep, and of what we wrote for them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use passthru_guest::import::{Fate, ImportError, Imported, Source, import};
use passthru_guest::spec::{self, AccelChoice, Audio, AudioBackend, Display, Os, SharedSize};
use passthru_guest::{GuestName, GuestSpec, MemorySize, libvirt, script};
use passthru_model::guest_tuning::Scheduler;
use proptest::prelude::*;

use crate::{attached, build, corpora, facts, paths, say, specs, tuning};

fn read(path: &str, bytes: &[u8], name: Option<GuestName>) -> Result<Imported, ImportError> {
    import(&Source { path, bytes, folder: "/srv/guests".as_ref() }, name, &facts())
}

/// What building has settled: `auto` is what it came to, and a display that is there by itself is not asked for.
fn settled(spec: &GuestSpec) -> GuestSpec {
    let guest = build(spec);
    let mut spec = tuning::settled(spec, &guest);
    if spec.accel == AccelChoice::Auto {
        spec.accel = AccelChoice::Kvm;
    }
    let by_itself = if spec.devices.is_empty() { Display::Vnc } else { Display::None };
    spec.display = Some(guest.display()).filter(|display| *display != by_itself);
    // Domain XML and QEMU have the size alone.
    if let Some(glass) = &mut spec.looking_glass {
        glass.size = SharedSize::Memory(MemorySize::from_mib(glass.mib()).expect("a size"));
    }
    attached::settled(&mut spec);
    for_system(spec.os, spec)
}

/// The same guest with another system; what the one asks for by itself has to be said of the other.
fn for_system(os: Os, mut spec: GuestSpec) -> GuestSpec {
    let (secure_boot, tpm) = (spec.wants_secure_boot(), spec.wants_tpm());
    let guest = build(&spec);
    if !spec.disks.is_empty() {
        spec.storage.bus = Some(guest.disk_bus());
    }
    if let Some(nic) = &mut spec.network {
        nic.model = guest.card().map(|card| card.model);
    }
    (spec.os, spec.secure_boot, spec.tpm) = (os, None, None);
    spec.secure_boot = (secure_boot != spec.wants_secure_boot()).then_some(secure_boot);
    spec.tpm = (tpm != spec.wants_tpm()).then_some(tpm);
    attached::settled(&mut spec);
    spec
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_exported_to_libvirt_is_imported_as_it_was(spec in specs()) {
        let guest = build(&spec);
        let xml = libvirt::xml(&guest.machine(&paths(&guest)));
        let back = read("box.xml", xml.as_bytes(), None).expect("a guest");
        let lost: Vec<_> = back.notes.iter().filter(|note| note.fate == Fate::Lost).collect();
        prop_assert!(lost.is_empty(), "{lost:?}");
        prop_assert_eq!(&back.spec, &settled(&spec).without_defaults());
        prop_assert!(tuning::is_same_machine(&guest, &back.spec));
    }

    #[test]
    fn what_is_exported_to_qemu_loses_only_which_system_it_is_and_where_vcpus_run(spec in specs()) {
        let guest = build(&spec);
        prop_assume!(tuning::looks_like_windows(&guest) == spec.os.is_windows());
        let script = script::script(&guest, &paths(&guest));
        let back = read("box.sh", script.as_bytes(), None).expect("a guest");
        let lost: Vec<_> = back.notes.iter().filter(|note| note.fate == Fate::Lost).collect();
        prop_assert!(lost.is_empty(), "{lost:?}\n{script}");
        let mut wanted = for_system(back.spec.os, settled(&spec));
        // QEMU waits for each USB device, and PipeWire looks into the environment.
        wanted.usb.iter_mut().for_each(|device| device.optional = false);
        if let Some(Audio { backend: AudioBackend::Pipewire(directory), .. }) = &mut wanted.audio {
            *directory = None;
        }
        wanted.processor.pins = None;
        (wanted.processor.emulator, wanted.processor.iothread) = (None, None);
        wanted.processor.scheduler = Scheduler::Normal;
        prop_assert_eq!(back.spec, wanted.without_defaults());
    }

    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,120}", options in "[-a-z0-9,=_{}\":<>/' ]{0,80}") {
        for text in [text, options.clone(), format!("<domain type='kvm'>{options}</domain>"), format!("kvm -m 1 {options}")] {
            let _ = read("x", text.as_bytes(), None);
        }
    }
}

/// Files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Specification and notes as a person reads them.
fn told(imported: &Imported) -> String {
    let text = spec::write(&imported.spec, |_| None);
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let _ = writeln!(out, "  {line}");
    }
    for note in imported.notes.iter().filter(|note| note.fate == Fate::Lost) {
        let _ = writeln!(out, "  {}: {} ({})", note.line, note.what, note.why);
    }
    let left = imported.notes.iter().filter(|note| note.fate == Fate::LeftOut).count();
    let _ = writeln!(out, "  {left} left out");
    out
}

#[test]
fn published_guests_are_imported_and_what_is_lost_is_said() {
    let Some(folder) = corpora("setups") else { return };
    let mut out = String::new();
    let mut seen = std::collections::BTreeSet::new();
    for path in files(&folder) {
        let bytes = std::fs::read(&path).expect("reads");
        let name = path.strip_prefix(&folder).expect("below").display().to_string();
        // Old versions of one file are often the same.
        if !seen.insert(bytes.clone()) {
            continue;
        }
        match read(&name, &bytes, None) {
            Ok(imported) => drop(write!(out, "{name}\n{}", told(&imported))),
            Err(ImportError::Other { .. } | ImportError::Unreadable { .. }) => {}
            Err(error) => drop(writeln!(out, "{error}")),
        }
    }
    insta::assert_snapshot!(out);
}

/// libvirt's own pairs of a domain and the command line that it makes of it. Those that are listed differ because the XML counts
/// memory that is plugged in later or rounds it for each NUMA node, because it leaves the size of huge pages to the host or has
/// several, because only XML says pins, because a clock is the usual one of one system alone, because a display is a device that no
/// rule knows, or because a TPM that libvirt says is somebody else's looks like any other to QEMU.
#[test]
fn a_domain_and_the_command_line_that_libvirt_makes_of_it_are_one_guest() {
    let Some(folder) = corpora("libvirt/qemuxmlconf") else { return };
    let (mut same, mut other) = (0, String::new());
    for xml in files(&folder).iter().filter(|path| path.extension().is_some_and(|ending| ending == "xml")) {
        let name: GuestName = "box".parse().expect("a name");
        let both = [xml.clone(), xml.with_extension("args")];
        let [domain, command] = both.map(|path| {
            let bytes = std::fs::read(&path).expect("reads");
            read(&path.display().to_string(), &bytes, Some(name.clone()))
        });
        // What is for other processors, or has no PCI Express, still is one guest; what is none on either side is none.
        let (Ok(mut domain), Ok(mut command)) = (domain, command) else { continue };
        // A command line does not say what runs in the guest; it says the time that the board keeps.
        domain.spec.os = command.spec.os;
        // And where a domain leaves the firmware to libvirt, it may choose one with Secure Boot.
        domain.spec.secure_boot = domain.spec.secure_boot.or(command.spec.secure_boot);
        if domain.spec == command.spec {
            same += 1;
            continue;
        }
        let file = xml.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for imported in [&mut domain, &mut command] {
            imported.notes.clear();
        }
        let _ = writeln!(other, "{file}\n{}{}", told(&domain), told(&command));
    }
    say(&format!("{same} pairs are one guest"));
    insta::assert_snapshot!(other);
    assert!(same > 60, "{same}");
}

#[test]
fn a_quickemu_file_is_imported() {
    let file = "guest_os=\"windows\"\ndisk_img=\"windows-11/disk.qcow2\"\niso=\"windows-11/windows-11.iso\"\n\
                fixed_iso=\"windows-11/virtio-win.iso\"\ntpm=\"on\"\nsecureboot=\"off\"\nram=\"8G\"\ncpu_cores=\"4\"\n\
                port_forwards=(\"22:2200\")\nusb_devices=(\"046d:c52b\" '1050:0407')\ndisk_size=\"64G\"\npublic_dir=\"$(xdg-user-dir)\"\n";
    insta::assert_snapshot!(told(
        &read("/srv/guests/windows-11.conf", file.as_bytes(), None).expect("a guest")
    ));
}

#[test]
fn a_script_is_imported_with_what_it_cannot_say() {
    let file = "#!/bin/bash\n# My old script.\nMEM=8G\nOPTS=\"-cpu host,kvm=off,hv_relaxed,hv_vendor_id=whatever\"\n\
                OPTS=\"$OPTS -device vfio-pci,host=01:00.0,x-vga=on,romfile=/srv/gpu.rom\"\n\
                taskset -c 2-7 qemu-system-x86_64 -enable-kvm -M q35 -m $MEM -smp 6,sockets=1,cores=3,threads=2 $OPTS \\\n\
                \x20 -drive if=pflash,format=raw,readonly,file=/usr/share/OVMF/OVMF_CODE.fd \\\n\
                \x20 -drive file=/srv/win.img,if=none,id=d0,cache=none,format=raw \\\n\
                \x20 -device virtio-scsi-pci,id=scsi -device scsi-hd,drive=d0,bootindex=2 \\\n\
                \x20 -cdrom ./virtio-win.iso -usb -device usb-host,hostbus=1,hostaddr=$(lsusb) \\\n\
                \x20 -net nic -vga none -nographic \"$@\" 2>&1 | tee log\n";
    let imported = read("win.sh", file.as_bytes(), None).expect("a guest");
    insta::assert_snapshot!(told(&imported));
}

#[test]
fn bad_input_is_one_clear_error() {
    let domain = |inside: &str| format!("<domain type='kvm'>\n  <name>a</name>\n{inside}\n</domain>");
    let cases = [
        "<domain".to_owned(),
        "<network/>".to_owned(),
        "<domain type='xen'><name>a</name></domain>".to_owned(),
        domain("  <memory>many</memory>"),
        domain("  <memory>4194304</memory>\n  <vcpu>0</vcpu>"),
        domain(""),
        domain("  <memory unit='GiB'>4</memory>")
            .replace(">a<", ">my \u{1b}[2J guest<")
            .replace('\u{1b}', "\\"),
        "qemu-system-x86_64 -m x -S".to_owned(),
        "qemu-system-x86_64 -m '4G -S".to_owned(),
        "#!/bin/sh\necho hello\n".to_owned(),
        "guest_os=linux\ndisk_img=a.qcow2\nram=lots\n".to_owned(),
    ];
    let errors: Vec<String> = cases
        .iter()
        .map(|text| read("file", text.as_bytes(), None).expect_err("an error").to_string())
        .collect();
    insta::assert_snapshot!(errors.join("\n"));
    let bytes = read("file", b"\xff\xfe", None).expect_err("an error").to_string();
    assert!(bytes.contains("not text in UTF-8"), "{bytes}");
}
