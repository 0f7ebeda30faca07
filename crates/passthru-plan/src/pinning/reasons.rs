//! Why, in sentences.

use passthru_model::topology::Topology;

use super::cores::{self, Eligible};
use super::emulator::Place;
use super::scope::{Chosen, Closeness, Decided};
use super::{Choice, Pinning, Request, Subject, Threads};

/// Everything that was chosen, in the order in which it is best read.
pub(super) fn of(
    topology: &Topology,
    request: &Request,
    eligible: &Eligible,
    chosen: &Chosen,
    pinning: &Pinning,
    place: Place,
) -> Vec<Choice> {
    let why = Why { topology, request, eligible, chosen, pinning };
    let all = [
        (Subject::Cores, Some(why.cores())),
        (Subject::Kind, why.kind()),
        (Subject::L3, why.l3()),
        (Subject::Node, why.node()),
        (Subject::Threads, why.threads()),
        (Subject::Isolated, why.isolated()),
        (Subject::Host, Some(why.host())),
        (Subject::Emulator, Some(why.emulator(place))),
        (Subject::Guest, Some(why.guest())),
    ];
    all.into_iter().filter_map(|(about, why)| Some(Choice { about, why: why? })).collect()
}

struct Why<'a> {
    topology: &'a Topology,
    request: &'a Request,
    eligible: &'a Eligible,
    chosen: &'a Chosen,
    pinning: &'a Pinning,
}

/// A number of things: `1 core`, `2 cores`.
pub(super) fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A size of a cache in MiB, or KiB where it is no whole number of these.
fn size(kib: u64) -> String {
    if kib.is_multiple_of(1024) { format!("{} MiB", kib / 1024) } else { format!("{kib} KiB") }
}

