//! The places of values, and what their values mean there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CGROUPS, Change, DisplayModule, DisplayService, HostSlice, KernelWrite, Screen, Value, display,
    guest_group,
};
use crate::cpu_set::CpuSet;
use crate::guest_name::GuestName;
use crate::program::Program;

/// A value of the running kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "place")]
pub enum Place {
    /// How many huge pages of a size there are (`nr_hugepages`, `Documentation/admin-guide/mm/hugetlbpage.rst`).
    HugePages {
        /// The size of one page in KiB.
        size_kib: u64,
        /// The NUMA node; `None`: the whole host.
        node: Option<u32>,
    },
    /// Who chooses the frequency of the CPUs of a policy (`scaling_governor`).
    Governor {
        /// The number in `policyN`.
        policy: u32,
    },
    /// What the hardware prefers when it chooses the frequency itself (`energy_performance_preference`).
    EnergyPreference {
        /// The number in `policyN`.
        policy: u32,
    },
    /// The CPUs that may serve an interrupt (`smp_affinity_list`, `Documentation/core-api/irq/irq-affinity.rst`).
    InterruptCpus {
        /// Its number.
        interrupt: u32,
    },
    /// The CPUs on which a unit of systemd runs (`AllowedCPUs=`, systemd.resource-control(5)). The empty value: on all.
    SliceCpus {
        /// The unit.
        slice: HostSlice,
        /// The CPUs that are online: to be allowed these is to be allowed all.
        online: CpuSet,
    },
    /// Whether the groups below the root may be given CPUs: `on` or `off` (`cgroup.subtree_control`).
    CpusetController,
    /// The control group of a guest: `made`, or nothing.
    GuestGroup {
        /// The guest.
        guest: GuestName,
    },
    /// The CPUs of that group (`cpuset.cpus`).
    GuestGroupCpus {
        /// The guest.
        guest: GuestName,
    },
    /// Whether these CPUs are the group's alone: `member`, `root` or `isolated` (`cpuset.cpus.partition`).
    GuestGroupPartition {
        /// The guest.
        guest: GuestName,
    },
    /// Whether a service that has graphics cards open runs: `on` or `off`.
    DisplayService {
        /// The service.
        service: DisplayService,
    },
    /// Whether a driver of consoles draws them: `on` or `off`.
    Console {
        /// The number in `vtconN`.
        number: u32,
    },
    /// Whether a driver draws on the screen that the firmware left: `on` or `off`.
    FirmwareScreen {
        /// The screen.
        screen: Screen,
    },
    /// Whether a module that uses cards beside their driver is loaded: `on` or `off`.
    DisplayModule {
        /// The module.
        module: DisplayModule,
    },
}

/// What stands at a place's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Nothing.
    Absent,
    /// A directory.
    Directory,
    /// A file with this text.
    Text(&'a str),
}

impl Place {
    /// The path that says what the value is.
    pub fn path(&self) -> String {
        let policy = |policy: &u32, name| format!("/sys/devices/system/cpu/cpufreq/policy{policy}/{name}");
        match self {
            Self::HugePages { size_kib, node: None } => {
                format!("/sys/kernel/mm/hugepages/hugepages-{size_kib}kB/nr_hugepages")
            }
            Self::HugePages { size_kib, node: Some(node) } => {
                format!("/sys/devices/system/node/node{node}/hugepages/hugepages-{size_kib}kB/nr_hugepages")
            }
            Self::Governor { policy: number } => policy(number, "scaling_governor"),
            Self::EnergyPreference { policy: number } => policy(number, "energy_performance_preference"),
            Self::InterruptCpus { interrupt } => format!("/proc/irq/{interrupt}/smp_affinity_list"),
            Self::SliceCpus { slice, .. } => format!("{CGROUPS}/{}/cpuset.cpus", slice.unit()),
            Self::CpusetController => format!("{CGROUPS}/cgroup.subtree_control"),
            Self::GuestGroup { guest } => guest_group(guest),
            Self::GuestGroupCpus { guest } => format!("{}/cpuset.cpus", guest_group(guest)),
            Self::GuestGroupPartition { guest } => format!("{}/cpuset.cpus.partition", guest_group(guest)),
            Self::DisplayService { service } => service.path(),
            Self::Console { number } => display::console_path(*number),
            Self::FirmwareScreen { screen } => screen.path(),
            Self::DisplayModule { module } => module.path(),
        }
    }

