//! A tree that stands for a host, programs that stand for its own, and a plan that touches everything.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use passthru_formats::cpio::{self, Entry, Kind};
use passthru_model::PciAddress;
use passthru_model::managed::{BOOT_ORDER, EFI_VARIABLES, boot_variable};
use passthru_model::plan::{Action, Content, Effect, Expectation, FileState, Plan, Step};
use passthru_model::program::Program;
use passthru_model::setting::KernelWrite;
use tempfile::TempDir;

use super::kernel::Kernel;
use super::tuning::{self, Values};
use crate::failpoint;
use crate::{
    Applied, AttributeFailure, Error, OnConflict, RunFailure, Runner, Silent, Target, Undone, Which,
};

pub(super) const GRUB: &str = "/etc/default/grub";
pub(super) const DEVICES: &str = "/etc/passthru/devices";
pub(super) const IMAGE: &str = "/boot/initrd.img-6.12.0";
pub(super) const OLDER_IMAGE: &str = "/boot/initrd.img-6.1.0";
/// What kernel-install makes: a copy of the image, an entry, and by our plugin one without passthrough.
pub(super) const COPY: &str = "/boot/efi/t/6.12.0/initrd";
pub(super) const ENTRY: &str = "/boot/efi/loader/entries/t-6.12.0.conf";
pub(super) const OFF_ENTRY: &str = "/boot/efi/loader/entries/t-6.12.0-passthru-off.conf";
/// kernelstub's settings, and what it makes: a copy of the image, and an entry beside which ours stands.
pub(super) const KERNELSTUB: &str = "/etc/kernelstub/configuration";
pub(super) const STUB_COPY: &str = "/boot/efi/EFI/Pop_OS-1/initrd.img";
pub(super) const STUB_ENTRY: &str = "/boot/efi/loader/entries/Pop_OS-current.conf";
pub(super) const STUB_OFF_ENTRY: &str = "/boot/efi/loader/entries/0-Pop_OS-current-passthru-off.conf";
/// u-boot-update's settings, our file beside them, and the menu that it makes.
pub(super) const U_BOOT: &str = "/etc/default/u-boot";
pub(super) const U_BOOT_OFF_ENTRY: &str = "/etc/u-boot-menu/conf.d/90-passthru.conf";
pub(super) const U_BOOT_MENU: &str = "/boot/extlinux/extlinux.conf";
/// The settings of limine-entry-tool, what it runs of ours, and what it makes: an image and the menu.
pub(super) const LIMINE: &str = "/etc/default/limine";
pub(super) const LIMINE_OFF_ENTRY: &str = "/etc/boot/hooks/post.d/50-passthru";
pub(super) const LIMINE_IMAGE: &str = "/boot/m/linux/initramfs-linux";
pub(super) const LIMINE_MENU: &str = "/boot/limine.conf";
pub(super) const GRUB_CFG: &str = "/boot/grub/grub.cfg";

/// What is at each path: kind, mode, owner, time of change and content.
pub(super) type Snapshot = BTreeMap<PathBuf, (u32, u32, u32, i64, Vec<u8>)>;

/// A directory that stands for a host.
pub(super) struct Tree {
    pub(super) directory: TempDir,
}

impl Tree {
    /// A small Debian.
    pub(super) fn new() -> Self {
        let tree = Self::empty();
        for directory in ["etc/default", "etc/modprobe.d", "etc/systemd/system", "boot/grub", "var/lib"] {
            fs::create_dir_all(tree.root().join(directory)).expect("makes a directory");
        }
        tree.write(
            GRUB,
            "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\n# a comment\nGRUB_CMDLINE_LINUX=\"quiet\"\n# the end\n",
        );
        tree.write("/etc/modprobe.d/old.conf", "options vfio-pci ids=10de:13c2\n");
        tree.write("/etc/modules", "loop\n");
        tree.write("/proc/sys/kernel/random/boot_id", "7d5c6a0e-0000-4000-8000-000000000001\n");
        fs::set_permissions(tree.host(GRUB), fs::Permissions::from_mode(0o640)).expect("sets a mode");
        std::os::unix::fs::symlink("../../modules", tree.host("/etc/systemd/system/other")).expect("links");
        tree.write(IMAGE, "");
        tree.write(OLDER_IMAGE, "");
        let mut programs = Programs::default();
        programs.go(&tree, Program::UpdateInitramfs).expect("builds the images");
        programs.go(&tree, Program::UpdateGrub).expect("builds the menu");
        tree.write("/etc/kernel/cmdline", "root=UUID=1 quiet\n");
        for path in [COPY, ENTRY] {
            tree.write(path, "");
        }
        programs.go(&tree, Program::KernelInstall).expect("makes the entry");
        tree
    }

