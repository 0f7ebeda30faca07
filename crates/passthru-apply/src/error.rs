//! What can go wrong, and which exit code each says.

use passthru_model::address::PciAddress;

use crate::attribute::AttributeFailure;
use crate::interrupted::Interrupted;
use crate::runner::RunFailure;

/// A path that is not as the plan expects it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The path.
    pub path: String,
    /// What is different, such as "its content differs" or "it is a directory".
    pub difference: String,
}

/// A file that was edited since in the very place that undo would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The file as it is now.
    pub path: String,
    /// A copy of what stood there before our step; nothing where there was no file.
    pub before: Option<String>,
    /// A copy of what our step wrote; nothing where it removed the file.
    pub ours: Option<String>,
    /// Why it cannot be undone by itself.
    pub why: String,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepFailure {
    /// A program failed.
    #[error(transparent)]
    Run(#[from] RunFailure),
    /// A program ended well, and yet what must hold afterwards does not.
    #[error("{path}: {what}")]
    Expectation {
        /// The file.
        path: String,
        /// What does not hold of it.
        what: String,
    },
    /// What the step starts from changed while the steps before it were carried out.
    #[error("{path} was changed by somebody else in the meantime: {difference}")]
    Changed {
        /// The path.
        path: String,
        /// What is different.
        difference: String,
    },
    /// The kernel took a value without complaint, and has another one.
    #[error("{path}: {difference}, although the kernel was asked")]
    Value {
        /// The path of the value.
        path: String,
        /// What is different.
        difference: String,
    },
    /// An attribute of sysfs could not be written.
    #[error(transparent)]
    Attribute(#[from] AttributeFailure),
    /// The kernel did what it was asked to, and yet another driver has the function.
    #[error(
        "{address} is with {found}, not with {wanted}, although the kernel was asked; its log (dmesg) may say why"
    )]
    Driver {
        /// The function.
        address: PciAddress,
        /// Who was to have it.
        wanted: String,
        /// Who has it.
        found: String,
    },
    /// Programs have a function open, so that its driver could not let go of it.
    #[error("{} would hang, for its driver does not let go of what is open: {}", functions.join(", "), holders.join(", "))]
    Open {
        /// The functions that were to leave.
        functions: Vec<String>,
        /// Who has them open.
        holders: Vec<String>,
    },
    /// The driver of a function hangs.
    #[error("the driver of {address} hangs: {address} is left alone from now on, and only a reboot frees it")]
    Hangs {
        /// The function.
        address: PciAddress,
    },
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: String,
        /// What it said.
        source: std::io::Error,
    },
    /// What an earlier run recorded as its failure.
    #[error("{0}")]
    Recorded(String),
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host is not as it was when the plan was made. Nothing was changed.
    #[error("the host changed since the plan was made; nothing was changed now{}", drift_lines(.0))]
    Drift(Vec<Drift>),
    /// Somebody else is changing the host.
    #[error("another passthru is changing this host{}; nothing was changed", holder(*.pid))]
    Locked {
        /// The process that took the lock, where it said so.
        pid: Option<u32>,
    },
    /// An earlier change was not brought to its end.
    #[error("{0}; {way_out}", way_out = .0.way_out())]
    Interrupted(Box<Interrupted>),
    /// There is nothing to resume.
    #[error("nothing is unfinished on this host")]
    NothingToResume,
    /// There is nothing to undo.
    #[error("nothing that was applied is left to undo")]
    NothingToUndo,
    /// No journal has this name.
    #[error("there is no journal ‘{id}’; ‘passthru history’ lists them")]
    NoSuchJournal {
        /// The name.
        id: String,
    },
    /// It was undone already.
    #[error("‘{id}’ was undone already")]
    AlreadyUndone {
        /// The journal.
        id: String,
    },
    /// The host was booted since, and that has taken it back.
    #[error(
        "‘{id}’ lasted until the next boot, and the host was booted since; there is nothing left to undo"
    )]
    EndedByBoot {
        /// The journal.
        id: String,
    },
    /// Files were edited since, in the very places that undo would change. Nothing was changed.
    #[error("edited since, so that undo would lose something; nothing was changed{}", conflict_lines(.0))]
    Conflicts(Vec<Conflict>),
    /// The plan asks for something that no plan may.
    #[error("the plan is refused: {0}")]
    PlanRefused(String),
    /// A place cannot be written to. Nothing was changed.
    #[error("{path} cannot be changed: {why}; nothing was changed")]
    Unwritable {
        /// The path.
        path: String,
        /// Why, such as "the file system is mounted read-only".
        why: String,
    },
    /// There is not enough room. Nothing was changed.
    #[error(
        "not enough room on the file system of {path}: {needed} MiB needed, {free} MiB free; nothing was changed"
    )]
    NoSpace {
        /// A path on that file system.
        path: String,
        /// How much is needed, in MiB.
        needed: u64,
        /// How much is free, in MiB.
        free: u64,
    },
    /// The system denies it to this user.
    #[error("{path} may not be accessed by this user; try as root")]
    Denied {
        /// The path.
        path: String,
    },
    /// A journal cannot be understood.
    #[error("the journal ‘{id}’ cannot be read: {why}")]
    Corrupt {
        /// The journal.
        id: String,
        /// Why.
        why: String,
    },
    /// The system refused, before anything was changed.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: String,
        /// What it said.
        source: std::io::Error,
    },
    /// A step failed, and everything that was done has been taken back.
    #[error("{cause}\nall that was done before has been rolled back (journal {journal})")]
    RolledBack {
        /// Why the step failed.
        cause: Box<StepFailure>,
        /// The journal that tells of it.
        journal: String,
    },
    /// A step failed, or an undo did, and not everything could be taken back.
    #[error("{}taken back only in part (journal {journal}):{}\nto finish by hand:{}",
        first_cause(.cause.as_deref()), lines(.failures), lines(.commands))]
    Partly {
        /// Why the step failed, where it was a rollback.
        cause: Option<Box<StepFailure>>,
        /// What could not be taken back, and why.
        failures: Vec<String>,
        /// The commands that finish it.
        commands: Vec<String>,
        /// The journal that tells of it.
        journal: String,
    },
}

