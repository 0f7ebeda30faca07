//! What guests need of the host besides QEMU and libvirt: helpers, packages' versions, permissions, sound, shared memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use passthru_formats::{interrupts, limits};
use passthru_model::address::PciAddress;
use passthru_model::fact::Fact;
use passthru_model::virtualisation::{Domain, DomainFirmware, Kvmfr, Permissions, VirtualisationFacts};
use rustix::fs::{Access, AtFlags, CWD, FileType};

use super::{because, libvirt, lock_limits};
use crate::host::{Host, MOST_FILE_BYTES};

/// Helpers of guests, and where distributions put them.
const HELPERS: &[(&str, &[&str])] = &[
    ("swtpm", &["/usr/bin/swtpm", "/bin/swtpm"]),
    ("swtpm_setup", &["/usr/bin/swtpm_setup", "/bin/swtpm_setup"]),
    (
        "virtiofsd",
        &["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd", "/usr/bin/virtiofsd"],
    ),
    ("looking-glass-client", &["/usr/bin/looking-glass-client", "/usr/local/bin/looking-glass-client"]),
];

/// Packages whose versions are told, by the beginnings of their names.
const PACKAGES: &[&str] = &[
    "qemu-system-x86",
    "qemu-base",
    "qemu-desktop",
    "libvirt",
    "libvirt-daemon",
    "ovmf",
    "edk2-ovmf",
    "swtpm",
];

/// Groups that open what guests need.
const GROUPS: &[&str] = &["kvm", "libvirt", "libvirtd", "input", "vfio"];

pub(super) fn facts(host: &Host) -> VirtualisationFacts {
    let mut facts = VirtualisationFacts {
        packages: packages(host),
        helpers: helpers(host),
        named_files: BTreeMap::new(),
        closed_files: BTreeMap::new(),
        libvirt: libvirt::of(host),
        permissions: permissions(host),
        lock_limit: lock_limits::own(host),
        lock_settings: lock_limits::settings(host),
        kvmfr: kvmfr(host),
        sound_sockets: sound_sockets(host),
        guest_interrupts: guest_interrupts(host),
    };
    for domain in facts.domains().to_vec() {
        look_at_files(host, &domain, &mut facts);
    }
    facts
}

fn helpers(host: &Host) -> Fact<BTreeSet<String>> {
    if !matches!(host.exists("/usr/bin"), Ok(true)) {
        return Fact::unknown("there is no /usr/bin here");
    }
    let mut found = BTreeSet::new();
    for (name, paths) in HELPERS {
        for path in *paths {
            match host.exists(path) {
                Ok(true) => {
                    found.insert((*name).to_owned());
                }
                Ok(false) => {}
                Err(error) => return because(&error),
            }
        }
    }
    let seen = found.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    Fact::known(found, "/usr/bin", if seen.is_empty() { "none of the helpers".to_owned() } else { seen })
}

/// The paragraphs of dpkg's status file that are about the packages of interest, each cut to name, state and version.
fn reduced_status(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    for paragraph in text.split("\n\n") {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
        };
        if let (Some(name), Some(state), Some(version)) =
            (field("Package"), field("Status"), field("Version"))
            && PACKAGES.contains(&name)
        {
            let _ = write!(out, "Package: {name}\nStatus: {state}\nVersion: {version}\n\n");
        }
    }
    out.into_bytes()
}