    /// The value, from what stands at the path; `None` where that is no value of this place, or the place is not there.
    pub fn value(&self, seen: Seen<'_>) -> Option<Value> {
        let cpus = |text: &str| text.parse::<CpuSet>().ok();
        let text = match (self, seen) {
            (Self::DisplayService { .. }, _) => return DisplayService::value(seen).map(Value::from),
            (Self::Console { .. }, _) => return display::console_value(seen).map(Value::from),
            (Self::FirmwareScreen { .. }, _) => return Screen::value(seen).map(Value::from),
            (Self::DisplayModule { .. }, _) => return DisplayModule::value(seen).map(Value::from),
            (Self::GuestGroup { .. }, Seen::Directory) => "made".to_owned(),
            (
                Self::GuestGroup { .. } | Self::GuestGroupCpus { .. } | Self::SliceCpus { .. },
                Seen::Absent,
            ) => String::new(),
            (Self::GuestGroupPartition { .. }, Seen::Absent) => "member".to_owned(),
            (Self::GuestGroup { .. }, Seen::Text(_)) | (_, Seen::Absent | Seen::Directory) => return None,
            (Self::HugePages { .. }, Seen::Text(text)) => text.trim().parse::<u64>().ok()?.to_string(),
            (Self::Governor { .. } | Self::EnergyPreference { .. }, Seen::Text(text)) => {
                text.trim().to_owned()
            }
            (Self::GuestGroupPartition { .. }, Seen::Text(text)) => text.trim().to_owned(),
            (Self::InterruptCpus { .. } | Self::GuestGroupCpus { .. }, Seen::Text(text)) => {
                cpus(text)?.to_string()
            }
            (Self::SliceCpus { online, .. }, Seen::Text(text)) => {
                let cpus = cpus(text)?;
                if online.is_subset(&cpus) { String::new() } else { cpus.to_string() }
            }
            (Self::CpusetController, Seen::Text(text)) => {
                let on = text.split_ascii_whitespace().any(|controller| controller == "cpuset");
                if on { "on" } else { "off" }.to_owned()
            }
        };
        text.try_into().ok()
    }

    /// What gives the place a value, in order.
    pub fn changes(&self, value: &Value) -> Vec<Change> {
        let path = self.path();
        let text = value.as_str().to_owned();
        match self {
            Self::GuestGroup { .. } if text.is_empty() => vec![Change::Kernel(KernelWrite::Remove { path })],
            Self::GuestGroup { .. } => vec![Change::Kernel(KernelWrite::Make { path })],
            Self::CpusetController => {
                let text = if text == "on" { "+cpuset" } else { "-cpuset" }.to_owned();
                vec![Change::Kernel(KernelWrite::Text { path, text })]
            }
            Self::SliceCpus { slice, online } => {
                let set = |cpus: &str| Change::Run {
                    program: Program::Systemctl,
                    arguments: vec![
                        "set-property".to_owned(),
                        "--runtime".to_owned(),
                        "--".to_owned(),
                        slice.unit().to_owned(),
                        format!("AllowedCPUs={cpus}"),
                    ],
                };
                // To take the property away leaves the group with the CPUs that it had, in some versions of systemd.
                if text.is_empty() { vec![set(&online.to_string()), set("")] } else { vec![set(&text)] }
            }
            Self::DisplayService { service } => vec![service.change(text == "on")],
            Self::Console { number } => vec![display::console_change(*number, text == "on")],
            Self::FirmwareScreen { screen } => vec![screen.change(text == "on")],
            Self::DisplayModule { module } => vec![module.change(text == "on")],
            Self::HugePages { .. }
            | Self::Governor { .. }
            | Self::EnergyPreference { .. }
            | Self::InterruptCpus { .. }
            | Self::GuestGroupCpus { .. }
            | Self::GuestGroupPartition { .. } => vec![Change::Kernel(KernelWrite::Text { path, text })],
        }
    }

    /// What makes room where the kernel has given a part of what it was asked for, the gentlest first, each with what it is in words. The
    /// value is asked for again after each. Memory is moved (`compact_memory`), then clean caches are given up too (`drop_caches`,
    /// `Documentation/admin-guide/sysctl/vm.rst`).
    pub fn makes_room(&self) -> Vec<(&'static str, Vec<KernelWrite>)> {
        let Self::HugePages { node, .. } = self else { return Vec::new() };
        let write =
            |path: &str, text: &str| KernelWrite::Text { path: path.to_owned(), text: text.to_owned() };
        let compact = match node {
            Some(node) => write(&format!("/sys/devices/system/node/node{node}/compact"), "1"),
            None => write("/proc/sys/vm/compact_memory", "1"),
        };
        let drop = write("/proc/sys/vm/drop_caches", "3");
        vec![
            ("memory is moved together", vec![compact.clone()]),
            ("clean caches are given up, and memory is moved together", vec![drop, compact]),
        ]
    }

    /// Whether it is part of the host's picture, which is gone while it is changed.
    pub fn is_of_display(&self) -> bool {
        matches!(
            self,
            Self::DisplayService { .. }
                | Self::Console { .. }
                | Self::FirmwareScreen { .. }
                | Self::DisplayModule { .. }
        )
    }