impl Error {
    /// The exit code, as the one table of them says.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Locked { .. }
            | Self::Interrupted(_)
            | Self::Conflicts(_)
            | Self::PlanRefused(_)
            | Self::Unwritable { .. }
            | Self::NoSpace { .. } => 3,
            Self::Drift(_) => 4,
            Self::RolledBack { .. } => 5,
            Self::Partly { .. } => 6,
            Self::NothingToResume
            | Self::NothingToUndo
            | Self::NoSuchJournal { .. }
            | Self::AlreadyUndone { .. }
            | Self::EndedByBoot { .. }
            | Self::Denied { .. }
            | Self::Corrupt { .. }
            | Self::Io { .. } => 1,
        }
    }

    /// An error of the system about a path; "denied" is told apart.
    pub(crate) fn at(path: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        let (path, source) = (path.into(), source.into());
        match source.kind() {
            std::io::ErrorKind::PermissionDenied => Self::Denied { path },
            std::io::ErrorKind::ReadOnlyFilesystem => {
                Self::Unwritable { path, why: "the file system is mounted read-only".to_owned() }
            }
            _ => Self::Io { path, source },
        }
    }
}

fn lines(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + "\n  " + line)
}

fn first_cause(cause: Option<&StepFailure>) -> String {
    cause.map(|cause| format!("{cause}\n")).unwrap_or_default()
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid}, or a program that it started)")).unwrap_or_default()
}

fn drift_lines(drift: &[Drift]) -> String {
    drift.iter().fold(String::new(), |text, drift| format!("{text}\n  {}: {}", drift.path, drift.difference))
}

fn conflict_lines(conflicts: &[Conflict]) -> String {
    conflicts.iter().fold(String::new(), |text, conflict| {
        let before = conflict.before.as_deref().unwrap_or("(no file)");
        let ours = conflict.ours.as_deref().unwrap_or("(no file)");
        let Conflict { path, why, .. } = conflict;
        format!("{text}\n  {path}: {why}\n    now:         {path}\n    as we left it: {ours}\n    before:      {before}")
    })
}
