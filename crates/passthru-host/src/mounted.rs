//! A system that is mounted somewhere, as from a rescue system: whether it is one, and whether all of it is there.

use std::path::{Path, PathBuf};

use passthru_formats::mounts;
use passthru_model::program::command_line;

use crate::host::Host;

/// What of a system the files lie in that passthru changes or has rebuilt. The root is there by itself.
const PARTS: [&str; 6] = ["/boot", "/boot/efi", "/efi", "/etc", "/usr", "/var"];

/// Why a directory is not taken for a system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSystem {
    /// It cannot be opened.
    #[error("{0} cannot be opened: {1}")]
    Unreadable(String, String),
    /// It is the running system.
    #[error("{0} is the running system, which is looked at without --root")]
    Running(String),
    /// It has nothing that a system has.
    #[error("{0} is not the root of a system: it has no etc/os-release and no usr/lib/os-release")]
    NotARoot(String),
    /// A part of it is not mounted.
    #[error("{point} of the system in {root} is not mounted: its etc/fstab has it on {source_name}")]
    NotMounted {
        /// The directory of the system.
        root: String,
        /// The part, seen from the system itself.
        point: String,
        /// What is to be mounted there, as fstab says it.
        source_name: String,
    },
    /// It has no kernel.
    #[error("the system in {0} has nothing in its boot directory: no kernel, so that nothing could boot")]
    NoBoot(String),
}

impl NoSystem {
    /// What to do about it, where something can be.
    pub fn cure(&self) -> Option<String> {
        match self {
            Self::NotMounted { root, point, source_name } => {
                let place = format!("{}{point}", root.trim_end_matches('/'));
                Some(format!("mount it first: {}", command_line("mount", &[source_name.clone(), place])))
            }
            Self::NotARoot(_) => Some(
                "name the directory where the root file system of the other system is mounted".to_owned(),
            ),
            Self::NoBoot(root) => {
                Some(format!("mount its boot partition at {}/boot first", root.trim_end_matches('/')))
            }
            Self::Unreadable(..) | Self::Running(_) => None,
        }
    }
}

/// The real path of a directory that is the root of a system with all its parts mounted.
pub fn system(directory: &Path) -> Result<PathBuf, NoSystem> {
    let shown = directory.display().to_string();
    let unreadable = |error: String| NoSystem::Unreadable(shown.clone(), error);
    let root = std::fs::canonicalize(directory).map_err(|error| unreadable(error.to_string()))?;
    if root == Path::new("/") {
        return Err(NoSystem::Running(shown));
    }
    let host = Host::open(&root).map_err(|error| unreadable(error.reason))?;
    let shown = root.display().to_string();
    // The real release file is a link on most systems; one that leads nowhere inside counts as none.
    let is_there = |path: &str| matches!(host.exists(path), Ok(true));
    if !["/etc/os-release", "/usr/lib/os-release"].iter().any(|path| is_there(path)) {
        return Err(NoSystem::NotARoot(shown));
    }
    let mounted = Host::live().read("/proc/self/mountinfo").ok();
    let mounted = mounted.and_then(|bytes| mounts::mountinfo(&bytes).ok()).unwrap_or_default();
    let is_mounted = |point: &str| {
        let place = format!("{}{point}", shown.trim_end_matches('/'));
        mounted.iter().any(|mount| mount.point == place)
    };
    let table = host.read("/etc/fstab").map(|bytes| mounts::fstab(&bytes)).unwrap_or_default();
    for entry in table {
        let point = entry.point.trim_end_matches('/');
        if PARTS.contains(&point) && entry.is_mounted_at_boot() && !is_mounted(point) {
            let (point, source_name) = (point.to_owned(), entry.source);
            return Err(NoSystem::NotMounted { root: shown, point, source_name });
        }
    }
    if host.list("/boot").map_or(true, |names| names.is_empty()) {
        return Err(NoSystem::NoBoot(shown));
    }
    Ok(root)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the trees that they read")]
mod tests {
    use std::path::Path;

    use super::{NoSystem, system};

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let place = folder.path().join(path);
            std::fs::create_dir_all(place.parent().expect("a parent")).expect("makes");
            std::fs::write(place, text).expect("writes");
        }
        folder
    }

    fn refused(files: &[(&str, &str)]) -> String {
        let folder = tree(files);
        let error = system(folder.path()).expect_err("is refused");
        let said = format!("{error}\n{}", error.cure().unwrap_or_default());
        let real = std::fs::canonicalize(folder.path()).expect("is there").display().to_string();
        said.replace(&real, "DIR")
    }

    const RELEASE: (&str, &str) = ("etc/os-release", "ID=debian\n");
    const KERNEL: (&str, &str) = ("boot/vmlinuz-6.12.0", "");

    #[test]
    fn a_directory_that_is_no_system_or_not_all_of_one_is_refused_with_the_cure() {
        let fstab = ("etc/fstab", "UUID=1 / ext4\nUUID=8f3c-12ab /boot/efi vfat umask=0077 0 1\n");
        insta::assert_snapshot!(
            [
                refused(&[KERNEL]),
                refused(&[RELEASE]),
                refused(&[RELEASE, KERNEL, fstab]),
                refused(&[RELEASE, ("etc/fstab", "/dev/mapper/a\\040b /boot ext4\n")]),
            ]
            .join("\n\n")
        );
    }

    #[test]
    fn the_running_system_and_what_is_not_there_are_refused() {
        assert!(matches!(system(Path::new("/")), Err(NoSystem::Running(_))));
        assert!(matches!(system(Path::new("/nowhere")), Err(NoSystem::Unreadable(..))));
    }

    #[test]
    fn a_whole_system_is_taken_also_where_a_part_is_mounted_by_hand_only() {
        let fstab = ("etc/fstab", "UUID=1 / ext4\nUUID=2 /boot/efi vfat noauto\nUUID=3 /srv xfs\n");
        let folder = tree(&[RELEASE, KERNEL, fstab]);
        assert!(system(folder.path()).is_ok());
    }

    #[test]
    fn a_release_file_that_is_an_absolute_link_is_looked_for_inside() {
        let folder = tree(&[KERNEL]);
        std::fs::create_dir_all(folder.path().join("etc")).expect("makes");
        // There is such a file on most machines that run this, and none inside.
        std::os::unix::fs::symlink("/usr/lib/os-release", folder.path().join("etc/os-release"))
            .expect("links");
        assert!(matches!(system(folder.path()), Err(NoSystem::NotARoot(_))));
    }
}
