//! What is told while a plan is carried out or undone.

use passthru_model::plan::Step;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step begins.
    StepStarted {
        /// Its place in the plan, from 0.
        index: usize,
        /// How many steps there are.
        total: usize,
        /// The step.
        step: &'a Step,
    },
    /// A line that a program wrote.
    Output {
        /// The line, without its end. It comes from outside: escape it before it meets a terminal.
        line: &'a str,
    },
    /// A step is done, and that is on disk.
    StepDone {
        /// Its place in the plan, from 0.
        index: usize,
    },
    /// A step failed; what was done is being rolled back.
    RollingBack {
        /// Its place in the plan, from 0.
        index: usize,
    },
    /// A step has been taken back.
    StepReverted {
        /// Its place in the plan, from 0.
        index: usize,
        /// The step.
        step: &'a Step,
    },
}

/// Somebody who is told.
pub trait Progress {
    /// Called as things happen, on the thread that does them.
    fn event(&mut self, event: Event<'_>);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&mut self, _event: Event<'_>) {}
}

impl<F: FnMut(Event<'_>)> Progress for F {
    fn event(&mut self, event: Event<'_>) {
        self(event);
    }
}