impl Why<'_> {
    fn cores(&self) -> String {
        let cores = many(self.chosen.cores.len(), "core");
        if self.request.threads == Threads::Shared {
            return format!(
                "one thread of {cores}, which the host shares: good while the host is idle, and uneven while it is not"
            );
        }
        let whole = if self.chosen.cores.len() == 1 { "a whole core" } else { "whole cores" };
        format!(
            "{cores} ({}): {whole}, so that host and guest never compete for one",
            self.pinning.guest_cpus
        )
    }

    fn kind(&self) -> Option<String> {
        self.eligible.performance.then(|| {
            "performance cores alone: a guest cannot tell kinds of cores apart, and would put urgent work on slow ones"
                .to_owned()
        })
    }

    fn l3(&self) -> Option<String> {
        let domains = &self.topology.l3;
        if domains.is_empty() {
            return Some(
                "this host does not say which cores share an L3, so that could not be looked after"
                    .to_owned(),
            );
        }
        let of = |domain: usize| domains.get(domain).and_then(|domain| domain.size_kib);
        let with_size =
            |domain: usize| of(domain).map_or_else(String::new, |kib| format!(" of {}", size(kib)));
        let [only] = self.pinning.l3.as_slice() else {
            let largest = many(self.largest(), "core");
            return (!self.pinning.l3.is_empty()).then(|| {
                format!(
                    "{} L3 domains: no single one has room for {} (the largest has {largest}); data that vCPUs of \
                     different domains share travels through memory",
                    self.pinning.l3.len(),
                    many(self.request.vcpus, "vCPU")
                )
            });
        };
        let place = format!("all in one L3{}", with_size(*only));
        if domains.len() == 1 {
            return Some(format!("{place}, the only one"));
        }
        let decided = match self.chosen.decided {
            Some(Decided::Cache) => ", the domain with the most cache of those that have room",
            Some(Decided::Quiet) => ", apart from CPU 0 and its interrupts",
            Some(Decided::Ranking) => ", where the cores boost best",
            Some(Decided::Device) => ", close to the device",
            None => ", so that vCPUs share data without a detour",
        };
        let passed = self.chosen.passed_over.map_or_else(String::new, |domain| {
            format!(
                "; the one{} has room only with CPU 0's core: ask for {} to have it",
                with_size(domain),
                many(self.room_without_housekeeping(domain), "vCPU")
            )
        });
        Some(format!("{place}{decided}{passed}"))
    }

    /// Cores of the L3 domain that has most.
    fn largest(&self) -> usize {
        let mut counts = vec![0; self.topology.l3.len()];
        for domain in self.topology.cores.iter().filter_map(|core| core.l3) {
            if let Some(count) = counts.get_mut(domain) {
                *count += 1;
            }
        }
        counts.into_iter().max().unwrap_or(0)
    }

    /// vCPUs that a domain carries beside CPU 0's core.
    fn room_without_housekeeping(&self, domain: usize) -> usize {
        let cores: Vec<usize> = self
            .eligible
            .cores
            .iter()
            .copied()
            .filter(|&core| {
                self.topology.cores[core].l3 == Some(domain) && core != self.eligible.housekeeping
            })
            .collect();
        cores::room(self.topology, self.request, &cores)
    }

    fn node(&self) -> Option<String> {
        if self.topology.nodes.len() < 2 {
            return None;
        }
        let Some(node) = self.pinning.node else {
            return Some(
                "several NUMA nodes: none has room for all vCPUs, so some memory is far from each".to_owned(),
            );
        };
        let Some(near) = self.request.near else {
            return Some(format!(
                "NUMA node {node}, and memory from it; name a device with --device to be near to it"
            ));
        };
        Some(match near.node {
            None => {
                format!("NUMA node {node}; the firmware does not say which node {} hangs on", near.address)
            }
            Some(home) if home == node => {
                format!("NUMA node {node}, where {} hangs: its accesses to memory stay local", near.address)
            }
            Some(home) => format!(
                "NUMA node {node}, though {} hangs on node {home}: there {} have no room in one piece without CPU 0's core",
                near.address,
                many(self.request.vcpus, "vCPU")
            ),
        })
    }

    fn threads(&self) -> Option<String> {
        let idle = self.pinning.guest_cpus.difference(&self.pinning.pins.iter().copied().collect());
        let list = format!("CPU{} {idle}", if idle.len() == 1 { "" } else { "s" });
        match self.request.threads {
            Threads::Siblings if self.pinning.guest.threads > 1 => {
                let threads = self.pinning.guest.threads;
                let all = if threads == 2 { "both".to_owned() } else { format!("all {threads}") };
                let to = if threads == 2 { "and" } else { "to" };
                Some(format!(
                    "{all} threads of each core: vCPUs 0 {to} {} are siblings in the guest as on the host, and so on",
                    threads - 1
                ))
            }
            Threads::Siblings if !idle.is_empty() => Some(format!(
                "{list} left empty: {} do not fill the last core, and its rest is not given to the host",
                many(self.request.vcpus, "vCPU")
            )),
            Threads::OnePerCore if !idle.is_empty() => {
                Some(format!("one vCPU on each core, {list} left empty: each vCPU has a core to itself"))
            }
            Threads::Siblings | Threads::OnePerCore => None,
            Threads::Shared => Some("the second thread of each core; the host keeps the first".to_owned()),
        }
    }

    fn isolated(&self) -> Option<String> {
        if self.topology.isolated.is_empty() {
            return None;
        }
        let list = &self.topology.isolated;
        Some(if self.eligible.isolated {
            format!("among the isolated CPUs ({list}), which the scheduler leaves alone already")
        } else if self.pinning.pins.iter().any(|cpu| list.contains(*cpu)) {
            format!(
                "the isolated CPUs ({list}) have no room for all; the scheduler also uses the other CPUs of the guest"
            )
        } else {
            format!("not on the isolated CPUs ({list}), which have no room in whole cores beside CPU 0's")
        })
    }

    fn host(&self) -> String {
        let cpus = &self.pinning.host_cpus;
        let list = format!("the host keeps CPU{} {cpus}", if cpus.len() == 1 { "" } else { "s" });
        if self.chosen.with_housekeeping {
            return format!(
                "{list}; CPU 0's core goes to the guest, since nothing else has room: move interrupts off it"
            );
        }
        format!("{list}, CPU 0's core among them, where interrupts and timers are served")
    }

    fn emulator(&self, place: Place) -> String {
        let Pinning { emulator, iothread, .. } = self.pinning;
        let close = match place {
            Place::L3 => "in the same L3 as the vCPUs",
            Place::Node => "on the same NUMA node as the vCPUs",
            Place::Host if self.topology.l3.is_empty() || self.chosen.closeness > Closeness::L3 => {
                "from the host's share"
            }
            Place::Host => "from the host's share, outside the vCPUs' L3, which is theirs alone",
        };
        if emulator == iothread {
            return format!("QEMU's own threads and I/O threads on {emulator}, {close}");
        }
        format!("QEMU's own threads on {emulator}, I/O threads on {iothread}, {close}")
    }

    fn guest(&self) -> String {
        let guest = self.pinning.guest;
        let cores = many(guest.cores, "core");
        let sockets =
            if guest.sockets == 1 { String::new() } else { format!("{} sockets of ", guest.sockets) };
        if guest.threads > 1 {
            return format!("the guest sees {sockets}{cores} with {} threads each", guest.threads);
        }
        let most = self.topology.most_threads();
        if most > 1 && self.request.threads == Threads::Siblings {
            return format!(
                "the guest sees {sockets}{cores} of one thread, since the cores it gets are not all full and alike; ask for a \
                 multiple of {most} vCPUs to have them seen as they are"
            );
        }
        format!("the guest sees {sockets}{cores} of one thread")
    }
}