    /// Whether programs that have a card open keep it from being changed.
    pub fn is_used_by_programs(&self) -> bool {
        matches!(self, Self::DisplayModule { .. })
    }

    /// Whether no value comes back in two stages, of which the first reads like none already.
    pub fn empties_in_stages(&self) -> bool {
        matches!(self, Self::SliceCpus { .. })
    }

    /// Whether the value is a number that the kernel may reach in part only.
    pub(super) fn is_count(&self) -> bool {
        matches!(self, Self::HugePages { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Change, HostSlice, Value};
    use super::{Place, Seen};
    use crate::program::Program;
    use proptest::prelude::*;

    fn value(text: &str) -> Value {
        text.to_owned().try_into().expect("a value")
    }

    fn places() -> Vec<Place> {
        let guest = || "win".parse().expect("a name");
        vec![
            Place::HugePages { size_kib: 2048, node: None },
            Place::HugePages { size_kib: 1_048_576, node: Some(1) },
            Place::Governor { policy: 0 },
            Place::EnergyPreference { policy: 12 },
            Place::InterruptCpus { interrupt: 30 },
            Place::SliceCpus { slice: HostSlice::User, online: "0-7".parse().expect("CPUs") },
            Place::CpusetController,
            Place::GuestGroup { guest: guest() },
            Place::GuestGroupCpus { guest: guest() },
            Place::GuestGroupPartition { guest: guest() },
        ]
    }

    #[test]
    fn each_place_is_one_path_of_the_kernels() {
        let paths: Vec<String> = places().iter().map(Place::path).collect();
        assert_eq!(
            paths,
            [
                "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
                "/sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages",
                "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor",
                "/sys/devices/system/cpu/cpufreq/policy12/energy_performance_preference",
                "/proc/irq/30/smp_affinity_list",
                "/sys/fs/cgroup/user.slice/cpuset.cpus",
                "/sys/fs/cgroup/cgroup.subtree_control",
                "/sys/fs/cgroup/passthru-win",
                "/sys/fs/cgroup/passthru-win/cpuset.cpus",
                "/sys/fs/cgroup/passthru-win/cpuset.cpus.partition",
            ]
        );
    }

    #[test]
    fn values_are_compared_by_what_they_mean() {
        let [_, _, _, _, irq, slice, controller, group, _, partition]: [Place; 10] =
            places().try_into().expect("ten");
        assert_eq!(irq.value(Seen::Text("0,1,2,3\n")), Some(value("0-3")));
        assert_eq!(irq.value(Seen::Absent), None);
        assert_eq!(slice.value(Seen::Absent), Some(value("")));
        assert_eq!(slice.value(Seen::Text("0-7\n")), Some(value("")), "all CPUs are no limit");
        assert_eq!(slice.value(Seen::Text("0-1\n")), Some(value("0-1")));
        assert_eq!(controller.value(Seen::Text("cpu io memory\n")), Some(value("off")));
        assert_eq!(controller.value(Seen::Text("cpuset cpu\n")), Some(value("on")));
        assert_eq!(group.value(Seen::Directory), Some(value("made")));
        let invalid = partition.value(Seen::Text("root invalid (Cpu list in cpuset.cpus not exclusive)\n"));
        assert_eq!(invalid, Some(value("root invalid (Cpu list in cpuset.cpus not exclusive)")));
    }

    #[test]
    fn systemd_is_asked_for_what_is_systemds() {
        let slice = &places()[5];
        let arguments = |value: &Value| -> Vec<String> {
            slice
                .changes(value)
                .into_iter()
                .map(|change| match change {
                    Change::Run { program, arguments } => program.command_line(&arguments),
                    Change::Kernel(other) => panic!("{other:?}"),
                })
                .collect()
        };
        assert_eq!(Program::Systemctl.debian_package(), "systemd");
        assert_eq!(
            arguments(&value("0-1")),
            ["systemctl set-property --runtime -- user.slice AllowedCPUs=0-1"]
        );
        assert_eq!(
            arguments(&value("")),
            [
                "systemctl set-property --runtime -- user.slice AllowedCPUs=0-7",
                "systemctl set-property --runtime -- user.slice AllowedCPUs=",
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_at_any_place_is_an_answer_and_never_a_panic(text in ".{0,60}", which in 0usize..10) {
            let place = &places()[which];
            if let Some(value) = place.value(Seen::Text(&text)) {
                // A value is in its one form: written and read again it is the same.
                let again = place.value(Seen::Text(value.as_str()));
                let changes_form = matches!(place, Place::CpusetController | Place::SliceCpus { .. });
                prop_assert!(changes_form || again == Some(value));
            }
        }
    }
}
