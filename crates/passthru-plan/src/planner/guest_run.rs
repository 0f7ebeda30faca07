//! What is changed of the host while a guest runs: what its specification asks for, and no more.

mod display;
mod settings;

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::backend::Backend;
use passthru_model::guest_name::GuestName;
use passthru_model::guest_tuning::{GuestTuning, HugePagesWanted, Isolation, Scheduler, ThreadPlaces};
use passthru_model::plan::{Action, Effect, Plan, Step};
use passthru_model::setting::{Setting, guest_group};

use super::run_time;
use super::{Consent, Reason, Refusal};
use crate::groups::listed;
use crate::pinning::Pinning;
use display::HandOver;
use settings::Settings;

/// A guest that is to be started.
#[derive(Clone, Copy, Debug)]
pub struct GuestRun<'a> {
    /// Its name.
    pub guest: &'a GuestName,
    /// What runs it.
    pub backend: Backend,
    /// The functions of the host that it is given, and that nobody else gives to vfio-pci.
    pub functions: &'a [PciAddress],
    /// What its specification asks for.
    pub tuning: GuestTuning,
    /// Where its threads run; `None`: wherever the scheduler puts them.
    pub pinning: Option<&'a Pinning>,
    /// How the threads of its vCPUs are scheduled, where they have places.
    pub scheduler: Scheduler,
    /// The huge pages that its memory is made of; `None`: of none.
    pub pages: Option<HugePagesWanted>,
}

/// What is to be done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRun {
    /// The changes of the host. Empty where there are none.
    pub plan: Plan,
    /// The control group that QEMU joins; `None`: it stays in its caller's.
    pub group: Option<String>,
    /// Where its threads run.
    pub threads: Option<ThreadPlaces>,
    /// Whether the host is kept awake while it runs.
    pub awake: bool,
}

/// Plans what is changed of the host for a guest, each step with its reason.
///
/// Without root nothing of the host can be changed: a guest that would be given a device which a driver of the host has is
/// refused, and what would only make it faster is left, with a note.
pub fn guest_run(facts: &HostFacts, run: &GuestRun<'_>) -> Result<PlannedRun, Refusal> {
    let mut plan = Plan {
        title: format!("run {}", run.guest),
        steps: Vec::new(),
        notes: Vec::new(),
        guest: Some(run.guest.clone()),
    };
    let mut reasons = Vec::new();
    let settings = Settings { facts, run };
    let steps = [
        settings.huge_pages(&mut plan.notes),
        settings.frequency(&mut plan.notes),
        settings.interrupts(&mut plan.notes),
        settings.isolation(),
    ];
    for step in steps {
        match step {
            Ok(step) => plan.steps.extend(step),
            Err(reason) => reasons.push(reason),
        }
    }
    match drivers(facts, run) {
        Ok(Some(bound)) => {
            // Memory is least broken up before anything else is done, and the guest's CPUs are cleared last.
            let at = plan.steps.iter().take_while(|step| step.id == HUGE_PAGES).count();
            plan.steps.splice(at..at, bound.steps);
            plan.notes.extend(bound.notes);
        }
        Ok(None) => {}
        Err(refusal) => reasons.extend(refusal.reasons),
    }
    if !reasons.is_empty() {
        return Err(Refusal { reasons });
    }
    // libvirt has control groups and pins of its own for what it starts.
    let ours = run.backend == Backend::Qemu;
    let isolated = ours && run.tuning.isolation != Isolation::None;
    let awake = run.tuning.keeps_awake(!run.functions.is_empty());
    if awake {
        plan.notes.push("the host does not go to sleep while it runs, for its devices would lose their state (tuning.host-sleep)".to_owned());
    }
    let root = facts.surroundings.root;
    let places = |isolation| {
        let scheduler = if root { run.scheduler } else { Scheduler::Normal };
        run.pinning.filter(|_| ours).map(|pinning| threads(pinning, isolation, scheduler))
    };
    let mut planned = PlannedRun {
        group: isolated.then(|| guest_group(run.guest)),
        threads: places(run.tuning.isolation),
        awake,
        plan,
    };
    if !root && !planned.plan.is_empty() {
        let left: Vec<String> = planned.plan.steps.drain(..).map(|step| step.what).collect();
        planned.plan.notes.push(format!("only root can do this, so it is left: {}", left.join("; ")));
        planned.group = None;
        planned.threads = places(Isolation::None);
    }
    if !root && run.scheduler != Scheduler::Normal && planned.threads.is_some() {
        planned.plan.notes.push(
            "only root can have vCPUs scheduled round-robin, so they are scheduled as any program".to_owned(),
        );
    }
    Ok(planned)
}

/// The id of the step that makes huge pages.
const HUGE_PAGES: &str = "huge-pages";

/// Where a guest's threads run. In a partition there are the guest's CPUs, and a core for QEMU's own threads.
fn threads(pinning: &Pinning, isolation: Isolation, scheduler: Scheduler) -> ThreadPlaces {
    let own = if isolation == Isolation::Partition { &pinning.iothread } else { &pinning.emulator };
    ThreadPlaces {
        vcpus: pinning.pins.clone(),
        emulator: own.clone(),
        iothreads: pinning.iothread.clone(),
        scheduler,
    }
}

/// The plan that gives a guest's functions to vfio-pci, where a driver of the host has some of them.
fn drivers(facts: &HostFacts, run: &GuestRun<'_>) -> Result<Option<Plan>, Refusal> {
    let of_host =
        |address: &&PciAddress| facts.function(**address).is_some_and(|function| !function.is_on_vfio());
    let moving: Vec<PciAddress> = run.functions.iter().filter(of_host).copied().collect();
    if moving.is_empty() {
        return Ok(None);
    }
    if !facts.surroundings.root {
        return Err(Reason::CannotTune(format!(
            "{} must go to vfio-pci first, which only root can do: start the guest as root, or let root run `passthru bind {0}`",
            listed(&moving)
        ))
        .into());
    }
    let given_up = if run.tuning.hand_over_display {
        display::hand_over(facts, &moving).map_err(|reasons| Refusal { reasons })?
    } else {
        HandOver::default()
    };
    let consent = Consent {
        only_named: true,
        take_only_display: run.tuning.take_only_display || run.tuning.hand_over_display,
        holders_end: given_up.ends_programs,
        take_in_use: run.tuning.take_in_use,
        take_last_keyboard: run.tuning.take_last_keyboard,
        ..Consent::default()
    };
    let mut plan = run_time::bind(facts, &moving, None, &consent)?;
    plan.steps.splice(0..0, given_up.steps);
    plan.notes.extend(given_up.notes);
    Ok(Some(plan))
}

/// A step of values; `None` where there are none.
fn step(id: &str, settings: Vec<Setting>, what: String, why: &str) -> Option<Step> {
    (!settings.is_empty()).then(|| Step {
        id: id.to_owned(),
        action: Action::Tune { settings },
        what,
        why: why.to_owned(),
        effect: Effect::GuestStart,
    })
}
