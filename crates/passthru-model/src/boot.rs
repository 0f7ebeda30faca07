//! What boots the host, as far as files say.

use crate::fact::Fact;
use crate::managed::{GRUB_CFG, OFF_ENTRY_ENDING};
use crate::program::Program;

/// A boot loader, or a tool that writes for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loader {
    /// GRUB.
    Grub,
    /// systemd-boot.
    SystemdBoot,
    /// Entries by the Boot Loader Specification, which systemd-boot and GRUB as on Fedora read.
    Bls,
    /// A unified kernel image, which firmware or systemd-boot starts.
    UnifiedImage,
    /// Limine.
    Limine,
    /// rEFInd.
    Refind,
    /// Syslinux or Extlinux.
    Syslinux,
    /// Pop!_OS's kernelstub, which writes for systemd-boot.
    Kernelstub,
    /// rpm-ostree, which writes entries of deployments.
    RpmOstree,
    /// NixOS, which writes entries of generations.
    NixOs,
    /// Proxmox's boot tool.
    Proxmox,
    /// zipl of s390.
    Zipl,
    /// The firmware itself, which starts a kernel by an entry in its variables (EFISTUB).
    Firmware,
}

impl Loader {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grub => "GRUB",
            Self::SystemdBoot => "systemd-boot",
            Self::Bls => "Boot Loader Specification entries",
            Self::UnifiedImage => "a unified kernel image",
            Self::Limine => "Limine",
            Self::Refind => "rEFInd",
            Self::Syslinux => "Syslinux",
            Self::Kernelstub => "kernelstub",
            Self::RpmOstree => "rpm-ostree",
            Self::NixOs => "NixOS",
            Self::Proxmox => "proxmox-boot-tool",
            Self::Zipl => "zipl",
            Self::Firmware => "the firmware's boot entries",
        }
    }
}

/// A sign that a loader is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoaderSign {
    /// Which.
    pub loader: Loader,
    /// The path that is the sign.
    pub path: String,
}

/// One kernel command line that a file holds: of a menu entry, or of the settings that entries are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootEntry {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// Whose file it is.
    pub loader: Loader,
    /// What the menu shows, where the file says so.
    pub title: Option<String>,
    /// The kernel image, where the file says so.
    pub kernel: Option<String>,
    /// The command line, as far as the file gives it.
    pub cmdline: String,
    /// Whether it is only what later entries are made from, such as `/etc/kernel/cmdline`.
    pub source: bool,
    /// Whether it is for repairs, or passthru's own without passthrough: what it lacks is left out on purpose.
    pub rescue: bool,
}

/// GRUB with a menu that a program makes from `/etc/default/grub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grub {
    /// Whether `/etc/default/grub.d/*.cfg` is read after `/etc/default/grub`, which is an addition of Debian's.
    pub drop_ins: bool,
    /// What makes the menu.
    pub maker: MenuMaker,
    /// The menu.
    pub menu: String,
}

impl Grub {
    /// As Debian has it.
    pub fn of_debian() -> Self {
        Self { drop_ins: true, maker: MenuMaker::UpdateGrub, menu: GRUB_CFG.to_owned() }
    }

    /// The program that makes the menu, and its arguments.
    pub fn making(&self) -> (Program, Vec<String>) {
        let output = || vec!["-o".to_owned(), self.menu.clone()];
        match self.maker {
            MenuMaker::UpdateGrub => (Program::UpdateGrub, Vec::new()),
            MenuMaker::GrubMkconfig => (Program::GrubMkconfig, output()),
            MenuMaker::Grub2Mkconfig => (Program::Grub2Mkconfig, output()),
        }
    }
}

/// A program that makes GRUB's menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MenuMaker {
    /// Debian's `update-grub`, which knows by itself where the menu is.
    UpdateGrub,
    /// `grub-mkconfig`.
    GrubMkconfig,
    /// `grub2-mkconfig`, as Fedora and SUSE call the same.
    Grub2Mkconfig,
}

/// What kernel-install(8) makes for a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// An entry of the Boot Loader Specification, and copies of kernel and initramfs (`layout=bls`).
    Entries,
    /// One unified kernel image with kernel, initramfs and command line in it (`layout=uki`).
    Unified,
}