    /// A directory with nothing in it, in memory where there is room for that.
    pub(super) fn empty() -> Self {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { directory: directory.expect("makes a directory") }
    }

    pub(super) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn host(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.host(path);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("makes a directory");
        fs::write(path, content).expect("writes");
    }

    pub(super) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.host(path)).expect("reads")
    }

    pub(super) fn target(&self) -> Target {
        Target::open(self.root()).expect("opens")
    }

    pub(super) fn copy(&self) -> Self {
        let copy = Self::empty();
        let mut from = self.root().as_os_str().to_owned();
        from.push("/.");
        let status = std::process::Command::new("cp").arg("-a").arg(from).arg(copy.root()).status();
        assert!(status.expect("cp runs").success());
        copy
    }

    /// Everything but our own state.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        self.visit(self.root(), &mut snapshot);
        snapshot
    }

    fn visit(&self, directory: &Path, snapshot: &mut Snapshot) {
        for entry in fs::read_dir(directory).expect("lists") {
            let path = entry.expect("lists").path();
            if path == self.host("/var/lib/passthru") {
                continue;
            }
            let metadata = fs::symlink_metadata(&path).expect("looks");
            if metadata.len() == 0 && path.starts_with(self.host(EFI_VARIABLES)) {
                // A variable that was begun is not set: its file goes by itself.
                continue;
            }
            let (time, content) = if metadata.is_symlink() {
                (0, fs::read_link(&path).expect("reads").into_os_string().into_encoded_bytes())
            } else if metadata.is_dir() {
                self.visit(&path, snapshot);
                (0, Vec::new())
            } else {
                (metadata.mtime_nsec(), fs::read(&path).expect("reads"))
            };
            let name = path.strip_prefix(self.root()).expect("is inside").to_owned();
            snapshot.insert(name, (metadata.mode(), metadata.uid(), metadata.gid(), time, content));
        }
    }

    /// The state of a path, as a planner would take it into a plan.
    pub(super) fn state(&self, path: &str) -> FileState {
        let Ok(metadata) = fs::symlink_metadata(self.host(path)) else { return FileState::Absent };
        if metadata.is_symlink() {
            let target = fs::read_link(self.host(path)).expect("reads");
            return FileState::Link { target: target.to_str().expect("is UTF-8").to_owned() };
        }
        FileState::File {
            content: Content(fs::read(self.host(path)).expect("reads")),
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
        }
    }

    pub(super) fn apply(&self, plan: &Plan) -> Result<Applied, Error> {
        crate::apply(&self.target(), plan, &mut Programs::default(), &mut Silent)
    }

    pub(super) fn undo(&self) -> Result<Undone, Error> {
        self.undo_with(OnConflict::Refuse, &mut Programs::default())
    }

    pub(super) fn undo_with(
        &self,
        on_conflict: OnConflict,
        programs: &mut Programs,
    ) -> Result<Undone, Error> {
        crate::undo(&self.target(), &Which::Newest, on_conflict, programs, &mut Silent)
    }
}

