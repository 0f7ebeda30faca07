//! From a host to facts: one file a subject. Nothing here fails: what cannot be read is unknown, with the reason.

mod binding;
mod boot;
mod boot_chain;
mod boot_records;
mod cpu;
mod desktop;
mod device_state;
mod drivers;
mod files;
mod firmware;
mod graphics;
mod guests;
mod holders;
mod images;
mod in_use;
mod initramfs;
mod io_memory;
mod iommu;
mod kernel;
mod libvirt;
mod lock_limits;
mod memory;
mod names;
mod network;
mod pci;
mod platform;
mod sessions;
mod storage;
mod subjects;
mod surroundings;
mod topology;
mod tuning;
mod usb;
mod virt;
mod ways_in;

use passthru_model::address::PciAddress;
use passthru_model::fact::Fact;
use passthru_model::facts::HostFacts;
use passthru_model::iommu::IommuFacts;
use passthru_model::virtualisation::Domain;

use crate::error::ReadError;
use crate::host::Host;

pub use subjects::{Subject, Subjects};

/// Why a fact is unknown that no command asked for.
pub const NOT_ASKED: &str = HostFacts::NOT_ASKED;

/// What the caller knows and wants, and the host's files do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The value of `SSH_CONNECTION` (ssh(1)): the client's address and port, then the server's. Used on the live host only.
    pub ssh_connection: Option<String>,
    /// What is to be read; all usual subjects by default.
    pub subjects: Subjects,
}

/// Reads everything that is known of a host.
pub fn gather(host: &Host) -> HostFacts {
    gather_with(host, &Options::default())
}

/// Looks at the files that a guest names which is not one of the host's own.
pub fn look_at_guest(host: &Host, domain: &Domain, facts: &mut HostFacts) {
    guests::look_at_files(host, domain, &mut facts.virtualisation);
}

/// Reads what is asked for of a host, with what the caller knows besides. A fact that was not asked for is unknown,
/// because of [`NOT_ASKED`].
#[expect(clippy::too_many_lines, reason = "a few lines for each subject, in their order")]
pub fn gather_with(host: &Host, options: &Options) -> HostFacts {
    let subjects = options.subjects.with_needs();
    let wants = |subject| subjects.contains(subject);
    let mut facts = HostFacts::unknown(NOT_ASKED);
    facts.surroundings = surroundings::always(host);
    if wants(Subject::Cpu) {
        facts.cpu = cpu::facts(host);
    }
    if wants(Subject::Surroundings) {
        facts.surroundings.hypervisor = surroundings::hypervisor(host, &facts.cpu);
        facts.surroundings.distribution = surroundings::distribution(host);
    }
    let mut list = None;
    if wants(Subject::Pci) {
        let details = wants(Subject::PciDetails);
        let space = match (wants(Subject::PciConfig), details) {
            (true, _) => pci::Space::Whole,
            (false, true) => pci::Space::Head,
            (false, false) => pci::Space::Unclear,
        };
        let read = || pci::functions(host, pci::Extent { space, details });
        // A recorder keeps the list only where there is something to name.
        let both = wants(Subject::Names) && !host.is_recording();
        (facts.pci, list) = if both { names::beside(host, read) } else { (read(), None) };
    }
    if wants(Subject::Names) {
        facts.names = names::of(host, &facts.pci, list);
    }
    if wants(Subject::Groups) {
        facts.iommu.groups = iommu::groups(host, &facts.pci, wants(Subject::Iommu));
    }
    if wants(Subject::Iommu) {
        facts.iommu = IommuFacts { groups: facts.iommu.groups, ..iommu::but_groups(host) };
    }
    if wants(Subject::Kernel) {
        facts.kernel = kernel::running(host);
    }
    if wants(Subject::Kernels) {
        facts.kernel.installed = kernel::installed(host);
        facts.kernel.options = kernel::options(host, &facts.kernel);
    }
    if wants(Subject::Platform) {
        facts.firmware = platform::facts(host, &facts.iommu.tables);
    }
    if wants(Subject::Topology) {
        facts.topology = topology::of(host);
    }
    if wants(Subject::Tuning) {
        facts.tuning = tuning::facts(host, &facts.topology);
    }
    if wants(Subject::RunTime) {
        facts.tuning.run_time = tuning::run_time(host);
    }
    if wants(Subject::Memory) {
        facts.memory = memory::facts(host);
    }
    if wants(Subject::Usb) {
        facts.usb = usb::of(host);
        facts.sessions = sessions::of(host);
    }
    if wants(Subject::Virtualization) {
        facts.kvm = virt::kvm(host);
        facts.qemu = virt::qemu(host);
    }
    if wants(Subject::Files) {
        (facts.files, facts.unreadable_files) = files::states(host);
    }
    if wants(Subject::Binding) {
        facts.binding = binding::facts(host, &facts.files);
    }
    if wants(Subject::BootChain) {
        facts.boot = boot_chain::facts(host, &facts.files);
        facts.bootloader = boot::bootloader(host, &facts.boot.started_by);
    }
    if wants(Subject::Initramfs) {
        facts.initramfs = initramfs::generator(host);
    }
    if wants(Subject::Images) {
        facts.images = images::contents(host, &facts.kernel, &facts.binding);
        facts.image_times = images::times(host, &facts.kernel, &facts.binding);
    }
    if wants(Subject::OwnImages) {
        facts.own_images = images::of_ours(host, &facts.kernel, &facts.files);
    }
    if wants(Subject::Boots) {
        facts.boots = boot_records::of(host);
    }
    if wants(Subject::Guests) {
        facts.virtualisation = guests::facts(host);
    }
    if wants(Subject::Desktop) {
        facts.desktop = desktop::facts(host);
    }
    if wants(Subject::GuestFirmware) {
        facts.guest_firmware = firmware::found(host);
    }
    if wants(Subject::Holders) {
        facts.holders = holders::of(host, &facts.iommu.groups);
    }
    if wants(Subject::DeviceStates) {
        facts.device_states = device_state::of(host, &facts.pci);
    }
    if wants(Subject::IoMemory) {
        facts.io_memory = io_memory::of(host);
    }
    if wants(Subject::PossibleDrivers) {
        facts.possible_drivers = drivers::of(host, &facts.pci, &facts.kernel.installed);
    }
    if wants(Subject::Graphics) {
        facts.graphics = graphics::of(host);
    }
    if wants(Subject::InUse) {
        let uses = in_use::of(host, options, &facts.surroundings, &facts.pci, &facts.graphics);
        facts.in_use = uses.fact;
        facts.in_use_gaps = uses.gaps;
        facts.ways_in = ways_in::of(host);
    }
    facts
}

