//! `passthru history`: the changes made on this host.

use std::fmt::Write as _;

use passthru_apply::JournalState;

use crate::commands::change;
use crate::context::Context;
use crate::envelope;
use crate::exit::{Exit, Failure};
use crate::printer::{STRONG, plain};

/// Lists the changes, oldest first.
pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    context.only_systems("history")?;
    let target = context.target()?;
    let journals = passthru_apply::history(&target).map_err(|error| change::apply_failure(&error))?;
    if context.printer.json {
        let changes = journals
            .into_iter()
            .map(|journal| envelope::Change {
                state: word(&journal.state),
                journal: format!("{}/{}", passthru_apply::JOURNALS, journal.id),
                id: journal.id,
                title: journal.title,
                started: journal.started,
                ended: journal.ended,
            })
            .collect();
        context.printer.json_document(&envelope::History { schema: "passthru.history/1", changes })?;
        return Ok(Exit::Done);
    }
    if journals.is_empty() {
        context.printer.say("passthru has changed nothing on this host");
        return Ok(Exit::Done);
    }
    let mut out = String::new();
    for journal in journals {
        let _ = writeln!(
            out,
            "{STRONG}{}{STRONG:#}  {:<13} {}",
            journal.id,
            word(&journal.state),
            plain(&journal.title)
        );
    }
    context.printer.data(&out)?;
    Ok(Exit::Done)
}

/// The state in one word, and why where it is unreadable.
fn word(state: &JournalState) -> String {
    match state {
        JournalState::Applied => "applied".to_owned(),
        JournalState::RolledBack => "rolled-back".to_owned(),
        JournalState::Undone => "undone".to_owned(),
        JournalState::EndedByBoot => "ended-by-boot".to_owned(),
        JournalState::Unfinished => "interrupted".to_owned(),
        JournalState::Unreadable(why) => format!("unreadable: {why}"),
    }
}
