//! Giving functions to other drivers, by driver override. The order is the kernel's: the override first, so that nobody
//! else is given the function in between; then the old driver lets go; then the new one is asked.

use std::io;

use passthru_model::address::PciAddress;
use passthru_model::intent::DeviceIdentity;
use passthru_model::rebinding::{DriverGoal, DriverState, Rebinding};

use crate::attribute::AttributeFailure;
use crate::bound::{self, Bound};
use crate::conduct::Conductor;
use crate::error::StepFailure;
use crate::record::Record;

/// The attribute that makes the kernel look for a driver.
pub(crate) const PROBE: &str = "/sys/bus/pci/drivers_probe";

/// The attribute that names the only driver that may have a function.
pub(crate) fn override_path(address: PciAddress) -> String {
    format!("/sys/bus/pci/devices/{address}/driver_override")
}

/// Where one function is to be brought.
#[derive(Debug)]
pub(crate) struct Aim<'a> {
    device: &'a DeviceIdentity,
    wanted: Wanted<'a>,
}

#[derive(Debug)]
enum Wanted<'a> {
    Goal(&'a DriverGoal),
    Before(&'a DriverState),
}

impl<'a> Aim<'a> {
    /// To where the step wants it.
    pub(crate) fn forward(rebinding: &'a Rebinding) -> Self {
        Self { device: &rebinding.device, wanted: Wanted::Goal(&rebinding.after) }
    }

    /// Back to what it was.
    pub(crate) fn back(rebinding: &'a Rebinding) -> Self {
        Self { device: &rebinding.device, wanted: Wanted::Before(&rebinding.before) }
    }

    fn is_met_by(&self, driver: Option<&str>) -> bool {
        match self.wanted {
            Wanted::Goal(goal) => goal.is_met_by(driver),
            Wanted::Before(state) => state.driver.as_deref() == driver,
        }
    }

    /// The override while the kernel looks for the driver. A driver that is known by name is asked for by name, so that
    /// no other one that fits is faster.
    fn override_meanwhile(&self) -> Option<&str> {
        match self.wanted {
            Wanted::Goal(goal) => goal.driver_override(),
            Wanted::Before(state) => state.driver.as_deref().or(state.driver_override.as_deref()),
        }
    }

    /// The override at the end.
    fn override_after(&self) -> Option<&str> {
        match self.wanted {
            Wanted::Goal(goal) => goal.driver_override(),
            Wanted::Before(state) => state.driver_override.as_deref(),
        }
    }

    /// Whether any driver is wanted.
    fn wants_driver(&self) -> bool {
        !matches!(self.wanted, Wanted::Before(DriverState { driver: None, .. }))
    }

    fn name(&self) -> String {
        match self.wanted {
            Wanted::Goal(goal) => goal.to_string(),
            Wanted::Before(state) => state.driver.clone().unwrap_or_else(|| "no driver".to_owned()),
        }
    }
}

impl Conductor<'_> {
    /// Carries out a step, from its beginning or from wherever a kill has left it.
    pub(crate) fn rebind(&mut self, index: usize, functions: &[Rebinding]) -> Result<(), StepFailure> {
        let aims: Vec<Aim<'_>> = functions.iter().map(Aim::forward).collect();
        self.bring(index, &aims)
    }

    /// Brings functions to where they are to be. Each write follows from what sysfs says at that moment, so that the same
    /// call completes what was interrupted.
    pub(crate) fn bring(&mut self, index: usize, aims: &[Aim<'_>]) -> Result<(), StepFailure> {
        let mut apart = Vec::new();
        for aim in aims {
            let now = self.there(index, aim.device)?;
            if !aim.is_met_by(now.driver.as_deref()) {
                apart.push((aim, now));
            }
        }
        self.free(&apart)?;
        for (aim, now) in &apart {
            self.set_override(index, aim.device, now, aim.override_meanwhile())?;
        }
        for (aim, now) in &apart {
            if let Some(driver) = &now.driver {
                let path = format!("/sys/bus/pci/drivers/{driver}/unbind");
                self.write(index, aim.device, &path, &aim.device.address.to_string())?;
                self.verify(index, aim, |driver| driver.is_none(), "no driver")?;
            }
        }
        for (aim, _) in apart.iter().filter(|(aim, _)| aim.wants_driver()) {
            self.write(index, aim.device, PROBE, &aim.device.address.to_string())?;
            self.verify(index, aim, |driver| aim.is_met_by(driver), &aim.name())?;
        }
        for aim in aims {
            let now = self.there(index, aim.device)?;
            self.set_override(index, aim.device, &now, aim.override_after())?;
        }
        Ok(())
    }

    /// Has programs let go of what is to leave a driver of the host for a guest.
    fn free(&mut self, apart: &[(&Aim<'_>, DriverState)]) -> Result<(), StepFailure> {
        let leaving: Vec<PciAddress> = apart
            .iter()
            .filter(|(aim, now)| {
                matches!(aim.wanted, Wanted::Goal(DriverGoal::Vfio { .. })) && now.driver.is_some()
            })
            .map(|(aim, _)| aim.device.address)
            .collect();
        self.closed(&leaving)
    }

    /// Waits until no program has any of these functions open: a driver that is to let go of one would wait for that in the kernel.
    pub(crate) fn closed(&mut self, functions: &[PciAddress]) -> Result<(), StepFailure> {
        if functions.is_empty() {
            return Ok(());
        }
        let holders = self.runner.let_go(functions, self.target.path());
        if holders.is_empty() {
            return Ok(());
        }
        Err(StepFailure::Open { functions: functions.iter().map(ToString::to_string).collect(), holders })
    }

    /// Sets or clears an override, where it is not so already.
    pub(crate) fn set_override(
        &mut self,
        index: usize,
        device: &DeviceIdentity,
        now: &DriverState,
        wanted: Option<&str>,
    ) -> Result<(), StepFailure> {
        if now.driver_override.as_deref() == wanted {
            return Ok(());
        }
        self.write(index, device, &override_path(device.address), wanted.unwrap_or_default())
    }

    /// The state of a function that must be there, be the one that is meant, and not hang.
    fn there(&self, index: usize, device: &DeviceIdentity) -> Result<DriverState, StepFailure> {
        let address = device.address;
        // To look at a function whose driver hangs is to hang with it: the kernel holds its lock meanwhile.
        if self.journal.course.steps[index].hung.contains(&address) {
            return Err(StepFailure::Hangs { address });
        }
        let changed = |difference| StepFailure::Changed { path: address.to_string(), difference };
        match bound::look(self.target, device).map_err(io_at(address))? {
            Bound::There(state) => Ok(state),
            Bound::Gone => Err(changed("it is not there any more".to_owned())),
            Bound::Stranger(found) => Err(changed(format!("another device is there now: {found}"))),
        }
    }

    fn verify(
        &self,
        index: usize,
        aim: &Aim<'_>,
        is_right: impl FnOnce(Option<&str>) -> bool,
        wanted: &str,
    ) -> Result<(), StepFailure> {
        let found = self.there(index, aim.device)?.driver;
        if is_right(found.as_deref()) {
            return Ok(());
        }
        let (address, wanted) = (aim.device.address, wanted.to_owned());
        Err(StepFailure::Driver { address, wanted, found: found.unwrap_or_else(|| "no driver".to_owned()) })
    }

    /// Writes an attribute on behalf of a function. That it hangs is written down before anything else is done, so that
    /// nobody tries again.
    fn write(
        &mut self,
        index: usize,
        device: &DeviceIdentity,
        path: &str,
        text: &str,
    ) -> Result<(), StepFailure> {
        crate::failpoint::hit();
        let (runner, root) = (&mut *self.runner, self.target.path());
        let shared = runner.starts_processes();
        let mut work = || runner.write_attribute(path, text, root);
        let written = if shared { self.lock.shared_with_children(work) } else { work() };
        crate::failpoint::hit();
        if let Err(AttributeFailure::Hung { .. }) = &written {
            let hung = Record::Hung { index, address: device.address };
            self.append(&hung)
                .map_err(|source| StepFailure::Io { path: self.journal.directory(), source })?;
        }
        Ok(written?)
    }

    /// The functions of a step must be with the drivers that the plan takes them to be with.
    pub(crate) fn unmoved(&self, index: usize, functions: &[Rebinding]) -> Result<(), StepFailure> {
        for function in functions {
            let now = self.there(index, &function.device)?;
            if let Some(difference) = difference(&now, &function.before) {
                let path = function.device.address.to_string();
                return Err(StepFailure::Changed { path, difference });
            }
        }
        Ok(())
    }
}

/// How a function's state differs from what is expected; `None` where it does not.
pub(crate) fn difference(now: &DriverState, expected: &DriverState) -> Option<String> {
    let or_none = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".to_owned());
    let words: Vec<String> = [
        ("driver", &now.driver, &expected.driver),
        ("driver override", &now.driver_override, &expected.driver_override),
    ]
    .into_iter()
    .filter(|(_, now, expected)| now != expected)
    .map(|(what, now, expected)| format!("its {what} is {}, not {}", or_none(now), or_none(expected)))
    .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn io_at(address: PciAddress) -> impl FnOnce(io::Error) -> StepFailure {
    move |source| StepFailure::Io { path: address.to_string(), source }
}