/// What differs between two snapshots, for messages. Times of files that a program built are not compared.
pub(super) fn difference(one: &Snapshot, two: &Snapshot) -> Vec<String> {
    let untimed = |entry: Option<&(u32, u32, u32, i64, Vec<u8>)>| {
        entry.map(|(mode, uid, gid, _, content)| (*mode, *uid, *gid, content.clone()))
    };
    let mut paths: Vec<_> = one.keys().chain(two.keys()).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter(|path| untimed(one.get(*path)) != untimed(two.get(*path)))
        .map(|path| format!("{}: {:?} ≠ {:?}", path.display(), one.get(path), two.get(path)))
        .collect()
}

/// Programs that build images and menus out of what is in the tree, always the same out of the same.
#[derive(Default)]
pub(super) struct Programs {
    /// Fails before or after it has spoilt what it rebuilds.
    pub(super) fails: Option<Program>,
    /// Something that differs from one build to the next.
    pub(super) build: String,
    /// What was run.
    pub(super) ran: Vec<Program>,
    /// Who does not let go of functions.
    pub(super) holders: Vec<String>,
    /// What stands for sysfs.
    pub(super) kernel: Kernel,
    /// What stands for the values of the running kernel.
    pub(super) values: Values,
}

impl Programs {
    pub(super) fn failing(program: Program) -> Self {
        Self { fails: Some(program), ..Self::default() }
    }

    fn go(&mut self, tree: &Tree, program: Program) -> Result<(), RunFailure> {
        self.run(program, &[], tree.root(), &mut |_| {})
    }

    /// An image: an archive with an empty file for each line of its inputs.
    fn image(&self, root: &Path, inputs: &[&str], output: &Path) {
        let lines = self.inputs(root, inputs);
        let file =
            |line: &str| Entry { name: line.to_owned(), permissions: 0o644, kind: Kind::File(Vec::new()) };
        let entries: Vec<Entry> = lines.lines().filter(|line| !line.is_empty()).map(file).collect();
        Self::put(output, &cpio::write(&entries).expect("an archive"));
    }

    fn inputs(&self, root: &Path, inputs: &[&str]) -> String {
        let mut built = self.build.clone();
        for input in inputs {
            if let Ok(text) = fs::read_to_string(root.join(input)) {
                built = [built.as_str(), input, "\n", &text].concat();
            }
        }
        built
    }

    /// Rewritten in place and in two parts, as the worst of them do.
    fn put(output: &Path, bytes: &[u8]) {
        fs::write(output, &bytes[..bytes.len() / 2]).expect("writes");
        failpoint::hit();
        fs::write(output, bytes).expect("writes");
    }
}

