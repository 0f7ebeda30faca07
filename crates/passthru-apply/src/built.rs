//! Taking back what programs built. A stale image must never come back: one that was rebuilt since is built again.

use std::collections::HashSet;

use passthru_model::plan::Action;

use crate::by_hand::Prefix;
use crate::journal;
use crate::record::Image;
use crate::revert::{How, Manner, Revert};
use crate::standing::Standing;
use crate::target::Follow;

/// What is to be done with a file that a program built.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing.
    Nothing(How),
    /// It is as its program left it: what was before goes back.
    PutBack,
    /// Somebody else has built it since.
    Foreign,
}

impl Revert<'_, '_> {
    /// Takes back all steps that ran a program, last step first. What is built again is built in the order of the plan, for a later
    /// program may copy what an earlier one makes.
    pub(crate) fn built_files(&mut self) {
        // What a step on a file has put back stays as it is.
        let mut settled: HashSet<String> = HashSet::new();
        let steps = &self.conductor.journal.course.steps;
        for (index, step) in self.conductor.journal.plan.steps.iter().enumerate() {
            if let (Action::File { .. }, Some((images, _))) = (&step.action, &steps[index].intent) {
                settled.extend(images.iter().map(|image| image.real.clone()));
            }
        }
        let mut foreign = Vec::new();
        for index in (0..self.conductor.journal.plan.steps.len()).rev() {
            if self.is_open(index) {
                foreign.extend(self.program(index, &mut settled).map(|images| (index, images)));
            }
        }
        for (index, images) in foreign.into_iter().rev() {
            self.again(index, &images);
        }
    }

    /// Whether a step ran a program that builds files, and was not taken back.
    fn is_open(&self, index: usize) -> bool {
        let step = &self.conductor.journal.course.steps[index];
        // A program that made no file, as one that loads a module, has left nothing to take back.
        let built = matches!(
            &self.conductor.journal.plan.steps[index].action,
            Action::Run { rewrites, .. } if !rewrites.is_empty()
        );
        built && step.intent.is_some() && !step.reverted
    }

    /// Takes back one step, unless somebody else has built any of its files since: then what it made is handed back, to be built
    /// again.
    fn program(&mut self, index: usize, settled: &mut HashSet<String>) -> Option<Vec<Image>> {
        let (images, _) = self.conductor.journal.course.steps[index].intent.clone()?;
        let images: Vec<Image> =
            images.into_iter().filter(|image| settled.insert(image.real.clone())).collect();
        let mut put_back = Vec::new();
        let mut foreign = false;
        for image in &images {
            // Several programs may have built it: what was there before the first one is what goes back.
            let oldest = self.oldest(&image.real).unwrap_or_else(|| image.clone());
            match self.verdict(index, &oldest) {
                Ok(Verdict::Nothing(how)) => self.say(index, &image.path, how),
                Ok(Verdict::PutBack) => put_back.push(oldest),
                Ok(Verdict::Foreign) => foreign = true,
                Err(error) => {
                    self.failures.push(format!("{}: {error}", image.path));
                    self.by_hand(&oldest);
                    return None;
                }
            }
        }
        if foreign {
            return Some(images);
        }
        self.put_all_back(index, put_back);
        None
    }

    /// Runs the program of a step once more, for what somebody else has built meanwhile.
    fn again(&mut self, index: usize, images: &[Image]) {
        match self.build_again(index) {
            Ok(()) => {
                for image in images {
                    self.say(index, &image.path, How::BuiltAgain);
                }
                self.done(index, How::BuiltAgain);
            }
            Err(Some(())) => {}
            // It never came to its end the first time either: what was there before is the best that there is.
            Err(None) => {
                let oldest = images.iter().filter_map(|image| self.oldest(&image.real)).collect();
                self.put_all_back(index, oldest);
            }
        }
    }

    fn put_all_back(&mut self, index: usize, images: Vec<Image>) {
        let mut all = true;
        for image in images {
            match self.put_back(&image) {
                Ok(()) => self.say(index, &image.path, How::PutBack),
                Err(error) => {
                    all = false;
                    self.failures.push(format!("{}: {error}", image.path));
                    self.by_hand(&image);
                }
            }
        }
        if all {
            self.done(index, How::PutBack);
        }
    }

    /// What stood at a path before the first program that built it and was not taken back.
    fn oldest(&self, real: &str) -> Option<Image> {
        let steps = &self.conductor.journal.course.steps;
        (0..steps.len())
            .filter(|index| self.is_open(*index))
            .filter_map(|index| steps[index].intent.as_ref())
            .find_map(|(images, _)| images.iter().find(|image| image.real == real).cloned())
    }

    fn verdict(&self, index: usize, oldest: &Image) -> std::io::Result<Verdict> {
        let now = Standing::at(self.conductor.target, &oldest.real, Follow::Nothing)?;
        let step = &self.conductor.journal.course.steps[index];
        Ok(if now == oldest.before {
            Verdict::Nothing(How::AlreadyBefore)
        } else if step.after.is_some() && now == Standing::Absent {
            Verdict::Nothing(How::Gone)
        } else if self.known(&oldest.real).contains(&now)
            || (step.after.is_none() && self.nobody_else_built())
        {
            Verdict::PutBack
        } else {
            Verdict::Foreign
        })
    }

    /// Everything that our own programs found or left at a path.
    fn known(&self, real: &str) -> Vec<Standing> {
        let steps = &self.conductor.journal.course.steps;
        let mut known = Vec::new();
        for step in (0..steps.len()).filter(|index| self.is_open(*index)).map(|index| &steps[index]) {
            let images = step.intent.as_ref().map(|(images, _)| images.as_slice()).unwrap_or_default();
            for (place, _) in images.iter().enumerate().filter(|(_, image)| image.real == real) {
                known.push(images[place].before.clone());
                known.extend(step.after.as_ref().and_then(|after| after.get(place).cloned()));
            }
        }
        known
    }

    /// Runs the program of a step again. `Err(None)`: it failed, and what was before may go back instead.
    fn build_again(&mut self, index: usize) -> Result<(), Option<()>> {
        let Action::Run { program, arguments, .. } = self.conductor.journal.plan.steps[index].action.clone()
        else {
            return Err(Some(()));
        };
        match self.conductor.run(program, &arguments) {
            Ok(()) => {
                rustix::fs::sync();
                Ok(())
            }
            Err(_) if self.conductor.journal.course.steps[index].after.is_none() => Err(None),
            Err(failure) => {
                self.failures.push(failure.to_string());
                let prefix = Prefix::now(self.conductor.target.path());
                self.commands.push(prefix.command(&program.command_line(&arguments)));
                Err(Some(()))
            }
        }
    }

    /// Whether what an interrupted program left can only be its own work: it is this very run, or still the same boot.
    fn nobody_else_built(&self) -> bool {
        let same_boot = || {
            let then = self.conductor.journal.course.boot.clone();
            then.is_some() && then == journal::boot(self.conductor.target)
        };
        self.manner == Manner::RollBack || same_boot()
    }
}
