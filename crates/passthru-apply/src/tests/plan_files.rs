//! Plans in files, and hostile ones.

use passthru_model::managed;
use passthru_model::plan::{Action, Effect, Expectation, FileState, Plan, Step};
use passthru_model::program::Program;

use crate::plan_file::{PlanFileError, parse, write};

fn plan(action: Action) -> Plan {
    let (what, why) = (String::new(), String::new());
    let step = Step { id: "a-step".to_owned(), action, what, why, effect: Effect::Now };
    Plan { title: "a test".to_owned(), steps: vec![step], notes: Vec::new(), guest: None }
}

fn file(path: &str, after: FileState) -> Action {
    Action::File { path: path.to_owned(), before: FileState::Absent, after }
}

fn run(program: Program, arguments: &[&str], rewrites: &[&str]) -> Action {
    let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    Action::Run { program, arguments: owned(arguments), rewrites: owned(rewrites), expect: Vec::new() }
}

fn verdict(action: Action) -> Result<(), PlanFileError> {
    parse(&write(&plan(action), "a host").expect("serialises")).map(drop)
}

/// A boot entry of the firmware without passthrough, of nothing but what makes it one.
fn way_back() -> FileState {
    let line = "root=/dev/sda2 passthru.off".encode_utf16().flat_map(u16::to_le_bytes);
    FileState::root_file(
        [7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0].into_iter().chain(line).collect::<Vec<u8>>(),
        0o644,
    )
}

#[test]
fn a_plan_of_ours_survives_being_saved() {
    let actions = [
        file(managed::GRUB_DROP_IN, FileState::root_file("x\n", 0o644)),
        file(managed::EARLY, FileState::root_file(vec![0xff, 0], 0o755)),
        file("/etc/modprobe.d/anything.conf", FileState::Absent),
        file(managed::EARLY_WANT, FileState::Link { target: "../passthru-early.service".to_owned() }),
        file(managed::VERIFY_WANT, FileState::Link { target: managed::VERIFY_UNIT.to_owned() }),
        run(Program::UpdateGrub, &[], &[managed::GRUB_CFG]),
        run(Program::Kernelstub, &[], &["/boot/efi/EFI/Pop_OS-1/initrd.img"]),
        run(Program::LimineMkinitcpio, &[], &["/boot/limine.conf", "/boot/m/linux/initramfs-linux"]),
        file(managed::LIMINE_SETTINGS[0], FileState::root_file("x\n", 0o644)),
        run(Program::UBootUpdate, &[], &[managed::SYSLINUX[1]]),
        file(managed::U_BOOT_OFF_ENTRY, FileState::root_file("x\n", 0o644)),
        file(&managed::boot_variable(2), way_back()),
        Action::File {
            path: managed::BOOT_ORDER.to_owned(),
            before: FileState::root_file("1", 0o644),
            after: FileState::root_file("2", 0o644),
        },
        file(managed::KERNELSTUB, FileState::root_file("{}", 0o644)),
        run(Program::GrubMkconfig, &["-o", managed::GRUB_CFG], &[managed::GRUB_CFG]),
        run(Program::Grub2Mkconfig, &["-o", "/boot/grub2/grub.cfg"], &["/boot/grub2/grub.cfg"]),
        run(Program::UpdateInitramfs, &["-u", "-k", "6.12.0-1+b~1_amd64"], &["/boot/initrd.img-6.12.0"]),
        run(Program::Dracut, &["--force", "/boot/initrd.img-6.12.0", "6.12.0"], &["/boot/initrd.img-6.12.0"]),
        run(Program::Mkinitcpio, &["-p", "linux-lts"], &["/boot/initramfs-linux-lts.img"]),
        run(
            Program::Mkinitcpio,
            &["-k", "6.12.1-arch1-1", "-g", "/boot/initramfs-custom.img"],
            &["/boot/initramfs-custom.img"],
        ),
        file(managed::MKINITCPIO_INSTALL, FileState::root_file("x\n", 0o755)),
        run(Program::KernelInstall, &["add", "6.12.0", "/boot/vmlinuz-6.12.0"], &["/efi/t/6.12.0/linux"]),
        run(
            Program::KernelInstall,
            &["add", "6.12.0", "/usr/lib/modules/6.12.0/vmlinuz"],
            &["/boot/efi/t/linux"],
        ),
        file(managed::KERNEL_CMDLINE, FileState::root_file("root=UUID=1\n", 0o644)),
        file("/boot/efi/loader/entries/t-6.12.0-passthru-off.conf", FileState::Absent),
        run(Program::UpdateInitramfs, &["-u", "-k", "all"], &["/var/lib/initramfs-tools/6.12.0"]),
    ];
    for action in actions {
        let plan = plan(action);
        let read = parse(&write(&plan, "a host").expect("serialises")).expect("is allowed");
        assert_eq!((read.plan, read.host.as_str()), (plan, "a host"));
    }
}

