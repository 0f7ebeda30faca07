//! Changing values of the running kernel: each only from the value that the plan takes it to have, and looked at afterwards,
//! for the kernel takes less than it is asked for without a word.

use std::io;

use passthru_model::address::PciAddress;
use passthru_model::setting::{Change, KernelWrite, Place, Seen, Setting, Value};

use crate::attribute::AttributeFailure;
use crate::conduct::{Conductor, io_at};
use crate::error::{Drift, StepFailure};
use crate::progress::Event;
use crate::standing;
use crate::target::{Follow, Target};

/// The value of a place now; `None`: the place is not there, or says what is no value of it.
pub(crate) fn look(target: &Target, place: &Place) -> io::Result<Option<Value>> {
    let path = place.path();
    let text = match standing::bytes(target, &path, Follow::Links) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            return Ok(place.value(Seen::Directory));
        }
        Err(error) => return Err(error),
    };
    Ok(match text {
        None => place.value(Seen::Absent),
        Some(bytes) => place.value(Seen::Text(&String::from_utf8_lossy(&bytes))),
    })
}

/// How a value is not what it is expected to be; `None` where it is.
pub(crate) fn difference(now: Option<&Value>, expected: &Value) -> Option<String> {
    match now {
        Some(now) if now == expected => None,
        Some(now) => Some(format!("it is {now}, not {expected}")),
        None => Some("it is not there".to_owned()),
    }
}

/// What of a step's values is not as the plan takes it to be. What need not be changed need not be as expected.
pub(crate) fn drift(target: &Target, settings: &[Setting]) -> io::Result<Vec<Drift>> {
    let mut drift = Vec::new();
    for setting in settings.iter().filter(|setting| setting.needed) {
        let now = look(target, &setting.place)?;
        let path = setting.place.path();
        drift.extend(difference(now.as_ref(), &setting.before).map(|difference| Drift { path, difference }));
    }
    Ok(drift)
}

impl Conductor<'_> {
    /// The values of a step must be what the plan takes them to be.
    pub(crate) fn untuned(&self, settings: &[Setting]) -> Result<(), StepFailure> {
        let found = drift(self.target, settings)
            .map_err(|source| StepFailure::Io { path: "the running kernel".to_owned(), source })?;
        match found.into_iter().next() {
            None => Ok(()),
            Some(Drift { path, difference }) => Err(StepFailure::Changed { path, difference }),
        }
    }

    /// Changes the values of a step, from its beginning or from wherever a kill has left it.
    pub(crate) fn tune(&mut self, settings: &[Setting]) -> Result<(), StepFailure> {
        let mut due = Vec::new();
        for setting in settings {
            let path = setting.place.path();
            let now = look(self.target, &setting.place).map_err(io_at(&path))?;
            match now {
                Some(now) if now == setting.after => {}
                Some(now) if now == setting.before || setting.made(&now) => due.push(setting),
                now if setting.needed => {
                    let difference = difference(now.as_ref(), &setting.before).unwrap_or_default();
                    return Err(StepFailure::Changed { path, difference });
                }
                _ => self.left(&path, "it was changed by somebody else in the meantime"),
            }
        }
        if due.iter().any(|setting| setting.place.is_used_by_programs()) {
            // What has ended the desktop has not waited for all of it to be gone.
            let leaving: Vec<PciAddress> =
                self.journal.plan.rebindings().map(|rebinding| rebinding.device.address).collect();
            self.closed(&leaving)?;
        }
        let wanted: Vec<(&Place, &Value)> =
            due.iter().map(|setting| (&setting.place, &setting.after)).collect();
        let answers = self.bring_values(&wanted)?;
        for (setting, answer) in due.iter().zip(answers) {
            match answer {
                Ok(()) => {}
                Err(failure) if setting.needed => return Err(failure.into()),
                Err(failure) => self.left(&setting.place.path(), &failure.to_string()),
            }
        }
        for setting in &due {
            self.make_room(setting)?;
        }
        due.iter()
            .filter(|setting| setting.needed)
            .try_for_each(|setting| self.has(&setting.place, &setting.after))
    }

    /// Where the kernel has given a part of what it was asked for, makes room and asks again. Whether that was enough is for others to
    /// judge.
    fn make_room(&mut self, setting: &Setting) -> Result<(), StepFailure> {
        let path = setting.place.path();
        for (what, writes) in setting.place.makes_room() {
            let now = look(self.target, &setting.place).map_err(io_at(&path))?;
            let Some(now) = now.filter(|now| *now != setting.after) else { break };
            let line = format!("{path} is {now} of {} so far: {what}", setting.after);
            self.progress.event(Event::Output { line: &line });
            // What the kernel does not know how to do is no failure; what hangs is.
            for answer in self.write_kernel(&writes) {
                if let Err(failure @ AttributeFailure::Hung { .. }) = answer {
                    return Err(failure.into());
                }
            }
            self.bring_values(&[(&setting.place, &setting.after)])?;
        }
        Ok(())
    }

    /// Gives places values, in order. Each of the answers is of one place.
    pub(crate) fn bring_values(
        &mut self,
        wanted: &[(&Place, &Value)],
    ) -> Result<Vec<Result<(), AttributeFailure>>, StepFailure> {
        let mut answers: Vec<Result<(), AttributeFailure>> = Vec::new();
        let mut batch: Vec<KernelWrite> = Vec::new();
        for (place, value) in wanted {
            for change in place.changes(value) {
                match change {
                    Change::Kernel(write) => batch.push(write),
                    Change::Run { program, arguments } => {
                        answers.extend(self.write_kernel(&std::mem::take(&mut batch)));
                        self.run(program, &arguments)?;
                    }
                }
            }
            if batch.is_empty() {
                answers.push(Ok(()));
            }
        }
        answers.extend(self.write_kernel(&batch));
        Ok(answers)
    }

    /// A place must have a value, or the step has failed.
    pub(crate) fn has(&self, place: &Place, wanted: &Value) -> Result<(), StepFailure> {
        let path = place.path();
        let now = look(self.target, place).map_err(io_at(&path))?;
        match difference(now.as_ref(), wanted) {
            None => Ok(()),
            Some(difference) => Err(StepFailure::Value { path, difference }),
        }
    }

    fn write_kernel(&mut self, writes: &[KernelWrite]) -> Vec<Result<(), AttributeFailure>> {
        if writes.is_empty() {
            return Vec::new();
        }
        crate::failpoint::hit();
        let (runner, root) = (&mut *self.runner, self.target.path());
        let shared = runner.starts_processes();
        let mut work = || runner.write_kernel(writes, root);
        let answers = if shared { self.lock.shared_with_children(work) } else { work() };
        crate::failpoint::hit();
        answers
    }

    /// Says that something which need not be done was not done.
    fn left(&mut self, path: &str, why: &str) {
        self.progress.event(Event::Output { line: &format!("{path} is left as it is: {why}") });
    }
}