/// A text file of one line as a fact.
fn line_fact(host: &Host, path: &str) -> Fact<String> {
    match host.read(path) {
        Ok(bytes) => {
            let line = passthru_formats::sysfs::line(&bytes);
            // Whole: the word that matters may be the last of a long command line.
            Fact::known(line.clone(), path, line)
        }
        Err(error) => because(&error),
    }
}

/// Unknown, because a path could not be read.
fn because<T>(error: &ReadError) -> Fact<T> {
    Fact::unknown(error.to_string())
}

/// A text cut to what fits in a line of evidence.
fn short(text: &str) -> String {
    const MOST: usize = 120;
    if text.chars().count() <= MOST {
        text.to_owned()
    } else {
        text.chars().take(MOST).chain(['…']).collect()
    }
}

/// The last part of a path: the name of a driver or a group that a link leads to.
fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The PCI functions at the ends of a path in `/sys/devices`: the controller that a device hangs on.
///
/// A path may pass through more than one root bus: below an Intel VMD controller there is another domain
/// (`pci10000:e0`), and what hangs there needs the controller as well. So the last function before each further root bus
/// counts, and the bridges between do not.
fn controllers(path: &str) -> Vec<PciAddress> {
    let mut found = Vec::new();
    let mut last = None;
    for part in path.split('/') {
        if is_root_bus(part) {
            found.extend(last.take());
        } else if let Ok(address) = part.parse::<PciAddress>() {
            last = Some(address);
        }
    }
    found.extend(last);
    found
}

/// Whether a part of a path is a root bus: `pci0000:00`.
fn is_root_bus(part: &str) -> bool {
    part.strip_prefix("pci").is_some_and(|rest| {
        rest.split_once(':').is_some_and(|(domain, bus)| {
            domain.len() >= 4
                && bus.len() == 2
                && rest.bytes().all(|byte| byte == b':' || byte.is_ascii_hexdigit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{controllers, short};

    #[test]
    fn bridges_are_passed_over_and_a_vmd_controller_counts() {
        let plain = "/sys/devices/pci0000:00/0000:00:01.1/0000:03:00.0/nvme/nvme0/nvme0n1";
        assert_eq!(controllers(plain).iter().map(ToString::to_string).collect::<Vec<_>>(), ["0000:03:00.0"]);
        let vmd = "/sys/devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0/nvme/nvme0";
        assert_eq!(
            controllers(vmd).iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["0000:00:0e.0", "10000:e1:00.0"]
        );
        assert_eq!(controllers("/sys/devices/platform/i8042/serio0/input/input3"), []);
        // A SCSI address (host:channel:target:lun) is no PCI address.
        assert_eq!(controllers("/sys/devices/virtual/0:0:0:0/block/sda"), []);
    }

    #[test]
    fn evidence_is_cut_between_characters() {
        assert_eq!(short(&"é".repeat(200)).chars().count(), 121);
    }
}
