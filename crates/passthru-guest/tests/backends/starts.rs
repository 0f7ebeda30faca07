//! QEMU itself takes our arguments: it sets the machine up, waits before the first instruction, and is told to quit.

use std::path::Path;
use std::process::Command;

use passthru_guest::accel::Accel;
use passthru_guest::run::GuestPaths;
use passthru_guest::spec::{AudioBackend, FirmwareKind, NicBackend, PagesChoice, SharedMemory};
use passthru_guest::{MemorySize, render};
use passthru_plan::hyperv::Enlightenment;

use crate::{build, say, some};

#[test]
fn qemu_sets_every_machine_up() {
    let (qemu, code) = ("/usr/bin/qemu-system-x86_64", "/usr/share/OVMF/OVMF_CODE_4M.fd");
    if !Path::new(qemu).exists() || !Path::new(code).exists() {
        return say("skipped: qemu-system-x86 and ovmf are not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (number, mut spec) in some(24).into_iter().enumerate() {
        spec.devices.clear();
        spec.roms.clear();
        // They are the host's, and no other test needs them to be here.
        spec.usb.clear();
        // Memory is reserved and not filled.
        spec.memory = MemorySize::from_mib(256).expect("a size");
        spec.memory_backing.pages = PagesChoice::Transparent;
        let place = |path: &Path| folder.path().join(path.file_name().unwrap_or_default());
        for disk in &mut spec.disks {
            disk.path = place(&disk.path);
            disk.format = passthru_guest::spec::DiskFormat::Raw;
        }
        for medium in &mut spec.media {
            medium.path = place(&medium.path);
        }
        spec.disks.sort_by(|one, other| one.path.cmp(&other.path));
        spec.disks.dedup_by(|one, other| one.path == other.path);
        let images =
            spec.disks.iter().map(|disk| &disk.path).chain(spec.media.iter().map(|medium| &medium.path));
        for image in images {
            std::fs::write(image, vec![0; 1 << 16]).expect("written");
        }
        // A tap interface and a bridge are the host's.
        if let Some(nic) = &mut spec.network {
            (nic.backend, nic.queues) = (NicBackend::User, None);
        }
        // There are neither input devices nor sound servers here, and no other host's memory.
        spec.inputs.clear();
        if let Some(audio) = &mut spec.audio
            && audio.backend != AudioBackend::Spice
        {
            audio.backend = AudioBackend::None;
        }
        if let Some(glass) = &mut spec.looking_glass {
            let name = format!("passthru-test-{}-{number}", std::process::id());
            glass.memory = SharedMemory::File(name);
        }
        // swtpm is another test's.
        spec.tpm = Some(false);
        let guest = build(&spec);
        let paths = GuestPaths::new(folder.path(), folder.path(), guest.name());
        std::fs::create_dir_all(paths.state()).expect("made");
        if spec.firmware == FirmwareKind::Uefi {
            let template = guest.uefi().map(|uefi| uefi.template.clone()).expect("UEFI");
            std::fs::copy(template, paths.vars("raw")).expect("copied");
        }
        let mut machine = guest.machine(&paths);
        machine.paused = true;
        // With all that was chosen for KVM, of which TCG takes note as KVM does, but for the host's own caches and addresses and
        // the numbers of vCPUs; and without static huge pages, which the machine of a test has none of.
        machine.accel = Accel::Tcg;
        (machine.cpu.cache, machine.cpu.address_bits, machine.memory_source.huge) = (None, None, None);
        machine.hyper_v.on.remove(&Enlightenment::Vpindex);
        // It ends by itself where it is told on standard input; a machine that cannot be ends with an error.
        let mut child = Command::new(qemu)
            .args(render::arguments(&machine))
            .args(["-chardev", "stdio,id=quit", "-mon", "chardev=quit,mode=control"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("starts");
        let words = b"{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n";
        std::io::Write::write_all(child.stdin.as_mut().expect("a pipe"), words).expect("told");
        let out = child.wait_with_output().expect("ends");
        if let Some(glass) = &spec.looking_glass {
            std::fs::remove_file(glass.memory.path()).expect("made by QEMU");
        }
        assert!(out.status.success(), "{number}: {}\n{spec:?}", String::from_utf8_lossy(&out.stderr));
    }
}
