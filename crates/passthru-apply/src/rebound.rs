//! Taking back what drivers were given: each function goes to the driver that it had before, with the override that it
//! had before.

use passthru_model::address::PciAddress;
use passthru_model::plan::Action;
use passthru_model::program::quoted;
use passthru_model::rebinding::Rebinding;

use crate::bound::{self, Bound};
use crate::by_hand::Prefix;
use crate::error::StepFailure;
use crate::rebind::{Aim, PROBE, override_path};
use crate::revert::{How, Revert};

impl Revert<'_, '_> {
    /// Takes back all that is done to the running kernel, last step first.
    pub(crate) fn running_kernel(&mut self) {
        for index in (0..self.conductor.journal.plan.steps.len()).rev() {
            let state = &self.conductor.journal.course.steps[index];
            if state.intent.is_none() || state.reverted {
                continue;
            }
            match &self.conductor.journal.plan.steps[index].action {
                Action::Rebind { .. } => self.rebound_functions(index),
                Action::Tune { .. } => self.tuned_values(index),
                Action::File { .. } | Action::Run { .. } => {}
            }
        }
    }

    /// Takes back a step that gave functions to other drivers. What goes wrong with one function keeps no other from going back.
    fn rebound_functions(&mut self, index: usize) {
        let functions = self.conductor.journal.plan.steps[index].rebindings().to_vec();
        let before = self.failures.len();
        let mut last = How::AlreadyBefore;
        for function in functions.iter().rev() {
            match self.function(index, function) {
                Ok(how) => {
                    last = how;
                    self.say(index, &function.attribute("driver"), how);
                }
                Err(StepFailure::Hangs { address }) => self.hangs(address),
                Err(failure) => {
                    self.failures.push(failure.to_string());
                    self.commands.extend(commands(&Prefix::now(self.conductor.target.path()), function));
                }
            }
        }
        if self.failures.len() == before {
            self.done(index, last);
        }
    }

    fn function(&mut self, index: usize, function: &Rebinding) -> Result<How, StepFailure> {
        let address = function.device.address;
        let hangs = |this: &Self| this.conductor.journal.course.steps[index].hung.contains(&address);
        if hangs(self) {
            return Err(StepFailure::Hangs { address });
        }
        let at = |source| StepFailure::Io { path: address.to_string(), source };
        let now = match bound::look(self.conductor.target, &function.device).map_err(at)? {
            Bound::There(state) if state == function.before => return Ok(How::AlreadyBefore),
            Bound::There(state) => state,
            Bound::Gone | Bound::Stranger(_) => return Ok(How::Gone),
        };
        let driver = now.driver.as_deref();
        let ours =
            driver.is_none() || now.driver == function.before.driver || function.after.is_met_by(driver);
        if !ours {
            return Ok(How::LeftAsEdited);
        }
        let brought = self.conductor.bring(index, &[Aim::back(function)]);
        match brought {
            Ok(()) => Ok(How::PutBack),
            Err(_) if hangs(self) => Err(StepFailure::Hangs { address }),
            Err(failure) => {
                // Whatever else failed, the override must not keep the kernel from choosing later.
                if let Ok(Bound::There(now)) = bound::look(self.conductor.target, &function.device) {
                    let wanted = function.before.driver_override.as_deref();
                    let _ = self.conductor.set_override(index, &function.device, &now, wanted);
                }
                Err(failure)
            }
        }
    }

    fn hangs(&mut self, address: PciAddress) {
        self.failures.push(StepFailure::Hangs { address }.to_string());
        let reboot = "reboot".to_owned();
        if !self.commands.contains(&reboot) {
            self.commands.push(reboot);
        }
    }
}

/// The commands that give a function back by hand.
pub(crate) fn commands(prefix: &Prefix, function: &Rebinding) -> Vec<String> {
    let address = function.device.address;
    let write = |text: &str, path: &str| {
        let text = if text.is_empty() { String::new() } else { format!(" {}", quoted(text)) };
        format!("echo{text} > {}", prefix.path(path))
    };
    let override_path = override_path(address);
    let (driver, after) = (&function.before.driver, function.before.driver_override.as_deref());
    let mut lines = Vec::new();
    lines.extend(driver.as_ref().map(|driver| write(driver, &override_path)));
    lines.push(write(&address.to_string(), &function.attribute("driver/unbind")));
    lines.extend(driver.as_ref().map(|_| write(&address.to_string(), PROBE)));
    lines.push(write(after.unwrap_or_default(), &override_path));
    lines
}
