//! `guest check`: everything that can be said of a specification on a host, as findings.

mod media;
mod others;

use passthru_model::finding::{Remedy, Verdict};
use passthru_model::{Evidence, Finding, HostFacts};

use crate::accel::{self, Accel};
use crate::guest::{BuildError, Guest, NotReady};
use crate::look::Looked;
use crate::spec::{AccelChoice, GuestSpec, Os};

pub use media::image;
pub use others::{findings as others, in_common};

/// Checks a specification. Never empty: a guest that could start passes `guest-builds`.
pub fn check(spec: &GuestSpec, facts: &HostFacts, looked: &Looked) -> Vec<Finding> {
    let mut findings = match Guest::build(spec, facts, looked) {
        Ok(guest) => {
            let mut findings = vec![builds(&guest)];
            findings.extend(guest.not_ready(facts).iter().map(|not| not_ready(not, facts)));
            if spec.accel == AccelChoice::Auto && guest.accel() == Accel::Tcg {
                findings.push(emulated(facts));
            }
            findings
        }
        Err(errors) => errors.list().iter().map(refused).collect(),
    };
    findings.extend(moved(spec, facts));
    findings.extend(media::findings(spec, looked));
    findings.extend(windows_11(spec));
    findings
}

fn finding(
    id: &str,
    verdict: Verdict,
    summary: impl Into<String>,
    why: &str,
    remedy: Option<Remedy>,
) -> Finding {
    Finding {
        id: id.to_owned(),
        verdict,
        summary: summary.into(),
        why: why.to_owned(),
        evidence: Vec::new(),
        remedy,
    }
}

fn builds(guest: &Guest) -> Finding {
    let devices = guest.host_functions().count();
    let summary = format!(
        "{}: {} of memory, {} host {}, {}",
        guest.name(),
        guest.memory(),
        devices,
        if devices == 1 { "device" } else { "devices" },
        guest.accel().word().to_uppercase()
    );
    finding(
        "guest-builds",
        Verdict::Pass,
        summary,
        "a guest is only started when nothing stands in its way",
        None,
    )
}

/// A refusal of the builder.
fn refused(error: &BuildError) -> Finding {
    let remedy = match error {
        BuildError::FunctionZeroMissing { slot } => {
            Some(Remedy::by_hand(format!("Add {slot}.0 to the devices of the guest.")))
        }
        BuildError::GroupNotViable { member, .. } => Some(Remedy::by_command(
            format!(
                "Isolate {member} too, or give it to the guest; its group can only be opened as a whole."
            ),
            format!("passthru isolate {member}"),
        )),
        BuildError::IdentityChanged { address, .. } | BuildError::DeviceMissing { address, .. } => {
            Some(Remedy::by_hand(format!(
                "See passthru groups for where the device is now, and correct the entry of {address}."
            )))
        }
        _ => None,
    };
    finding(error.id(), Verdict::Fail, error.to_string(), error.why(), remedy)
}

fn not_ready(not: &NotReady, facts: &HostFacts) -> Finding {
    let mut made = finding(
        "guest-device-isolated",
        Verdict::Warn,
        format!("{}: {} has it, not vfio-pci", not.address, not.driver.as_deref().unwrap_or("no driver")),
        "QEMU can open only what vfio-pci has; a driver of the host must have let go of it before the guest starts",
        Some(Remedy::by_command(
            "Isolate it, and start the host again.",
            format!("passthru isolate {}", not.address),
        )),
    );
    made.evidence = facts
        .function(not.address)
        .map(|function| Evidence::new(function.attribute("driver"), not.driver.as_deref().unwrap_or("none")))
        .into_iter()
        .collect();
    made
}

fn emulated(facts: &HostFacts) -> Finding {
    let why = accel::kvm_obstacle(facts).unwrap_or_default();
    finding(
        "guest-accel",
        Verdict::Warn,
        format!("KVM cannot be used ({why}): the guest will be emulated, many times slower"),
        "near-native speed needs the processor's virtualisation",
        Some(Remedy::by_command("See what keeps KVM from being used.", "passthru doctor")),
    )
}

