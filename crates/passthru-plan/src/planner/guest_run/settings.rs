//! The values of the running kernel that are changed for a guest, subject by subject.

use passthru_model::HostFacts;
use passthru_model::backend::Backend;
use passthru_model::cpu_set::CpuSet;
use passthru_model::guest_tuning::{Frequency, Interrupts, Isolation};
use passthru_model::plan::Step;
use passthru_model::setting::{HostSlice, Place, Setting, Value, Word};
use passthru_model::topology::Topology;
use passthru_model::tuning::{FrequencyPolicy, RunTimeFacts};

use super::{GuestRun, HUGE_PAGES, step};
use crate::pinning::Pinning;
use crate::planner::{Reason, select};

/// What the settings follow from.
pub(super) struct Settings<'a> {
    pub(super) facts: &'a HostFacts,
    pub(super) run: &'a GuestRun<'a>,
}

impl Settings<'_> {
    /// Makes the huge pages that are not free yet.
    pub(super) fn huge_pages(&self, notes: &mut Vec<String>) -> Result<Option<Step>, Reason> {
        let Some(wanted) = self.run.pages else { return Ok(None) };
        let Some(sizes) = self.facts.memory.huge_pages.value() else {
            return Err(self.unknown("how many huge pages there are", self.facts.memory.huge_pages.because()));
        };
        let size = wanted.size_kib;
        let pages = sizes.get(&size).ok_or_else(|| {
            Reason::CannotTune(format!(
                "the guest's memory is to be of pages of {size} KiB, which this kernel does not have"
            ))
        })?;
        let counts = match wanted.node {
            None => &pages.all,
            Some(node) => pages.nodes.get(&node).ok_or_else(|| {
                Reason::CannotTune(format!(
                    "the guest's memory is to come from NUMA node {node}, which has no huge pages"
                ))
            })?,
        };
        let lacking = wanted.count.saturating_sub(counts.takeable());
        if lacking == 0 {
            notes.push(format!("{} huge pages of {size} KiB are free already", wanted.count));
            return Ok(None);
        }
        let settings = vec![Setting {
            place: Place::HugePages { size_kib: size, node: wanted.node },
            before: Value::from(counts.total),
            after: Value::from(counts.total.saturating_add(lacking)),
            needed: true,
        }];
        let place = wanted.node.map(|node| format!(" on NUMA node {node}")).unwrap_or_default();
        let what = format!("make {lacking} huge pages of {size} KiB{place}");
        Ok(step(HUGE_PAGES, settings, what, "the guest's memory is made of them, and they are not there yet"))
    }

    /// Has the CPUs of the guest run as fast as they can.
    pub(super) fn frequency(&self, notes: &mut Vec<String>) -> Result<Option<Step>, Reason> {
        if self.run.tuning.frequency == Frequency::Leave {
            return Ok(None);
        }
        let frequency = &self.facts.tuning.frequency;
        let Some(policies) = frequency.value() else {
            return Err(self.unknown("how the CPUs' frequency is chosen", frequency.because()));
        };
        let ours = |policy: &&FrequencyPolicy| {
            self.run.pinning.is_none_or(|pinning| policy.cpus.meets(&pinning.guest_cpus))
        };
        let settings: Vec<Setting> = policies.iter().filter(ours).filter_map(fastest).collect();
        if settings.is_empty() {
            notes.push("the guest's CPUs run as fast as this host lets them already".to_owned());
        }
        let what = format!("have {} run as fast as they can", self.cpus());
        Ok(step(
            "frequency",
            settings,
            what,
            "tuning.frequency asks for it; vCPUs that wait let the host slow their CPUs down",
        ))
    }

    /// Has interrupts of the host served by the host's CPUs.
    pub(super) fn interrupts(&self, notes: &mut Vec<String>) -> Result<Option<Step>, Reason> {
        if self.run.tuning.interrupts == Interrupts::Leave {
            return Ok(None);
        }
        let pinning = self.pinned("tuning.interrupts")?;
        let now = self.run_time()?;
        if now.irqbalance {
            notes.push(
                "irqbalance places interrupts on this host and would move them back, so they are left to it; its \
                 IRQBALANCE_BANNED_CPULIST keeps them off CPUs"
                    .to_owned(),
            );
            return Ok(None);
        }
        let moved = |(interrupt, cpus): (&u32, &CpuSet)| {
            if !cpus.meets(&pinning.guest_cpus) {
                return None;
            }
            let rest = cpus.difference(&pinning.guest_cpus);
            let after = if rest.is_empty() { &pinning.host_cpus } else { &rest };
            let place = Place::InterruptCpus { interrupt: *interrupt };
            // The kernel keeps some where they are: those of one CPU, and those that drivers have spread themselves.
            Some(Setting { place, before: cpus.into(), after: after.into(), needed: false })
        };
        let settings: Vec<Setting> = now.interrupts.iter().filter_map(moved).collect();
        let what = format!("move {} interrupts off {}", settings.len(), self.cpus());
        Ok(step(
            "interrupts",
            settings,
            what,
            "tuning.interrupts asks for it; each interrupt takes the CPU away from the vCPU",
        ))
    }

    /// Keeps everything else off the CPUs of the guest.
    pub(super) fn isolation(&self) -> Result<Option<Step>, Reason> {
        let isolation = self.run.tuning.isolation;
        if isolation == Isolation::None {
            return Ok(None);
        }
        if isolation == Isolation::Partition && self.run.backend == Backend::Libvirt {
            return Err(Reason::CannotTune(
                "tuning.isolation = \"partition\" needs the guest in a control group of passthru's, and libvirt has its own; \
                 \"slices\" works with libvirt"
                    .to_owned(),
            ));
        }
        let pinning = self.pinned("tuning.isolation")?;
        let topology = self.topology()?;
        let now = self.run_time()?;
        let Some(handed_down) = now.cpuset else {
            return Err(Reason::CannotTune(
                "tuning.isolation needs control groups of version 2 with the cpuset controller, which this host does not have \
                 at /sys/fs/cgroup"
                    .to_owned(),
            ));
        };
        let guest = || self.run.guest.clone();
        let group = setting(Place::GuestGroup { guest: guest() }, Value::default(), Value::from(Word::Made));
        if isolation == Isolation::Slices {
            if !now.systemd {
                return Err(Reason::CannotTune(
                    "tuning.isolation = \"slices\" is done by systemd, which does not run this host; \"partition\" needs none"
                        .to_owned(),
                ));
            }
            let slices = HostSlice::ALL.map(|slice| limited(slice, now, topology, pinning));
            // libvirt starts its guests in a slice of their own, which keeps all CPUs.
            let group = (self.run.backend == Backend::Qemu).then_some(Ok(group));
            let settings: Result<Vec<Setting>, Reason> = group.into_iter().chain(slices).collect();
            let mut settings = settings?;
            settings.retain(|setting| setting.before != setting.after);
            let what = format!("keep what systemd has started off {}", self.cpus());
            return Ok(step(
                "isolation",
                settings,
                what,
                "tuning.isolation asks for it: no program of the host makes a vCPU wait",
            ));
        }
        let own = pinning.guest_cpus.union(&pinning.iothread);
        if pinning.host_cpus.is_subset(&own) {
            return Err(Reason::CannotTune(format!(
                "tuning.isolation = \"partition\" takes a core for QEMU's own threads besides {}, and then none is left for the host",
                self.cpus()
            )));
        }
        let controller = Value::from(if handed_down { Word::On } else { Word::Off });
        let mut settings = Vec::new();
        if !handed_down {
            settings.push(setting(Place::CpusetController, controller, Word::On.into()));
        }
        settings.push(group);
        settings.push(setting(Place::GuestGroupCpus { guest: guest() }, Value::default(), Value::from(&own)));
        let partition = Place::GuestGroupPartition { guest: guest() };
        settings.push(setting(partition, Word::Member.into(), Word::Root.into()));
        let what = format!("give CPUs {own} to the guest alone");
        Ok(step(
            "isolation",
            settings,
            what,
            "tuning.isolation asks for it: nothing else runs there, and nothing is balanced onto them",
        ))
    }

    fn pinned(&self, key: &str) -> Result<&Pinning, Reason> {
        self.run.pinning.ok_or_else(|| {
            Reason::CannotTune(format!(
                "{key} is about the CPUs of the guest, and its vCPUs have none of their own"
            ))
        })
    }

    fn topology(&self) -> Result<&Topology, Reason> {
        let topology = &self.facts.topology;
        topology.value().ok_or_else(|| self.unknown("which CPUs the host has", topology.because()))
    }

    fn run_time(&self) -> Result<&RunTimeFacts, Reason> {
        let now = &self.facts.tuning.run_time;
        now.value().ok_or_else(|| self.unknown("what can be tuned while the host runs", now.because()))
    }

    fn unknown(&self, what: &str, because: Option<&str>) -> Reason {
        select::unknown(self.facts, what, because.unwrap_or_default())
    }

    /// The guest's CPUs in words.
    fn cpus(&self) -> String {
        match self.run.pinning {
            Some(pinning) if pinning.guest_cpus.len() == 1 => format!("CPU {}", pinning.guest_cpus),
            Some(pinning) => format!("CPUs {}", pinning.guest_cpus),
            None => "all CPUs".to_owned(),
        }
    }
}

