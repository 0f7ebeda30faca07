//! Where guests are kept: root's in `/etc`, everybody else's at home.

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use passthru_guest::machine::Binder;
use passthru_guest::run::GuestPaths;
use passthru_guest::{GuestName, GuestSpec, spec};
use passthru_host::program;
use passthru_model::HostFacts;
use passthru_model::program::Program;

use crate::commands::plan;
use crate::exit::{Failure, chain};

/// Where root keeps specifications.
const ROOTS_SPECS: &str = "/etc/passthru/guests";

/// The directories of this user's guests.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Specifications.
    pub(crate) specs: PathBuf,
    /// What is gone after a reboot.
    pub(crate) run: PathBuf,
    /// What stays: UEFI variables.
    pub(crate) data: PathBuf,
}

impl Places {
    /// The directories of the user that this runs as.
    pub(crate) fn of_this_user() -> Result<Self, Failure> {
        if rustix::process::geteuid().is_root() {
            return Ok(Self {
                specs: PathBuf::from(ROOTS_SPECS),
                run: PathBuf::from("/run/passthru/guests"),
                data: PathBuf::from("/var/lib/passthru/guests"),
            });
        }
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = absolute("HOME");
        let below_home = |name: &str, usual: &str| {
            absolute(name).or_else(|| home.as_ref().map(|home| home.join(usual))).ok_or_else(|| {
                Failure::usage(format!("neither {name} nor HOME says where this user's guests are kept"))
            })
        };
        let run = absolute("XDG_RUNTIME_DIR").map_or_else(
            || below_home("XDG_CACHE_HOME", ".cache").map(|cache| cache.join("passthru/run")),
            |run| Ok(run.join("passthru/guests")),
        )?;
        Ok(Self {
            specs: below_home("XDG_CONFIG_HOME", ".config")?.join("passthru/guests"),
            run,
            data: below_home("XDG_DATA_HOME", ".local/share")?.join("passthru/guests"),
        })
    }

    /// The files of one guest.
    pub(crate) fn paths(&self, name: &GuestName) -> GuestPaths {
        GuestPaths::new(&self.run, &self.data, name)
    }

    /// Who gives a guest's functions to vfio-pci where libvirt runs it: passthru where libvirt calls it, which it does for root's guests.
    pub(crate) fn binder(&self, facts: &HostFacts) -> Binder {
        let called = passthru_plan::has_libvirt_hook(facts) && self.specs == Path::new(ROOTS_SPECS);
        if called { Binder::Hook } else { Binder::Libvirt }
    }

    /// Saves a new guest's specification; an existing guest is left alone.
    pub(crate) fn save_new(&self, path: &Path, name: &GuestName, text: &str) -> Result<(), Failure> {
        if path.exists() {
            return Err(Failure::refused(format!("there is a guest ‘{name}’ already: {}", path.display()))
                .hint("choose another name, or edit that file"));
        }
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&self.specs)
            .map_err(|error| Failure::no(format!("{} cannot be made: {error}", self.specs.display())))?;
        plan::save(path, text.as_bytes())
    }

    /// Puts a text in the place of a specification, whole or not at all.
    pub(crate) fn replace(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let wrong =
            |error: std::io::Error| Failure::no(format!("{} cannot be written: {error}", path.display()));
        let mut file = tempfile::NamedTempFile::new_in(&self.specs).map_err(wrong)?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(wrong)?;
        // Who could read it goes on to.
        let permissions = std::fs::metadata(path).map_err(wrong)?.permissions();
        file.as_file().set_permissions(permissions).map_err(wrong)?;
        file.persist(path).map_err(|error| wrong(error.error))?;
        std::fs::File::open(&self.specs).and_then(|directory| directory.sync_all()).map_err(wrong)
    }

    /// All guests whose specifications can be read.
    pub(crate) fn all(&self) -> Vec<GuestSpec> {
        let names = spec::list(&self.specs).unwrap_or_default();
        names.iter().filter_map(|name| spec::load(&self.specs, name).ok()).collect()
    }

    /// Reads one guest's specification.
    pub(crate) fn load(&self, name: &GuestName) -> Result<GuestSpec, Failure> {
        spec::load(&self.specs, name).map_err(|error| match error {
            spec::StoreError::Missing { .. } => Failure::no(error.to_string())
                .hint("‘passthru guest list’ lists the guests; root's and this user's are kept apart"),
            other => Failure::usage(chain(&other)),
        })
    }
}

/// A guest's name, checked.
pub(crate) fn name(text: &str) -> Result<GuestName, Failure> {
    text.parse().map_err(|error| Failure::usage(chain(&error)))
}

/// Where QEMU is.
pub(crate) fn qemu() -> Result<String, Failure> {
    program::find(Program::QemuSystemX86_64).map_err(|error| Failure::no(error.to_string()))
}