/// What kernel-install has made for one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeEntry {
    /// The kernel's release.
    pub release: String,
    /// The kernel that it is made from, such as `/boot/vmlinuz-6.12.43+deb13-amd64`.
    pub image: String,
    /// The entry, or the unified image.
    pub path: String,
    /// The copies that an entry names: kernel and initramfs.
    pub parts: Vec<String>,
}

impl MadeEntry {
    /// The file's name.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// systemd-boot with what kernel-install makes for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelInstall {
    /// Where the partition with all of it is mounted: `/efi`, `/boot` or `/boot/efi`.
    pub root: String,
    /// What the names of its entries begin with; the machine's id by default.
    pub token: String,
    /// What is made for a kernel.
    pub layout: Layout,
    /// What has been made, in order of name.
    pub kernels: Vec<MadeEntry>,
}

impl KernelInstall {
    /// The path of a kernel's entry without passthrough, which is ours.
    pub fn off_entry(&self, release: &str) -> String {
        format!("{}/loader/entries/{}-{release}{}", self.root, self.token, OFF_ENTRY_ENDING)
    }
}

/// systemd-boot with what kernelstub makes for it: copies of the newest kernel and of the one before, and an entry for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernelstub {
    /// Where the EFI system partition is mounted.
    pub root: String,
    /// The entry of the newest kernel, such as `/boot/efi/loader/entries/Pop_OS-current.conf`.
    pub current: String,
    /// All entries that it makes, as far as they are there, in order of path.
    pub made: Vec<String>,
    /// The copies that they name: kernels and initramfs images, in order.
    pub parts: Vec<String>,
    /// Of these the initramfs images.
    pub images: Vec<String>,
}

impl Kernelstub {
    /// Everything that it rewrites on the partition: a copy of the running command line too, which nothing reads.
    pub fn rewritten(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.made.iter().chain(&self.parts).cloned().collect();
        let directories = self.parts.iter().filter_map(|part| part.rsplit_once('/'));
        for note in directories.map(|(directory, _)| format!("{directory}/cmdline")) {
            if !paths.contains(&note) {
                paths.push(note);
            }
        }
        paths
    }

    /// The path of the entry without passthrough, which is ours.
    pub fn off_entry(&self) -> String {
        off_entry_beside(&self.root, OFF_ENTRY_BEGIN, &self.current)
    }
}

/// Limine with what limine-mkinitcpio makes for it: an entry for each kernel, and beside its menu the kernel and initramfs images
/// that these name, in a directory that is called by the machine's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimineEntries {
    /// The menu, such as `/boot/limine.conf`.
    pub menu: String,
    /// The machine's id.
    pub machine_id: String,
    /// The kernels and initramfs images that its entries name, in order, by their paths on the host.
    pub parts: Vec<String>,
    /// Of these the initramfs images.
    pub images: Vec<String>,
}

impl LimineEntries {
    /// Whether the tool makes an entry that starts this kernel, `/MACHINE/KERNEL/FILE` on the partition of the menu: it is not of
    /// another system, nor of a snapshot.
    pub fn is_made(machine_id: &str, kernel: &str) -> bool {
        let inside = kernel.strip_prefix('/').and_then(|rest| rest.strip_prefix(machine_id));
        inside.and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| {
            let parts: Vec<&str> = rest.split('/').collect();
            matches!(parts.as_slice(), [directory, _] if *directory != "limine_history")
        })
    }

    /// Everything that the tool rewrites.
    pub fn rewritten(&self) -> Vec<String> {
        std::iter::once(&self.menu).chain(&self.parts).cloned().collect()
    }
}

/// The path of our entry beside another one.
fn off_entry_beside(root: &str, begin: &str, path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.strip_suffix(".conf").unwrap_or(name);
    format!("{root}/loader/entries/{begin}{stem}{OFF_ENTRY_ENDING}")
}

/// The language of boot entries that are written by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A file an entry below `loader/entries`, which systemd-boot reads.
    Bls,
    /// A file an entry below `/boot/loader/entries`, which GRUB reads where it is built as Fedora's is. kernel-install makes them, and
    /// never anew.
    GrubBls,
    /// `refind_linux.conf`.
    Refind,
    /// `limine.conf`.
    Limine,
    /// `extlinux.conf` or `syslinux.cfg`.
    Syslinux,
}