/// Devices that are what was chosen, at the same address, below other bridges than then.
fn moved(spec: &GuestSpec, facts: &HostFacts) -> Vec<Finding> {
    let other_path = spec.devices.iter().filter(|device| {
        !device.parents.is_empty()
            && facts
                .function(device.address)
                .is_some_and(|now| device.matches(now) && device.parents != now.parents)
    });
    other_path
        .map(|device| {
            finding(
                "guest-device-path",
                Verdict::Warn,
                format!("{}: the device is below other bridges than when it was chosen", device.address),
                "with twin cards, a card that moved may be the other one",
                Some(Remedy::by_hand(
                    "See passthru groups, and write the device's entry anew if it is the right one.",
                )),
            )
        })
        .collect()
}

/// A Windows 11 that lacks what it asks for, because the specification says so.
fn windows_11(spec: &GuestSpec) -> Option<Finding> {
    let lacks: Vec<&str> = [(spec.wants_secure_boot(), "Secure Boot"), (spec.wants_tpm(), "a TPM 2.0")]
        .into_iter()
        .filter_map(|(has, what)| (!has).then_some(what))
        .collect();
    (spec.os == Os::Windows11 && !lacks.is_empty()).then(|| {
        finding(
            "guest-windows-11",
            Verdict::Warn,
            format!("Windows 11 asks for {}, which this guest has not", lacks.join(" and ")),
            "its installer stops without",
            Some(Remedy::by_hand(
                "Say firmware = \"uefi\", secure-boot = true and tpm = true, or install a Windows 11 that was made not to ask.",
            )),
        )
    })
}

