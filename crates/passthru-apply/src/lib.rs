//! The only room that changes a host. It decides nothing: it carries out a [`Plan`](passthru_model::plan::Plan)
//! exactly, or undoes it exactly, and can be killed at any instant in between.
//!
//! Every step is written ahead: its before-images and its intent are on disk before the step, its outcome after. So
//! whatever a kill or a power cut leaves behind, [`interrupted`] can say what it was, and [`resume`] or [`undo`] can
//! take the host to wholly new or wholly old.
//!
//! | call | changes the host | takes the lock |
//! |---|---|---|
//! | [`drift`], [`interrupted`], [`history`], [`undo_choice`] | never, not even by making a directory | no |
//! | [`apply`], [`resume`], [`undo`] | yes, through the journal | yes |
//! | [`keep_boot_record`] | never: it keeps a record beside the journal | yes |
//! | [`attribute`] | one write to sysfs, for the steps that give functions to other drivers | no |
//! | [`rom`] | for as long as a ROM is read, and then back as it was | no |

mod apply;
pub mod attribute;
mod boots;
mod bound;
mod built;
mod by_hand;
mod child;
mod conduct;
mod draft;
mod error;
mod expect;
mod failpoint;
mod history;
mod install;
mod interrupted;
mod journal;
mod judge;
mod lock;
mod overview;
pub mod plan_file;
mod preflight;
mod progress;
mod rebind;
mod rebound;
mod record;
mod revert;
pub mod rom;
mod runner;
mod standing;
mod target;
mod tune;
mod tuned;
mod undo;
mod variable;

pub use apply::{Applied, apply, drift};
pub use attribute::{AttributeFailure, AttributeWriter};
pub use boots::keep_boot_record;
pub use error::{Conflict, Drift, Error, StepFailure};
pub use history::{JournalState, JournalSummary, history};
pub use interrupted::{Interrupted, Resumed, Underway, interrupted, resume};
pub use journal::JOURNALS;
pub use lock::LOCK;
pub use progress::{Event, Progress, Silent};
pub use revert::{How, Reverted};
pub use runner::{RunFailure, Runner};
pub use target::Target;
pub use undo::{OnConflict, Undone, Which, undo, undo_choice};

#[cfg(test)]
mod tests;
