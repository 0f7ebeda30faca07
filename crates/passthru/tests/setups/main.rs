//! Whole setups: the files that people write for passthrough, right and wrong, on a machine that is read like any other.

mod agreement;
mod bad_input;
mod binding;
mod boots;
mod domains;
mod guests;
mod leftovers;
mod mounted;
mod published;
mod scripts;

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use passthru_host::{Host, gather};
use passthru_model::finding::Finding;
use passthru_model::{HostFacts, Verdict};
use passthru_plan::diagnose;

/// A copy of the workstation among the fixtures, to which files are added.
///
/// It has an Intel processor with graphics of its own, and a GeForce GTX 970 in 01:00 behind a root port.
pub(crate) struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hosts/workstation");
        copy(&fixture, folder.path());
        Self { folder }
    }

    /// With a file; one whose text begins with `#!` may be run.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let place = self.folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().expect("a parent")).expect("makes");
        std::fs::write(&place, text.as_ref()).expect("writes");
        if text.as_ref().starts_with(b"#!") {
            std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).expect("sets");
        }
        self
    }

    /// With a file that was changed last so many seconds after 1970.
    pub(crate) fn changed_at(self, path: &str, seconds: u64) -> Self {
        let place = self.folder.path().join(path.trim_start_matches('/'));
        let file = std::fs::File::options().write(true).open(place).expect("opens");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).expect("sets");
        self
    }

    /// With a link in the place of what was there.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        let place = self.folder.path().join(path.trim_start_matches('/'));
        let _ = std::fs::remove_file(&place);
        std::fs::create_dir_all(place.parent().expect("a parent")).expect("makes");
        symlink(target, place).expect("links");
        self
    }

    /// Where a path of it is.
    pub(crate) fn place(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// Without a file.
    pub(crate) fn without(self, path: &str) -> Self {
        std::fs::remove_file(self.folder.path().join(path.trim_start_matches('/'))).expect("removes");
        self
    }

    /// With a directory that has nothing in it.
    pub(crate) fn emptied(self, path: &str) -> Self {
        let place = self.place(path);
        std::fs::remove_dir_all(&place).expect("removes");
        std::fs::create_dir(place).expect("makes");
        self
    }

    /// The card on vfio-pci, as after a boot that went well.
    pub(crate) fn on_vfio(self) -> Self {
        // Such a card has no node: the class loses its links.
        for entry in std::fs::read_dir(self.folder.path().join("sys/class/drm")).expect("lists") {
            let path = entry.expect("an entry").path();
            if std::fs::read_link(&path).is_ok_and(|target| target.to_string_lossy().contains("0000:01:00.0"))
            {
                std::fs::remove_file(path).expect("removes");
            }
        }
        let drivers = "/sys/bus/pci/drivers/vfio-pci/module";
        ["0000:01:00.0", "0000:01:00.1"].into_iter().fold(self.file(drivers, ""), |made, address| {
            let device = std::fs::canonicalize(made.folder.path().join("sys/bus/pci/devices").join(address))
                .expect("a device");
            let place = device
                .strip_prefix(std::fs::canonicalize(made.folder.path()).expect("a root"))
                .expect("inside");
            let up = "../".repeat(place.components().count() - 1);
            let path = format!("/{}/driver", place.display());
            made.link(&path, &format!("{up}bus/pci/drivers/vfio-pci"))
        })
    }

    /// What is known of it.
    pub(crate) fn facts(&self) -> HostFacts {
        gather(&Host::open(self.folder.path()).expect("opens"))
    }

    /// What one check says.
    pub(crate) fn check(&self, id: &str) -> Finding {
        diagnose(&self.facts(), &[id]).expect("a check").remove(0)
    }

    /// What one check says, in lines, for a snapshot.
    pub(crate) fn say(&self, id: &str) -> String {
        said(&self.check(id))
    }
}

pub(crate) fn said(one: &Finding) -> String {
    let mut text = format!("{} {}: {}\n", one.verdict.word(), one.id, one.summary);
    if one.verdict > Verdict::Pass {
        for evidence in &one.evidence {
            let _ = writeln!(text, "    {} = {}", evidence.path, evidence.value);
        }
        if let Some(remedy) = &one.remedy {
            let command = remedy.command.as_ref().map(|command| format!(" [{command}]")).unwrap_or_default();
            let _ = writeln!(text, "    -> {}{command}", remedy.what);
        }
    }
    text
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("lists") {
        let entry = entry.expect("an entry");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("a kind");
        if kind.is_symlink() {
            symlink(std::fs::read_link(&source).expect("a link"), &target).expect("links");
        } else if kind.is_dir() {
            std::fs::create_dir_all(&target).expect("makes");
            copy(&source, &target);
        } else {
            std::fs::copy(&source, &target).expect("copies");
        }
    }
}

/// A folder of published data, which is not part of the project; `None`, with a word about it, where it is absent.
pub(crate) fn corpora(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    say(&format!("skipped: there is no {}", path.display()));
    None
}

/// A word to whoever reads the tests' output.
pub(crate) fn say(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
}