impl BuildError {
    /// The stable name of the finding that this makes.
    pub fn id(&self) -> &'static str {
        match self {
            Self::DevicesUnknown(_) | Self::DeviceMissing { .. } => "guest-device-present",
            Self::IdentityChanged { .. } => "guest-device-identity",
            Self::Bridge(_) => "guest-device-bridge",
            Self::Twice(_) => "guest-device-twice",
            Self::NoGroup(_) => "guest-device-group",
            Self::FunctionZeroMissing { .. } => "guest-function-zero",
            Self::GroupNotViable { .. } => "guest-group-viable",
            Self::TooManySlots(_) | Self::TooManyDrives(_) => "guest-room",
            Self::UsbUnknown(_) | Self::UsbMissing(_) | Self::UsbOther { .. } | Self::UsbAmbiguous { .. } => {
                "guest-usb-present"
            }
            Self::UsbHub(_) | Self::UsbTwice(_) | Self::UsbComesAlong { .. } | Self::TooManyUsb(_) => {
                "guest-usb"
            }
            Self::NoQueues | Self::QueuesUnusable { .. } => "guest-network",
            Self::DiskQueues { .. } => "guest-storage",
            Self::RomOfNothing(_) | Self::NotARom(_) => "guest-rom",
            Self::DiskInUse { .. } => "guest-disk-in-use",
            Self::NotInput(_) | Self::InputTwice(_) => "guest-input",
            Self::SpiceAudio | Self::SeveralSoundServers(_) | Self::PipewireTooNew { .. } => "guest-audio",
            Self::KvmfrAbsent { .. } | Self::KvmfrPlainFile { .. } => "guest-looking-glass",
            Self::SecureBootWithoutUefi | Self::SecureBootMissing { .. } => "guest-secure-boot",
            Self::TpmMissing { .. } => "guest-tpm",
            Self::FirmwareMissing(_) => "guest-firmware",
            Self::RunAsUnderLibvirt => "guest-user",
            Self::KvmUnusable(_) => "guest-accel",
            Self::NoCpus | Self::TooManyCpus { .. } => "guest-cpus",
            Self::TopologyUnknown(_)
            | Self::Pinning(_)
            | Self::Pins(_)
            | Self::PinCount { .. }
            | Self::Contradiction { .. } => "guest-pinning",
            Self::TopologyProduct { .. }
            | Self::NeedsKvm(_)
            | Self::TopoextNotAmd
            | Self::AddressBits { .. } => "guest-processor",
            Self::VendorId(_) | Self::Enlightenment { .. } => "guest-hyper-v",
            Self::WindowNeedsUefi | Self::WindowUneven(_) | Self::WindowTooLarge { .. } => {
                "guest-mmio-window"
            }
            Self::MemoryTooSmall { .. } | Self::MemoryAboveHost { .. } => "guest-memory",
            Self::NodeMissing(_)
            | Self::NodeTooSmall { .. }
            | Self::PagesUneven { .. }
            | Self::PreallocHuge
            | Self::NoSuchPages(_) => "guest-memory-backing",
            Self::PathRelative(_)
            | Self::PathControl(_)
            | Self::FileMissing(_)
            | Self::NotADisk(_)
            | Self::FileUnreadable { .. } => "guest-file",
            Self::ImageTwice(_) => "guest-image-twice",
        }
    }

    /// Why it matters.
    pub fn why(&self) -> &'static str {
        match self.id() {
            "guest-device-present" => "QEMU cannot start with a device that is not there",
            "guest-device-identity" => {
                "addresses move when cards are added; the wrong card could be taken from the host"
            }
            "guest-device-bridge" => "vfio-pci refuses bridges: what is behind them belongs to the host",
            "guest-device-twice" => "a device can be on one slot of one guest only",
            "guest-device-group" => {
                "without an IOMMU group a device's memory accesses cannot be confined to the guest"
            }
            "guest-function-zero" => {
                "drivers look for their card at function 0, and its group is opened as a whole anyway"
            }
            "guest-group-viable" => {
                "the kernel opens a group for a guest only when no driver of the host uses a member"
            }
            "guest-pinning" => "a vCPU that cannot run where it is meant to would run where the host works",
            "guest-processor" => "QEMU refuses a processor that cannot be, or shows the guest another one",
            "guest-hyper-v" => "QEMU does not start with an enlightenment that lacks another",
            "guest-mmio-window" => {
                "a BAR for which the firmware has no room stays without an address, and its driver does not start"
            }
            "guest-memory-backing" => "QEMU does not start without the memory that it is told to take",
            "guest-room" => "the machine has a fixed number of ports",
            "guest-firmware" => "a UEFI guest boots from a firmware image that the host provides",
            "guest-usb-present" => "what is given away must be told from what stays with the host",
            "guest-usb" => "each device of the host is given once, and by one way",
            "guest-input" => "QEMU reads keys and movements from an evdev node and takes nothing else",
            "guest-network" => "several queues help where several can be filled at once",
            "guest-storage" => "what QEMU cannot do with a disk keeps it from starting",
            "guest-rom" => {
                "a card shows its guest the ROM that it is given, and starts with what stands there"
            }
            "guest-disk-in-use" => "neither system sees what the other writes",
            "guest-audio" => "sound is played by a server that QEMU knows and whose user lets it in",
            "guest-looking-glass" => "a plain file in the device's place is shared with nobody",
            "guest-secure-boot" => "with Secure Boot the firmware starts only what is signed",
            "guest-tpm" => "a guest's TPM is a program of the host that must be there",
            "guest-user" => "who runs QEMU is decided by whoever starts it",
            "guest-accel" => "near-native speed needs the processor's virtualisation",
            "guest-cpus" => "more virtual CPUs than real ones wait for each other",
            "guest-memory" => "all memory of a guest with a passed device is pinned while it runs",
            "guest-image-twice" => "two drives that write one image destroy it",
            _ => "QEMU cannot start without its disks",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::look::Looked;
    use crate::spec::GuestSpec;
    use crate::testing;
    use passthru_model::finding::Verdict;

    #[test]
    fn a_guest_whose_card_still_has_its_driver_is_warned_of_and_one_that_cannot_be_fails() {
        let mut spec = GuestSpec::new("box".parse().expect("a name"));
        spec.devices = testing::gpu_identities();
        let mut facts = testing::facts();
        assert_eq!(check(&spec, &facts, &Looked::default()).len(), 1);
        testing::change(&mut facts, "0000:01:00.0", |gpu| gpu.driver = Some("nouveau".to_owned()));
        let findings = check(&spec, &facts, &Looked::default());
        assert_eq!(findings.iter().map(|found| found.verdict).max(), Some(Verdict::Warn));
        testing::change(&mut facts, "0000:01:00.0", |gpu| gpu.id = "1002:67df".parse().expect("an id"));
        let findings = check(&spec, &facts, &Looked::default());
        insta::assert_json_snapshot!(findings);
    }

    #[test]
    fn a_card_below_other_bridges_is_worth_a_warning() {
        let mut spec = GuestSpec::new("box".parse().expect("a name"));
        spec.devices = testing::gpu_identities();
        spec.devices[0].parents = vec![testing::address("0000:00:03.0")];
        let findings = check(&spec, &testing::facts(), &Looked::default());
        assert_eq!(
            findings.iter().map(|found| found.id.as_str()).collect::<Vec<_>>(),
            ["guest-builds", "guest-device-path"]
        );
    }
}
