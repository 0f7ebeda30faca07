//! What the supervisor of a guest is told: everything that it needs to start it, tune the host for it, and put all back.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use passthru_model::guest_name::GuestName;
use passthru_model::guest_tuning::ThreadPlaces;
use passthru_model::plan::Plan;
use serde::{Deserialize, Serialize};

use super::GuestPaths;

/// How the host is changed for a guest while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// The root directory of the host: `/`, but for tests.
    pub root: PathBuf,
    /// The changes. Empty: there are none, and no journal is begun.
    pub plan: Plan,
    /// The directory of the control group that QEMU joins; `None`: it stays in its caller's.
    pub group: Option<String>,
    /// Where its threads run; `None`: wherever the scheduler puts them.
    pub threads: Option<ThreadPlaces>,
    /// Whether the host is kept awake while it runs.
    pub awake: bool,
}

impl Tuning {
    /// Nothing is changed for a guest.
    pub fn none(guest: &GuestName) -> Self {
        let plan = Plan {
            title: format!("run {guest}"),
            steps: Vec::new(),
            notes: Vec::new(),
            guest: Some(guest.clone()),
        };
        Self { root: PathBuf::from("/"), plan, group: None, threads: None, awake: false }
    }
}

/// The whole order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) paths: GuestPaths,
    pub(super) qemu: PathBuf,
    /// The program that becomes QEMU, see [`super::Launcher`].
    pub(super) helper: PathBuf,
    /// QEMU's arguments; those that follow are tried where it does not know an option of these.
    pub(super) arguments: Vec<Vec<String>>,
    /// What QEMU finds in its environment, by name.
    pub(super) environment: BTreeMap<String, PathBuf>,
    /// The limit of locked memory to set, in bytes.
    pub(super) memlock: Option<u64>,
    /// The real user that QEMU starts with, where that is not ours: whoever a sound server takes it for.
    pub(super) real_user: Option<u32>,
    /// How long QEMU gets to be ready.
    pub(super) patience: Duration,
    pub(super) tuning: Tuning,
}

impl Order {
    /// Writes the order where the supervisor finds it.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        super::process::write_whole(path, self)
    }

    /// Reads it.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        serde_json::from_slice(&std::fs::read(path)?).map_err(io::Error::from)
    }
}

/// What the supervisor says to whoever started it, a line of JSON each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "report")]
pub(super) enum Report {
    /// Something goes on, for people to read.
    Progress { line: String },
    /// The guest runs.
    Started { pid: i32, status: String },
    /// It does not, and all that was changed for it is as before, or the message says what is not.
    Failed { message: String, exit: u8 },
}
