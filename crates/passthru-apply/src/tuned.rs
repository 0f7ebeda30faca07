//! Putting values of the running kernel back. A value that somebody else has changed meanwhile is theirs, and is left.

use passthru_model::program::quoted;
use passthru_model::setting::{Change, Setting};

use crate::by_hand::Prefix;
use crate::conduct::io_at;
use crate::error::StepFailure;
use crate::revert::{How, Revert};
use crate::tune::look;

impl Revert<'_, '_> {
    /// Takes back a step that changed values, the last one first. What goes wrong with one keeps no other from going back.
    pub(crate) fn tuned_values(&mut self, index: usize) {
        let settings = self.conductor.journal.plan.steps[index].settings().to_vec();
        let before = self.failures.len();
        let mut last = How::AlreadyBefore;
        for setting in settings.iter().rev() {
            let path = setting.place.path();
            match self.value(setting) {
                Ok(how) => {
                    if how != How::AlreadyBefore {
                        last = how;
                    }
                    self.say(index, &path, how);
                }
                Err(failure) => {
                    self.failures.push(failure.to_string());
                    let prefix = Prefix::now(self.conductor.target.path());
                    self.commands.extend(commands(&prefix, setting));
                }
            }
        }
        if self.failures.len() == before {
            self.done(index, last);
        }
    }

    fn value(&mut self, setting: &Setting) -> Result<How, StepFailure> {
        let place = &setting.place;
        match look(self.conductor.target, place).map_err(io_at(&place.path()))? {
            None => return Ok(How::Gone),
            Some(now) if now == setting.before => return Ok(How::AlreadyBefore),
            Some(now) if !setting.made(&now) => return Ok(How::LeftAsEdited),
            Some(_) => {}
        }
        for answer in self.conductor.bring_values(&[(place, &setting.before)])? {
            answer?;
        }
        self.conductor.has(place, &setting.before)?;
        Ok(How::PutBack)
    }
}

/// The commands that put a value back by hand.
pub(crate) fn commands(prefix: &Prefix, setting: &Setting) -> Vec<String> {
    setting
        .place
        .changes(&setting.before)
        .into_iter()
        .map(|change| match change {
            Change::Write { path, text } => format!("echo {} > {}", quoted(&text), prefix.path(&path)),
            Change::Make { path } => format!("mkdir -- {}", prefix.path(&path)),
            Change::Remove { path } => format!("rmdir -- {}", prefix.path(&path)),
            Change::Run { program, arguments } => prefix.command(&program.command_line(&arguments)),
        })
        .collect()
}