/// Versions by the package manager's own files: dpkg's status, pacman's directories. rpm's database needs rpm.
fn packages(host: &Host) -> Fact<BTreeMap<String, String>> {
    const DPKG: &str = "/var/lib/dpkg/status";
    const PACMAN: &str = "/var/lib/pacman/local";
    let mut found = BTreeMap::new();
    match host.read_reduced(DPKG, 4 * MOST_FILE_BYTES, reduced_status) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            for paragraph in text.split("\n\n") {
                let field = |name: &str| {
                    paragraph.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
                };
                let installed = field("Status: ").is_some_and(|state| state.ends_with(" installed"));
                if let (Some(name), Some(version), true) = (field("Package: "), field("Version: "), installed)
                {
                    found.insert(name, version);
                }
            }
            return Fact::known(found.clone(), DPKG, seen(&found));
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => return because(&error),
    }
    match host.list(PACMAN) {
        Ok(names) => {
            for name in names {
                // NAME-VERSION-RELEASE, where the name may have dashes.
                let mut parts = name.rsplitn(3, '-');
                if let (Some(release), Some(version), Some(package)) =
                    (parts.next(), parts.next(), parts.next())
                    && PACKAGES.contains(&package)
                {
                    found.insert(package.to_owned(), format!("{version}-{release}"));
                }
            }
            Fact::known(found.clone(), PACMAN, seen(&found))
        }
        Err(error) if error.is_not_found() => {
            Fact::unknown("neither dpkg nor pacman keeps packages here, and other databases are not read")
        }
        Err(error) => because(&error),
    }
}

fn seen(found: &BTreeMap<String, String>) -> String {
    let list = found.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ");
    if list.is_empty() { "none of the packages of interest".to_owned() } else { list }
}

/// The files that a guest names, by their paths from the root.
fn files_of(domain: &Domain) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    paths.extend(domain.emulator.clone());
    paths.extend(domain.evdev.iter().map(|(path, _)| path.clone()));
    paths.extend(domain.disks.iter().map(|disk| disk.path.clone()));
    paths.extend(domain.pci.iter().filter_map(|function| function.rom_file.clone()));
    if let DomainFirmware::File { code, template, .. } = &domain.firmware {
        paths.insert(code.clone());
        paths.extend(template.clone());
    }
    paths.retain(|path| path.starts_with('/'));
    paths
}

/// Looks whether the files that a guest names are there, and whether QEMU's user can read its ROMs. One that could not be
/// looked at is left out.
pub(super) fn look_at_files(host: &Host, domain: &Domain, facts: &mut VirtualisationFacts) {
    for path in files_of(domain) {
        if let Some(there) = is_there(host, &path) {
            facts.named_files.insert(path, there);
        }
    }
    let roms = domain.pci.iter().filter_map(|function| function.rom_file.as_ref());
    for path in roms.filter(|path| path.starts_with('/')) {
        facts.closed_files.extend(closed(host, path).map(|because| (path.clone(), because)));
    }
}

/// Why neither a system user nor a group of such users can read a file, where that is so: it, or a directory on the way, is
/// open to root or to one person alone. People and their groups have numbers from 1000 to 60000
/// (<https://systemd.io/UIDS-GIDS/>).
fn closed(host: &Host, path: &str) -> Option<String> {
    let of_somebody = |number: u32| number == 0 || (1000..=60000).contains(&number);
    let ends = path.match_indices('/').skip(1).map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        let step = path.get(..end)?;
        let owned = host.ownership(step)?;
        let (bit, verb) = if end == path.len() { (0o4, "read") } else { (0o1, "entered") };
        let by_group = owned.mode & (bit << 3) != 0 && !of_somebody(owned.gid);
        if owned.mode & bit == 0 && of_somebody(owned.uid) && !by_group {
            let mode = owned.mode & 0o7777;
            return Some(format!("{step} may be {verb} by user {} alone (mode {mode:04o})", owned.uid));
        }
    }
    None
}

/// Whether a file is there, where that can be told: a capture or a part of a tree lacks much that the machine has.
fn is_there(host: &Host, path: &str) -> Option<bool> {
    match host.exists(path) {
        Ok(false) if !host.is_live() => {
            let top = path.get(..path.get(1..)?.find('/')? + 1)?;
            (top != "/dev" && matches!(host.exists(top), Ok(true))).then_some(false)
        }
        Ok(there) => Some(there),
        Err(_) => None,
    }
}

/// The lines of group(5) about the groups of interest, without their members.
fn reduced_groups(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    for line in text.lines() {
        let mut parts = line.split(':');
        if let (Some(name), Some(_), Some(number)) = (parts.next(), parts.next(), parts.next())
            && GROUPS.contains(&name)
        {
            let _ = writeln!(out, "{name}:x:{number}:");
        }
    }
    out.into_bytes()
}