impl Runner for Programs {
    fn run(
        &mut self,
        program: Program,
        arguments: &[String],
        root: &Path,
        line: &mut dyn FnMut(&str),
    ) -> Result<(), RunFailure> {
        self.ran.push(program);
        line("working");
        match program {
            Program::UpdateInitramfs => {
                let inputs =
                    ["etc/modules", "etc/passthru/devices", "etc/modprobe.d/old.conf", "etc/default/grub"];
                for image in [IMAGE, OLDER_IMAGE] {
                    let image = root.join(image.trim_start_matches('/'));
                    if image.exists() {
                        self.image(root, &inputs[..3], &image);
                        failpoint::hit();
                    }
                }
            }
            Program::UpdateGrub | Program::GrubMkconfig | Program::Grub2Mkconfig => {
                let menu = self.inputs(root, &["etc/default/grub"]);
                Self::put(&root.join("boot/grub/grub.cfg"), menu.as_bytes());
            }
            Program::Dracut | Program::Mkinitcpio => {
                self.image(root, &["etc/passthru/devices"], &root.join(&IMAGE[1..]));
            }
            Program::KernelInstall => {
                fs::create_dir_all(root.join(&COPY[1..]).parent().expect("has a parent")).expect("makes");
                let image = fs::read(root.join(&IMAGE[1..])).expect("reads");
                Self::put(&root.join(&COPY[1..]), &image);
                failpoint::hit();
                let line = self.inputs(root, &["etc/kernel/cmdline"]);
                Self::put(&root.join(&ENTRY[1..]), line.as_bytes());
                failpoint::hit();
                if root.join("etc/kernel/install.d/95-passthru.install").exists() {
                    Self::put(&root.join(&OFF_ENTRY[1..]), format!("{line} passthru.off\n").as_bytes());
                }
            }
            Program::Kernelstub => {
                let image = fs::read(root.join(&IMAGE[1..])).expect("reads");
                Self::put(&root.join(&STUB_COPY[1..]), &image);
                failpoint::hit();
                let line = self.inputs(root, &[&KERNELSTUB[1..]]);
                Self::put(&root.join(&STUB_ENTRY[1..]), line.as_bytes());
            }
            Program::UBootUpdate => {
                let menu = self.inputs(root, &[&U_BOOT[1..], &U_BOOT_OFF_ENTRY[1..]]);
                Self::put(&root.join(&U_BOOT_MENU[1..]), menu.as_bytes());
            }
            Program::LimineMkinitcpio => {
                let image = root.join(&LIMINE_IMAGE[1..]);
                self.image(root, &["etc/passthru/devices"], &image);
                failpoint::hit();
                // The entry has a hash of the image, and the way back is made with it.
                let length = fs::metadata(&image).expect("reads").len();
                let line = self.inputs(root, &[&LIMINE[1..], &LIMINE_OFF_ENTRY[1..]]);
                Self::put(&root.join(&LIMINE_MENU[1..]), format!("/made#{length}\n{line}").as_bytes());
            }
            Program::Systemctl => tuning::systemctl(arguments, root),
            Program::Modprobe | Program::Rmmod => tuning::module(program, arguments, root),
            Program::QemuSystemX86_64 | Program::Virsh => {}
        }
        if self.fails == Some(program) {
            return Err(RunFailure {
                command_line: program.file_name().to_owned(),
                reason: "ended with status 1".to_owned(),
                status: Some(1),
                stderr_tail: "cannot do it".to_owned(),
            });
        }
        Ok(())
    }

    fn write_attribute(&mut self, path: &str, text: &str, root: &Path) -> Result<(), AttributeFailure> {
        self.kernel.write(path, text, root)
    }

    fn write_kernel(&mut self, writes: &[KernelWrite], root: &Path) -> Vec<Result<(), AttributeFailure>> {
        writes.iter().map(|write| self.values.write(write, root)).collect()
    }

    fn let_go(&mut self, functions: &[PciAddress], _: &Path) -> Vec<String> {
        assert!(!functions.is_empty(), "nobody is waited for where nothing leaves");
        self.holders.clone()
    }

    fn starts_processes(&self) -> bool {
        false
    }
}

/// A file of whoever runs the test.
pub(super) fn file(content: &str, mode: u32) -> FileState {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    FileState::File { content: Content(content.as_bytes().to_vec()), mode, uid, gid }
}

pub(super) fn link(target: &str) -> FileState {
    FileState::Link { target: target.to_owned() }
}

pub(super) fn step(id: usize, action: Action, effect: Effect) -> Step {
    Step { id: format!("step-{id}"), action, what: format!("does thing {id}"), why: String::new(), effect }
}

/// A plan of steps on files, each with the state before it taken from the tree and the steps before it.
pub(super) fn plan_of(tree: &Tree, changes: &[(&str, FileState)]) -> Plan {
    let mut plan = Plan { title: "a test".to_owned(), steps: Vec::new(), notes: Vec::new(), guest: None };
    for (path, after) in changes {
        add(tree, &mut plan, path, after.clone());
    }
    plan
}

pub(super) fn add(tree: &Tree, plan: &mut Plan, path: &str, after: FileState) {
    let earlier = plan.steps.iter().rev().find_map(|step| match &step.action {
        Action::File { path: other, after, .. } if other == path => Some(after.clone()),
        _ => None,
    });
    let before = earlier.unwrap_or_else(|| tree.state(path));
    let action = Action::File { path: path.to_owned(), before, after };
    plan.steps.push(step(plan.steps.len(), action, Effect::Now));
}

