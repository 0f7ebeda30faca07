//! What was done to this host.

use passthru_model::guest_name::GuestName;

use crate::error::Error;
use crate::journal;
use crate::record::Phase;
use crate::target::Target;

/// Where a change stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalState {
    /// It was applied, and can be undone.
    Applied,
    /// It failed, and all of it was rolled back.
    RolledBack,
    /// It was applied and undone.
    Undone,
    /// It was not brought to its end; [`interrupted`](crate::interrupted()) says more.
    Unfinished,
    /// It lasted until the next boot, and the host was booted since.
    EndedByBoot,
    /// The journal cannot be read, and why.
    Unreadable(String),
}

/// One journal in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalSummary {
    /// Its name.
    pub id: String,
    /// The plan's title.
    pub title: String,
    /// When it was begun: `20261122T200000Z`.
    pub started: String,
    /// When it came to its present state, where it is finished.
    pub ended: Option<String>,
    /// Where it stands.
    pub state: JournalState,
    /// How many steps the plan has.
    pub steps: usize,
    /// Whether the next boot takes it back by itself.
    pub until_boot: bool,
    /// The guest that it was done for, and with whose end it is taken back.
    pub guest: Option<GuestName>,
    /// Where the journal is, inside the root.
    pub directory: String,
    /// Why it was rolled back, where it was.
    pub failure: Option<String>,
}

/// All journals, oldest first. Writes nothing; [`Error::Denied`] where this user may not read them.
pub fn history(target: &Target) -> Result<Vec<JournalSummary>, Error> {
    journal::list(target)?.into_iter().map(|id| summary(target, id)).collect()
}

fn summary(target: &Target, id: String) -> Result<JournalSummary, Error> {
    let directory = journal::directory(&id);
    match journal::read(target, &id) {
        Ok(saved) => {
            let course = saved.course;
            let ended = journal::ended_by_boot(target, &saved.plan, &course);
            let state = match course.phase {
                Phase::RolledBack => JournalState::RolledBack,
                Phase::Undone => JournalState::Undone,
                _ if ended => JournalState::EndedByBoot,
                Phase::Applied => JournalState::Applied,
                Phase::Applying | Phase::RollingBack | Phase::PartlyRolledBack | Phase::Undoing => {
                    JournalState::Unfinished
                }
            };
            Ok(JournalSummary {
                id,
                title: course.title,
                started: course.started,
                ended: course.ended,
                state,
                steps: saved.plan.steps.len(),
                until_boot: saved.plan.ends_with_boot(),
                guest: saved.plan.guest.clone(),
                directory,
                failure: course.failed.map(|(_, cause)| cause),
            })
        }
        Err(Error::Corrupt { why, .. }) => Ok(JournalSummary {
            started: id.split('-').next().unwrap_or_default().to_owned(),
            id,
            title: String::new(),
            ended: None,
            state: JournalState::Unreadable(why),
            steps: 0,
            until_boot: false,
            guest: None,
            directory,
            failure: None,
        }),
        Err(error) => Err(error),
    }
}