fn permissions(host: &Host) -> Fact<Permissions> {
    const FILE: &str = "/etc/group";
    if !host.is_live() {
        return Fact::unknown("only the running machine can say what its user may do");
    }
    let names = match host.read_reduced(FILE, MOST_FILE_BYTES, reduced_groups) {
        Ok(bytes) => limits::groups(&bytes),
        Err(error) => return because(&error),
    };
    let numbers = match rustix::process::getgroups() {
        Ok(groups) => groups,
        Err(errno) => {
            return Fact::unknown(format!("the groups of this process: {}", std::io::Error::from(errno)));
        }
    };
    let numbers = numbers.into_iter().chain([rustix::process::getegid()]).map(rustix::process::Gid::as_raw);
    let groups: BTreeSet<String> = numbers.filter_map(|number| names.get(&number).cloned()).collect();
    let mut paths: Vec<String> = ["/dev/kvm", "/dev/iommu", "/dev/vfio/vfio"].map(str::to_owned).into();
    let groups_of_vfio = host.list("/dev/vfio").unwrap_or_default();
    paths.extend(
        groups_of_vfio
            .iter()
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
            .map(|name| format!("/dev/vfio/{name}")),
    );
    let nodes = paths
        .into_iter()
        .filter(|path| matches!(host.exists(path), Ok(true)))
        .map(|path| {
            let may = rustix::fs::accessat(CWD, &path, Access::READ_OK | Access::WRITE_OK, AtFlags::EACCESS)
                .is_ok();
            (path, may)
        })
        .collect();
    let seen = groups.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let permissions = Permissions {
        uid: rustix::process::geteuid().as_raw(),
        groups,
        known_groups: names.into_values().collect(),
        nodes,
    };
    Fact::known(permissions, FILE, if seen.is_empty() { "in none of the groups".to_owned() } else { seen })
}

/// Looking Glass's device. A guest that starts before the module is loaded leaves a plain file in its place.
fn kvmfr(host: &Host) -> Fact<Kvmfr> {
    const NODE: &str = "/dev/kvmfr0";
    if !host.is_live() {
        return Fact::unknown("only the running machine has nodes in /dev");
    }
    match rustix::fs::statat(CWD, NODE, AtFlags::empty()) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice => {
            Fact::known(Kvmfr::Device, NODE, "a character device")
        }
        Ok(_) => Fact::known(Kvmfr::PlainFile, NODE, "no device"),
        Err(rustix::io::Errno::NOENT) => Fact::known(Kvmfr::Absent, NODE, "is not there"),
        Err(errno) => Fact::unknown(format!("{NODE}: {}", std::io::Error::from(errno))),
    }
}

/// The sockets of sound servers of the users that are logged in.
fn sound_sockets(host: &Host) -> Fact<Vec<String>> {
    const USERS: &str = "/run/user";
    let users = match host.list(USERS) {
        Ok(users) => users,
        Err(error) if error.is_not_found() => return Fact::known(Vec::new(), USERS, "is not there"),
        Err(error) => return because(&error),
    };
    let mut found = Vec::new();
    for user in users {
        for socket in ["pipewire-0", "pulse/native"] {
            let path = format!("{USERS}/{user}/{socket}");
            // Another user's directory is closed, and then says nothing.
            if matches!(host.exists(&path), Ok(true)) {
                found.push(path);
            }
        }
    }
    let seen = if found.is_empty() { "no socket of a sound server".to_owned() } else { found.join(", ") };
    Fact::known(found, USERS, seen)
}

/// Interrupts that vfio-pci has asked for, by function: whether it is the shared line. Their names are
/// `vfio-msi[0](0000:01:00.0)`, `vfio-msix[0](…)` and `vfio-intx(…)` (`drivers/vfio/pci/vfio_pci_intrs.c`).
fn guest_interrupts(host: &Host) -> Fact<BTreeMap<PciAddress, bool>> {
    const FILE: &str = "/proc/interrupts";
    match host.read(FILE) {
        Ok(bytes) => {
            let found = interrupts::of_vfio(&bytes);
            let seen = format!("{} functions of running guests", found.len());
            Fact::known(found, FILE, seen)
        }
        Err(error) => because(&error),
    }
}