pub(super) fn run(plan: &mut Plan, program: Program, rewrites: &[&str], expect: Vec<Expectation>) {
    let rewrites = rewrites.iter().map(|&path| path.to_owned()).collect();
    let action = Action::Run { program, arguments: Vec::new(), rewrites, expect };
    plan.steps.push(step(plan.steps.len(), action, Effect::Reboot));
}

/// The grub defaults with our change.
pub(super) fn changed_grub() -> FileState {
    let text =
        "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\n# a comment\nGRUB_CMDLINE_LINUX=\"quiet iommu=pt\"\n# the end\n";
    let FileState::File { content, uid, gid, .. } = file(text, 0o640) else { return FileState::Absent };
    FileState::File { content, mode: 0o640, uid, gid }
}

/// Creates with missing directories, edits, edits again, removes, links, a link made a file, and two programs.
pub(super) fn whole_plan(tree: &Tree) -> Plan {
    let mut plan = plan_of(
        tree,
        &[
            (DEVICES, file("0000:02:00.0\n", 0o644)),
            ("/etc/passthru/early", file("#!/bin/sh\n", 0o755)),
            (GRUB, file("GRUB_DEFAULT=0\n", 0o640)),
            ("/etc/systemd/system/sysinit.target.wants/passthru.service", link("../passthru.service")),
            ("/etc/modprobe.d/old.conf", FileState::Absent),
            (GRUB, changed_grub()),
            ("/etc/systemd/system/other", file("no link any more\n", 0o600)),
        ],
    );
    let holds =
        |path: &str| Expectation::ImageHolds { path: path.to_owned(), entries: vec!["02:00.0".to_owned()] };
    run(&mut plan, Program::UpdateInitramfs, &[OLDER_IMAGE, IMAGE], vec![holds(IMAGE), holds(OLDER_IMAGE)]);
    add(tree, &mut plan, "/etc/passthru/early", file("#!/bin/sh\nexit 0\n", 0o755));
    let needles = vec!["iommu=pt".to_owned()];
    let contains = Expectation::Contains { path: GRUB_CFG.to_owned(), needles };
    run(&mut plan, Program::UpdateGrub, &[GRUB_CFG, "/boot/grub/new.cfg"], vec![contains]);
    plan
}

/// As for systemd-boot and dracut: the command line, the plugin of kernel-install, an image, and what is copied of it.
pub(super) fn copied_plan(tree: &Tree) -> Plan {
    let mut plan = plan_of(
        tree,
        &[
            ("/etc/kernel/cmdline", file("root=UUID=1 quiet intel_iommu=on\n", 0o644)),
            ("/etc/kernel/install.d/95-passthru.install", file("#!/bin/sh\n", 0o755)),
            (DEVICES, file("0000:02:00.0\n", 0o644)),
        ],
    );
    let holds =
        |path: &str| Expectation::ImageHolds { path: path.to_owned(), entries: vec!["02:00.0".to_owned()] };
    let contains = |path: &str, needle: &str| Expectation::Contains {
        path: path.to_owned(),
        needles: vec![needle.to_owned()],
    };
    run(&mut plan, Program::Dracut, &[IMAGE], vec![holds(IMAGE)]);
    let expect = vec![contains(ENTRY, "intel_iommu=on"), contains(OFF_ENTRY, "passthru.off"), holds(COPY)];
    run(&mut plan, Program::KernelInstall, &[ENTRY, OFF_ENTRY, COPY], expect);
    plan
}