fn setting(place: Place, before: Value, after: Value) -> Setting {
    Setting { place, before, after, needed: true }
}

/// What makes the CPUs of a policy fast; `None` where they are already, or the value is none that could be put back.
///
/// Where the hardware chooses by a preference, that is set: `powersave` is not slow there. While the governor is
/// `performance` the preference cannot be changed, and need not.
fn fastest(policy: &FrequencyPolicy) -> Option<Setting> {
    let governor = policy.governor.clone()?;
    if governor == "performance" {
        return None;
    }
    let preference = policy.preference.clone().filter(|_| policy.is_active_mode());
    let (place, before) = match preference {
        Some(preference) => (Place::EnergyPreference { policy: policy.id }, preference),
        None => (Place::Governor { policy: policy.id }, governor),
    };
    let (before, after) = (Value::try_from(before).ok()?, Value::from(Word::Performance));
    (before != after).then(|| setting(place, before, after))
}

/// Keeps a unit of systemd to the host's CPUs.
fn limited(
    slice: HostSlice,
    now: &RunTimeFacts,
    topology: &Topology,
    pinning: &Pinning,
) -> Result<Setting, Reason> {
    let online = &topology.online;
    let limit = now.slices.get(&slice).filter(|cpus| !online.is_subset(cpus));
    let after = limit.unwrap_or(online).intersection(&pinning.host_cpus);
    if after.is_empty() {
        return Err(Reason::CannotTune(format!(
            "{} may run on CPUs {} alone, which the guest would take",
            slice.unit(),
            limit.unwrap_or(online)
        )));
    }
    let place = Place::SliceCpus { slice, online: online.clone() };
    Ok(setting(place, limit.map(Value::from).unwrap_or_default(), Value::from(&after)))
}
