//! The records of a journal, and what they come to when read in order.

use std::collections::BTreeSet;

use passthru_model::address::PciAddress;
use passthru_model::plan::Digest256;
use serde::{Deserialize, Serialize};

use crate::standing::Standing;

/// The form in which journals are written. A journal with a higher number is left to the passthru that wrote it.
pub(crate) const FORMAT: u32 = 1;

/// What stood at a path before a step, and where its copy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Image {
    /// The path as the plan names it.
    pub(crate) path: String,
    /// The path of the file itself, with links followed.
    pub(crate) real: String,
    /// What stood there.
    pub(crate) before: Standing,
    /// The copy's name in the journal's directory, for a file.
    pub(crate) kept: Option<String>,
}

/// The before-images of each step, where they could be taken beforehand.
pub(crate) type Prepared = Vec<Option<Vec<Image>>>;

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Applied,
    RolledBack,
    PartlyRolledBack,
}

/// One line of `records.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "record")]
pub(crate) enum Record {
    /// The plan is about to be carried out. Nothing has been changed yet.
    Started {
        format: u32,
        version: String,
        title: String,
        plan: Digest256,
        boot: Option<String>,
        stamp: String,
        /// Makes the names of temporary files unpredictable to anybody who cannot read the journal.
        token: String,
    },
    /// A step is about to be done: all that is needed to take it back is on disk.
    StepIntent { index: usize, images: Vec<Image>, directories: Vec<String> },
    /// A step is done.
    StepDone { index: usize, after: Vec<Standing> },
    /// The driver of a function hangs: it is left alone from now on.
    Hung { index: usize, address: PciAddress },
    /// A step failed.
    StepFailed { index: usize, cause: String },
    /// What was done is about to be rolled back.
    RollbackStarted,
    /// Something other than the before-image is about to be put in the path of a step that is taken back.
    RevertIntent { index: usize, goal: Standing },
    /// A step has been taken back.
    StepReverted { index: usize, how: String },
    /// The change has ended.
    Finished { outcome: Outcome, stamp: String },
    /// It is about to be undone.
    UndoStarted { stamp: String },
    /// It has been undone.
    Undone { stamp: String },
}

/// Where a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Applying,
    RollingBack,
    Applied,
    RolledBack,
    PartlyRolledBack,
    Undoing,
    Undone,
}

/// Where a step stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepState {
    pub(crate) intent: Option<(Vec<Image>, Vec<String>)>,
    pub(crate) after: Option<Vec<Standing>>,
    pub(crate) goal: Option<Standing>,
    pub(crate) reverted: bool,
    /// The functions whose drivers hang.
    pub(crate) hung: BTreeSet<PciAddress>,
}

/// What the records come to.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) title: String,
    pub(crate) plan: Digest256,
    pub(crate) boot: Option<String>,
    pub(crate) started: String,
    pub(crate) token: String,
    pub(crate) phase: Phase,
    pub(crate) failed: Option<(usize, String)>,
    pub(crate) ended: Option<String>,
    pub(crate) steps: Vec<StepState>,
}

impl Course {
    /// The course that begins with the first record, if that is what it is.
    pub(crate) fn begin(first: &Record, steps: usize) -> Result<Self, String> {
        let Record::Started { format, title, plan, boot, stamp, token, version } = first else {
            return Err("it does not begin with its beginning".to_owned());
        };
        if *format > FORMAT {
            return Err(format!("it was written by the newer passthru {version}; use that one"));
        }
        Ok(Self {
            title: title.clone(),
            plan: plan.clone(),
            boot: boot.clone(),
            started: stamp.clone(),
            token: token.clone(),
            phase: Phase::Applying,
            failed: None,
            ended: None,
            steps: vec![StepState::default(); steps],
        })
    }

    /// Takes in one more record.
    pub(crate) fn take(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Started { .. } => return Err("it begins twice".to_owned()),
            Record::StepIntent { index, images, directories } => {
                self.step(*index)?.intent = Some((images.clone(), directories.clone()));
            }
            Record::StepDone { index, after } => self.step(*index)?.after = Some(after.clone()),
            Record::Hung { index, address } => {
                self.step(*index)?.hung.insert(*address);
            }
            Record::StepFailed { index, cause } => self.failed = Some((*index, cause.clone())),
            Record::RollbackStarted => self.phase = Phase::RollingBack,
            Record::RevertIntent { index, goal } => self.step(*index)?.goal = Some(goal.clone()),
            Record::StepReverted { index, .. } => self.step(*index)?.reverted = true,
            Record::Finished { outcome, stamp } => {
                self.phase = match outcome {
                    Outcome::Applied => Phase::Applied,
                    Outcome::RolledBack => Phase::RolledBack,
                    Outcome::PartlyRolledBack => Phase::PartlyRolledBack,
                };
                self.ended = Some(stamp.clone());
            }
            Record::UndoStarted { .. } => self.phase = Phase::Undoing,
            Record::Undone { stamp } => {
                self.phase = Phase::Undone;
                self.ended = Some(stamp.clone());
            }
        }
        Ok(())
    }

    fn step(&mut self, index: usize) -> Result<&mut StepState, String> {
        self.steps
            .get_mut(index)
            .ok_or_else(|| format!("it tells of step {index}, which its plan does not have"))
    }
}
