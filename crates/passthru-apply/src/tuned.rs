//! Putting values of the running kernel back. A value that somebody else has changed meanwhile is theirs, and is left.

use passthru_model::program::quoted;
use passthru_model::setting::{Change, KernelWrite, Setting};

use crate::by_hand::Prefix;
use crate::conduct::io_at;
use crate::error::StepFailure;
use crate::revert::{How, Revert};
use crate::standing;
use crate::target::Follow;
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
            Some(now) if now == setting.before && !self.is_between(setting)? => {
                return Ok(How::AlreadyBefore);
            }
            Some(now) if now == setting.before => {}
            Some(now) if !setting.made(&now) => return Ok(How::LeftAsEdited),
            Some(_) => {}
        }
        for answer in self.conductor.bring_values(&[(place, &setting.before)])? {
            answer?;
        }
        self.conductor.has(place, &setting.before)?;
        Ok(How::PutBack)
    }

    /// Whether a value that reads like the one before was left by somebody who was killed while he put it back.
    fn is_between(&self, setting: &Setting) -> Result<bool, StepFailure> {
        let Setting { place, before, .. } = setting;
        if !place.empties_in_stages() || !before.as_str().is_empty() {
            return Ok(false);
        }
        let path = place.path();
        let text = standing::bytes(self.conductor.target, &path, Follow::Links).map_err(io_at(&path))?;
        Ok(text.is_some_and(|text| !text.trim_ascii().is_empty()))
    }
}

/// The commands that put a value back by hand.
pub(crate) fn commands(prefix: &Prefix, setting: &Setting) -> Vec<String> {
    setting
        .place
        .changes(&setting.before)
        .into_iter()
        .map(|change| match change {
            Change::Kernel(KernelWrite::Text { path, text }) => {
                format!("echo {} > {}", quoted(&text), prefix.path(&path))
            }
            Change::Kernel(KernelWrite::Make { path }) => format!("mkdir -- {}", prefix.path(&path)),
            Change::Kernel(KernelWrite::Remove { path }) => format!("rmdir -- {}", prefix.path(&path)),
            Change::Run { program, arguments } => prefix.command(&program.command_line(&arguments)),
        })
        .collect()
}