impl Dialect {
    /// Who reads it.
    pub fn loader(self) -> Loader {
        match self {
            Self::Bls => Loader::SystemdBoot,
            Self::GrubBls => Loader::Grub,
            Self::Refind => Loader::Refind,
            Self::Limine => Loader::Limine,
            Self::Syslinux => Loader::Syslinux,
        }
    }
}

/// How the names of our entries beside others of systemd-boot begin.
const OFF_ENTRY_BEGIN: &str = "0-";
/// How the names of our entries beside others of GRUB begin.
const GRUB_OFF_ENTRY_BEGIN: &str = "A-";

/// Boot entries that a person has written, or an installer once: nothing makes them anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenEntries {
    /// Their language.
    pub dialect: Dialect,
    /// The files with entries that start this system, in order of path; but for [`Dialect::Bls`] just one.
    pub files: Vec<String>,
    /// Where the partition is mounted on which they are.
    pub root: String,
    /// The value of `root=` on the running command line, by which entries of this system are told from those of another.
    pub root_parameter: Option<String>,
}

impl WrittenEntries {
    /// The path of the entry without passthrough beside one of [`Dialect::Bls`] or [`Dialect::GrubBls`], which is ours.
    ///
    /// systemd-boot sorts entries that have no sort key behind those that have one, from the last name to the first: a name that
    /// begins with 0 comes last. GRUB sorts by versions in names, for which digits are newer than letters and small letters newer
    /// than capitals (`split_cmp`, `vercmp` in `grub-core/commands/blscfg.c` of RHEL 9.4), and names begin with the machine's id.
    pub fn off_entry(&self, path: &str) -> String {
        let begin = if self.dialect == Dialect::GrubBls { GRUB_OFF_ENTRY_BEGIN } else { OFF_ENTRY_BEGIN };
        off_entry_beside(&self.root, begin, path)
    }

    /// The name of the entry that one of ours stands beside; `None`: the name is not one of ours.
    pub fn beside(off_entry: &str) -> Option<String> {
        let stem = off_entry.strip_suffix(OFF_ENTRY_ENDING)?.strip_prefix(OFF_ENTRY_BEGIN)?;
        Some(format!("{stem}.conf"))
    }
}

/// Boot entries of the firmware that start a kernel without a loader in between (EFISTUB). Their data is its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirmwareEntries {
    /// Where the EFI system partition with the kernels is mounted.
    pub root: String,
    /// Those that start this system, that by which it was started first.
    pub entries: Vec<FirmwareEntry>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirmwareEntry {
    /// The file of its variable.
    pub variable: String,
    /// The images that are loaded with the kernel (`initrd=`), in order, by their paths on the host.
    pub images: Vec<String>,
}

impl BootEntry {
    /// The place as people write it: `FILE:LINE`, or the section of an image or the name of a variable, which have no lines.
    pub fn place(&self) -> String {
        if self.loader == Loader::Firmware {
            self.path.clone()
        } else if self.loader == Loader::UnifiedImage && !self.source {
            format!("{}, .cmdline", self.path)
        } else {
            format!("{}:{}", self.path, self.line)
        }
    }
}

/// Everything known of how the host boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFacts {
    /// Signs of loaders, in order.
    pub loaders: Fact<Vec<LoaderSign>>,
    /// What the running system's loader calls itself (`LoaderInfo` of the Boot Loader Interface); known and `None`: it says
    /// nothing, or the system was not started by UEFI.
    pub started_by: Fact<Option<String>>,
    /// The unified kernel image that was started (`StubInfo`), where one was.
    pub stub: Fact<Option<String>>,
    /// Every command line found.
    pub entries: Fact<Vec<BootEntry>>,
    /// What could not be read on the way, a line each: with these, entries may be missing.
    pub gaps: Vec<String>,
}

impl BootFacts {
    /// Nothing known, for one reason.
    pub fn unknown(because: &str) -> Self {
        Self {
            loaders: Fact::unknown(because),
            started_by: Fact::unknown(because),
            stub: Fact::unknown(because),
            entries: Fact::unknown(because),
            gaps: Vec::new(),
        }
    }
}
