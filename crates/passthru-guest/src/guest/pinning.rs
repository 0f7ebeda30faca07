//! Where a guest's threads run on the host: planned for it, or by hand.

use passthru_model::guest_tuning::{Isolation, Scheduler};
use passthru_model::{HostFacts, PciFunction, Topology};
use passthru_plan::pinning::{self, ByHand, Near, Pinning, Request};

use super::{BuildError, Building};
use crate::choice::Topic;
use crate::spec::{GuestSpec, PinningChoice, Processor};

/// Decides it. `None` leaves vCPUs to the scheduler.
pub(super) fn decide(
    spec: &GuestSpec,
    facts: &HostFacts,
    functions: &[&PciFunction],
    building: &mut Building,
) -> Option<Pinning> {
    let wanted = &spec.processor;
    contradictions(spec, building);
    if wanted.pinning == PinningChoice::Off {
        building.say(Topic::Pinning, "the scheduler places vCPUs, as the specification wants");
        return None;
    }
    let asked = wanted.pinning == PinningChoice::On || !keys(wanted).is_empty();
    if !asked && functions.is_empty() {
        building.say(
            Topic::Pinning,
            "the scheduler places vCPUs: the guest is given no device of the host, so it need not have CPUs to itself \
             (processor.pinning = \"on\" gives it some)",
        );
        return None;
    }
    let Some(topology) = facts.topology.value() else {
        let why = facts.topology.because().unwrap_or_default();
        if asked {
            building.wrong(BuildError::TopologyUnknown(why.to_owned()));
        }
        building.say(
            Topic::Pinning,
            format!("the scheduler places vCPUs: the host's processors are unknown ({why})"),
        );
        return None;
    };
    let decided = match &wanted.pins {
        Some(pins) => pinned_by_hand(wanted, pins, topology),
        None => planned(spec, functions, topology),
    };
    match decided {
        Ok(pinning) => {
            for choice in &pinning.choices {
                building.say(Topic::Pinning, choice.why.clone());
            }
            if wanted.scheduler == Scheduler::RoundRobin {
                building.say(Topic::Pinning, round_robin(spec));
            }
            Some(pinning)
        }
        Err(error) => {
            building.say(Topic::Pinning, format!("the scheduler places vCPUs: {error}"));
            // No vCPUs are wrong by themselves, and said so.
            if asked && spec.cpus > 0 {
                building.wrong(error);
            }
            None
        }
    }
}

fn pinned_by_hand(wanted: &Processor, pins: &[u32], topology: &Topology) -> Result<Pinning, BuildError> {
    let chosen = ByHand { pins, emulator: wanted.emulator.as_ref(), iothread: wanted.iothread.as_ref() };
    pinning::by_hand(topology, &chosen).map_err(BuildError::Pins)
}

fn planned(spec: &GuestSpec, functions: &[&PciFunction], topology: &Topology) -> Result<Pinning, BuildError> {
    let wanted = &spec.processor;
    let request = Request {
        vcpus: usize::try_from(spec.cpus).unwrap_or(usize::MAX),
        threads: wanted.threads.unwrap_or_default(),
        prefer: wanted.prefer.unwrap_or_default(),
        near: near(functions),
    };
    pinning::pin(topology, &request)
        .map_err(BuildError::Pinning)?
        .with_own_threads(topology, wanted.emulator.as_ref(), wanted.iothread.as_ref())
        .map_err(BuildError::Pins)
}

/// What it means that vCPUs go before all normal programs.
fn round_robin(spec: &GuestSpec) -> String {
    let programs = match spec.tuning.isolation {
        Isolation::None => "programs and threads of the kernel",
        Isolation::Slices | Isolation::Partition => "threads of the kernel",
    };
    format!(
        "the kernel schedules vCPUs round-robin at the lowest real-time priority, as the specification wants: {programs} on their CPUs get \
         what it keeps from real-time threads, a twentieth, while a vCPU works"
    )
}

/// The device whose node counts: a display where there is one, since it moves most.
fn near(functions: &[&PciFunction]) -> Option<Near> {
    let display = functions.iter().find(|function| function.class.is_display());
    let function = display.or_else(|| functions.first())?;
    Some(Near { address: function.address, node: function.numa_node })
}

/// The keys that say how vCPUs are pinned, as far as they are given.
fn keys(wanted: &Processor) -> Vec<&'static str> {
    [
        ("threads", wanted.threads.is_some()),
        ("prefer", wanted.prefer.is_some()),
        ("pins", wanted.pins.is_some()),
        ("emulator", wanted.emulator.is_some()),
        ("iothread", wanted.iothread.is_some()),
        ("scheduler", wanted.scheduler != Scheduler::Normal),
    ]
    .into_iter()
    .filter_map(|(key, given)| given.then_some(key))
    .collect()
}

/// Keys that take each other's meaning away.
fn contradictions(spec: &GuestSpec, building: &mut Building) {
    let wanted = &spec.processor;
    let given = keys(wanted);
    if wanted.pinning == PinningChoice::Off {
        for key in given {
            building.wrong(BuildError::Contradiction { one: "pinning = \"off\"", other: key });
        }
        return;
    }
    let Some(pins) = &wanted.pins else { return };
    for key in given.into_iter().filter(|key| matches!(*key, "threads" | "prefer")) {
        building.wrong(BuildError::Contradiction { one: "pins", other: key });
    }
    if pins.len() != usize::try_from(spec.cpus).unwrap_or(usize::MAX) {
        building.wrong(BuildError::PinCount { cpus: spec.cpus, pins: pins.len() });
    }
}