#[test]
fn a_hostile_plan_is_refused() {
    let root = || FileState::root_file("x", 0o644);
    let owned = |uid| FileState::File {
        content: passthru_model::plan::Content(Vec::new()),
        mode: 0o644,
        uid,
        gid: 0,
    };
    let look = |path: &str| Action::Run {
        program: Program::UpdateGrub,
        arguments: Vec::new(),
        rewrites: Vec::new(),
        expect: vec![Expectation::Contains { path: path.to_owned(), needles: Vec::new() }],
    };
    let hostile = [
        file("/etc/shadow", root()),
        file("/etc/passthru/../shadow", root()),
        file("/etc/modprobe.d/../x.conf", root()),
        file("/etc/modprobe.d/sub/x.conf", root()),
        file("/etc/modprobe.d/.conf", root()),
        file("/etc/modprobe.d/x", root()),
        file("etc/passthru/devices", root()),
        file(managed::EARLY, FileState::root_file("x", 0o4755)),
        file(managed::EARLY, FileState::root_file("x", 0o777)),
        file(managed::EARLY, owned(1000)),
        file(managed::EARLY_WANT, FileState::Link { target: "/root/.ssh/id".to_owned() }),
        file(managed::EARLY_WANT, FileState::Link { target: "../../../../../../root".to_owned() }),
        run(Program::UpdateGrub, &["-o", "/etc/shadow"], &[]),
        run(Program::Kernelstub, &["--esp-path", "/etc"], &[]),
        run(Program::LimineMkinitcpio, &["linux"], &[]),
        run(Program::UBootUpdate, &["/etc"], &[]),
        file("/usr/share/u-boot-menu/conf.d/x.conf", root()),
        run(Program::GrubMkconfig, &["-o", "/etc/shadow"], &[]),
        run(Program::GrubMkconfig, &["-o", "/boot/efi/EFI/fedora/grub.cfg"], &[]),
        run(Program::GrubMkconfig, &[managed::GRUB_CFG, "-o"], &[]),
        run(Program::UpdateInitramfs, &["-d", "-k", "all"], &[]),
        run(Program::UpdateInitramfs, &["-u", "-b", "/etc"], &[]),
        run(Program::UpdateInitramfs, &["-u", "-k", "6/../../etc"], &[]),
        run(Program::UpdateGrub, &[], &["/etc/shadow"]),
        run(Program::UpdateGrub, &[], &["/boot/../etc/shadow"]),
        run(Program::QemuSystemX86_64, &[], &[]),
        run(Program::Virsh, &["define", "/tmp/a.xml"], &[]),
        run(Program::Dracut, &["--force", "/etc/shadow", "6.12.0"], &[]),
        run(Program::Mkinitcpio, &["-p", "/tmp/evil.preset"], &[]),
        run(Program::Mkinitcpio, &["-p", "-A"], &[]),
        run(Program::Mkinitcpio, &["-P"], &[]),
        run(Program::Mkinitcpio, &["-k", "6.12.0", "-g", "/etc/shadow"], &[]),
        run(Program::KernelInstall, &["remove", "6.12.0", "/boot/vmlinuz-6.12.0"], &[]),
        run(Program::KernelInstall, &["add", "6.12.0", "/etc/shadow"], &[]),
        run(Program::KernelInstall, &["add", "6.12.0", "/usr/lib/modules/6.1.0/vmlinuz"], &[]),
        run(Program::KernelInstall, &["add", "6.12.0", "/boot/vmlinuz-6.12.0", "/etc/shadow"], &[]),
        run(Program::KernelInstall, &["add", "6.12.0", "/boot/vmlinuz-6.12.0"], &["/efi/../etc/shadow"]),
        file("/efi/loader/entries/other.conf", root()),
        file(&managed::boot_variable(2), root()),
        Action::File { path: managed::boot_variable(0), before: root(), after: FileState::Absent },
        file(managed::BOOT_ORDER, root()),
        file(&managed::boot_variable(0xab).to_lowercase(), way_back()),
        file(&format!("{}/db{}", managed::EFI_VARIABLES, managed::EFI_GLOBAL), root()),
        file("/boot/efi/loader/entries/x/y-passthru-off.conf", root()),
        run(Program::Dracut, &["--force", "/boot/initrd.img-6.12.0", "6.12.0", "--include"], &[]),
        run(Program::Dracut, &["--conf", "/boot/initrd.img-6.12.0", "6.12.0"], &[]),
        run(Program::Dracut, &["--force", "/boot/initrd.img-6.12.0", "--add"], &[]),
        look("/etc/shadow"),
    ];
    for action in hostile {
        let said = format!("{action:?}");
        let refused = verdict(action);
        assert!(matches!(refused, Err(PlanFileError::Refused { .. })), "{said}: {refused:?}");
    }
}

#[test]
fn what_is_no_plan_file_is_told_apart_from_another_version() {
    assert!(matches!(parse(b"not json"), Err(PlanFileError::Malformed(_))));
    assert!(matches!(parse(b"{\"schema\":\"passthru.plan-file/2\"}"), Err(PlanFileError::Schema(_))));
    assert!(matches!(parse(b"{\"schema\":\"passthru.plan-file/1\"}"), Err(PlanFileError::Malformed(_))));
    let more = b"{\"schema\":\"passthru.plan-file/1\",\"host\":\"\",\"plan\":{\"title\":\"\",\"steps\":[],\"notes\":[]},\"x\":1}";
    assert!(matches!(parse(more), Err(PlanFileError::Malformed(_))));
    assert!(matches!(parse(&vec![b' '; 17 << 20]), Err(PlanFileError::Malformed(_))));
}
