//! The modules that must be there before a driver can be given a function.

use passthru_formats::cmdline::same_name;
use passthru_model::HostFacts;
use passthru_model::binding::ModprobeCommand;
use passthru_model::kernel::{KernelDrivers, ModuleState, PossibleDrivers};
use passthru_model::pci::PciFunction;
use passthru_model::plan::{Action, Effect, Step};
use passthru_model::program::Program;
use passthru_model::rebinding::{DriverGoal, VfioDriver};

use crate::groups::listed;
use crate::planner::{Reason, select};

/// The step that loads a driver of VFIO, where it is not there yet.
pub(super) fn vfio(
    facts: &HostFacts,
    driver: &VfioDriver,
    needed: bool,
    reasons: &mut Vec<Reason>,
) -> Option<Step> {
    if !needed || is_loaded(facts, driver.name()) {
        return None;
    }
    let load = step("load-vfio", vec![driver.name().to_owned()], format!("load the module {driver}"));
    if *driver != VfioDriver::default() {
        // Which variants a kernel has is told by modprobe.
        return Some(load);
    }
    let what = "whether the running kernel has vfio-pci";
    let (Some(release), Some(installed)) = (facts.kernel.release.value(), facts.kernel.installed.value())
    else {
        let because = facts.kernel.release.because().or(facts.kernel.installed.because()).unwrap_or_default();
        reasons.push(select::unknown(facts, what, because));
        return None;
    };
    let Some(kernel) = installed.iter().find(|kernel| &kernel.release == release) else {
        reasons.push(Reason::ModulesGone { release: release.clone() });
        return None;
    };
    match (kernel.module("vfio_pci"), kernel.modules.because()) {
        (_, Some(because)) => {
            reasons.push(select::unknown(facts, what, because));
            None
        }
        (Some(ModuleState::BuiltIn), _) => None,
        (Some(ModuleState::Loadable), _) => Some(load),
        (Some(ModuleState::Absent) | None, _) => {
            reasons.push(Reason::NoVfio { release: release.clone() });
            None
        }
    }
}

fn is_loaded(facts: &HostFacts, module: &str) -> bool {
    facts.kernel.loaded.value().is_some_and(|loaded| loaded.iter().any(|name| same_name(name, module)))
}

fn step(id: &str, arguments: Vec<String>, what: String) -> Step {
    let action =
        Action::Run { program: Program::Modprobe, arguments, rewrites: Vec::new(), expect: Vec::new() };
    let why = "a driver that is not loaded is given nothing; it stays loaded, which does no harm".to_owned();
    Step { id: id.to_owned(), action, what, why, effect: Effect::Now }
}

/// The drivers that the running kernel has for the functions.
pub(super) struct HostDrivers<'a> {
    facts: &'a HostFacts,
    drivers: Option<&'a KernelDrivers>,
}

impl<'a> HostDrivers<'a> {
    pub(super) fn of(facts: &'a HostFacts) -> Self {
        let release = facts.kernel.release.value();
        let kernels = facts.possible_drivers.value().into_iter().flatten();
        Self { facts, drivers: kernels.into_iter().find(|kernel| Some(&kernel.release) == release) }
    }

    /// The drivers of a function that modprobe would load or that are there. `None`: not known.
    fn usable(&self, function: &PciFunction) -> Option<PossibleDrivers> {
        let known = self.drivers?.drivers.value()?;
        let mut possible = known.get(&function.address).cloned().unwrap_or_default();
        possible.loadable.retain(|module| !self.is_blacklisted(module) || is_loaded(self.facts, module));
        Some(possible)
    }

    fn is_blacklisted(&self, module: &str) -> bool {
        let settings = self.facts.binding.modprobe.value();
        settings.is_some_and(|settings| {
            settings.commands.iter().any(|said| {
                matches!(&said.what, ModprobeCommand::Blacklist { module: other } if same_name(other, module))
            })
        })
    }

    /// Who is to have a function.
    pub(super) fn goal(&self, function: &PciFunction) -> DriverGoal {
        match self.usable(function) {
            Some(possible) if !possible.loadable.is_empty() || !possible.built_in.is_empty() => {
                DriverGoal::Host
            }
            _ => DriverGoal::HostIfAny,
        }
    }

    /// That nobody will have it, where that is so.
    pub(super) fn note(&self, function: &PciFunction) -> Option<String> {
        let address = function.address;
        match self.usable(function) {
            Some(possible) if possible.loadable.is_empty() && possible.built_in.is_empty() => Some(format!(
                "the running kernel has no driver for {address} that may be loaded, so it stays without one"
            )),
            Some(_) => None,
            None => Some(format!(
                "which drivers the running kernel has for {address} is not known; if none is loaded, it stays without one"
            )),
        }
    }

    /// The step that loads the drivers of those functions for which none is there yet.
    pub(super) fn load(&self, functions: &[&PciFunction]) -> Option<Step> {
        let lacking: Vec<&&PciFunction> = functions
            .iter()
            .filter(|function| function.modalias.starts_with("pci:"))
            .filter(|function| {
                self.usable(function).is_some_and(|possible| {
                    possible.built_in.is_empty()
                        && !possible.loadable.is_empty()
                        && !possible.loadable.iter().any(|module| is_loaded(self.facts, module))
                })
            })
            .collect();
        if lacking.is_empty() {
            return None;
        }
        let addresses: Vec<_> = lacking.iter().map(|function| function.address).collect();
        // By alias, as udev does: what is blacklisted stays out.
        let aliases = lacking.iter().map(|function| function.modalias.clone());
        let arguments = std::iter::once("-a".to_owned()).chain(aliases).collect();
        Some(step(
            "load-host-drivers",
            arguments,
            format!("load the host’s drivers for {}", listed(&addresses)),
        ))
    }
}