/// As for loaders whose settings belong to others: GRUB's single file with the menu made of it, u-boot-update's with a file of ours
/// beside it, and kernelstub's with an entry of ours beside its own, which is made last of a new image.
pub(super) fn edited_plan(tree: &Tree) -> Plan {
    tree.write(KERNELSTUB, "{\"user\":{\"kernel_options\":[\"quiet\"]}}");
    for path in [STUB_COPY, STUB_ENTRY, U_BOOT_MENU] {
        tree.write(path, "");
    }
    Programs::default().go(tree, Program::Kernelstub).expect("makes the entry");
    let mut plan = plan_of(
        tree,
        &[
            (STUB_OFF_ENTRY, file("options quiet passthru.off\n", 0o644)),
            (KERNELSTUB, file("{\"user\":{\"kernel_options\":[\"quiet\", \"intel_iommu=on\"]}}", 0o644)),
            (GRUB, changed_grub()),
            (U_BOOT, file("U_BOOT_PARAMETERS=\"ro quiet intel_iommu=on\"\n", 0o644)),
            (U_BOOT_OFF_ENTRY, file("passthru.off\n", 0o644)),
        ],
    );
    let contains = |path: &str, needle: &str| Expectation::Contains {
        path: path.to_owned(),
        needles: vec![needle.to_owned()],
    };
    run(&mut plan, Program::UBootUpdate, &[U_BOOT_MENU], vec![contains(U_BOOT_MENU, "passthru.off")]);
    run(&mut plan, Program::GrubMkconfig, &[GRUB_CFG], vec![contains(GRUB_CFG, "iommu=pt")]);
    add(tree, &mut plan, "/etc/passthru/parameters", file("iommu=pt\n", 0o644));
    add(tree, &mut plan, DEVICES, file("0000:02:00.0\n", 0o644));
    let holds =
        |path: &str| Expectation::ImageHolds { path: path.to_owned(), entries: vec!["02:00.0".to_owned()] };
    run(&mut plan, Program::UpdateInitramfs, &[IMAGE, OLDER_IMAGE], vec![holds(IMAGE)]);
    let expect = vec![contains(STUB_ENTRY, "intel_iommu=on"), holds(STUB_COPY)];
    run(&mut plan, Program::Kernelstub, &[STUB_ENTRY, STUB_COPY], expect);
    plan
}

/// As where the firmware starts the kernel: its variables change, and an entry more is one of them.
pub(super) fn variables_plan(tree: &Tree) -> Plan {
    tree.write(BOOT_ORDER, b"\x07\0\0\0\x01\0\x03\0");
    tree.write(&boot_variable(1), b"\x07\0\0\0an entry that says intel_iommu=off and more");
    plan_of(
        tree,
        &[
            (&boot_variable(2), file("\x07\0\0\0an entry that says passthru.off", 0o644)),
            (BOOT_ORDER, file("\x07\0\0\0\x01\0\x03\0\x02\0", 0o644)),
            (&boot_variable(1), file("\x07\0\0\0an entry", 0o644)),
            (DEVICES, file("0000:02:00.0\n", 0o644)),
        ],
    )
}

/// As for Limine with its tool: one program makes the images and the menu with their hashes, and by a file of ours the way back.
pub(super) fn tool_plan(tree: &Tree) -> Plan {
    tree.write(LIMINE, "KERNEL_CMDLINE[default]+=\"quiet\"\n");
    for path in [LIMINE_IMAGE, LIMINE_MENU] {
        tree.write(path, "");
    }
    Programs::default().go(tree, Program::LimineMkinitcpio).expect("makes the entry");
    let mut plan = plan_of(
        tree,
        &[
            (LIMINE, file("KERNEL_CMDLINE[default]+=\"quiet intel_iommu=on\"\n", 0o644)),
            (LIMINE_OFF_ENTRY, file("passthru.off\n", 0o755)),
            (DEVICES, file("0000:02:00.0\n", 0o644)),
        ],
    );
    let expect = vec![
        Expectation::Contains {
            path: LIMINE_MENU.to_owned(),
            needles: vec!["intel_iommu=on".to_owned(), "passthru.off".to_owned()],
        },
        Expectation::ImageHolds { path: LIMINE_IMAGE.to_owned(), entries: vec!["02:00.0".to_owned()] },
    ];
    run(&mut plan, Program::LimineMkinitcpio, &[LIMINE_MENU, LIMINE_IMAGE], expect);
    plan
}
