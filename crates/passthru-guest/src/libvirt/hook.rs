//! What a domain that libvirt is about to start leaves to its hook.
//!
//! Who gives a function to vfio-pci stands in the domain itself: with `managed='yes'` libvirt does, with `managed='no'` the hook. So the
//! two never do it both, whatever a user has made of the domain.

use passthru_model::PciAddress;
use passthru_model::cpu_set::CpuSet;
use passthru_model::guest_tuning::{Frequency, GuestTuning, HugePagesWanted, Interrupts, Isolation};
use passthru_model::virtualisation::Domain;
use passthru_plan::pinning::Pinning;

use crate::guest::Guest;

/// What the host is to be changed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftToHook {
    /// The functions that libvirt does not take from their drivers itself.
    pub functions: Vec<PciAddress>,
    /// The static huge pages that its memory is made of.
    pub pages: Option<HugePagesWanted>,
}

/// The domain has other pins than the specification's guest, so that the host would be tuned for the wrong CPUs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("libvirt's domain {}, and the specification, which [tuning] keeps CPUs free for, has it on {planned}; write it anew: passthru guest export {guest} --format libvirt", there(*vcpu, found.as_deref()))]
pub struct OtherPins {
    guest: String,
    vcpu: usize,
    found: Option<String>,
    planned: u32,
}

fn there(vcpu: usize, found: Option<&str>) -> String {
    match found {
        Some(cpus) => format!("has vCPU {vcpu} on CPUs {cpus}"),
        None => format!("has no pin for vCPU {vcpu}"),
    }
}

/// Reads it from a domain, whose specification makes this guest.
pub fn left_to_hook(domain: &Domain, guest: &Guest, tuning: GuestTuning) -> Result<LeftToHook, OtherPins> {
    if let Some(pinning) = guest.pinning().filter(|_| is_about_cpus(tuning)) {
        same_pins(domain, guest, pinning)?;
    }
    let unmanaged = domain.pci.iter().filter(|function| !function.managed);
    let pages = guest.huge_pages().filter(|_| domain.hugepages.is_some());
    Ok(LeftToHook { functions: unmanaged.map(|function| function.address).collect(), pages })
}

/// Whether anything is asked for that depends on where the vCPUs run.
fn is_about_cpus(tuning: GuestTuning) -> bool {
    tuning.isolation != Isolation::None
        || tuning.interrupts != Interrupts::Leave
        || tuning.frequency != Frequency::Leave
}

fn same_pins(domain: &Domain, guest: &Guest, pinning: &Pinning) -> Result<(), OtherPins> {
    for (vcpu, planned) in pinning.pins.iter().enumerate() {
        let found = domain.vcpu_pins.get(&vcpu).map(|(cpus, _)| cpus);
        let same =
            |cpus: &String| cpus.parse::<CpuSet>().is_ok_and(|cpus| cpus == CpuSet::from_iter([*planned]));
        if !found.is_some_and(same) {
            let (guest, found) = (guest.name().to_string(), found.cloned());
            return Err(OtherPins { guest, vcpu, found, planned: *planned });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use passthru_formats::libvirt_domain;
    use passthru_model::guest_tuning::{GuestTuning, HostSleep, Isolation};
    use passthru_model::virtualisation::Domain;

    use super::left_to_hook;
    use crate::guest::Guest;
    use crate::libvirt::xml;
    use crate::look::Looked;
    use crate::machine::Binder;
    use crate::run::GuestPaths;
    use crate::spec::{GuestSpec, PinningChoice};
    use crate::testing::{self, address};

    const SLICES: GuestTuning = GuestTuning { isolation: Isolation::Slices, ..NOTHING };
    const NOTHING: GuestTuning = GuestTuning {
        host_sleep: HostSleep::Block,
        hand_over_display: false,
        take_only_display: false,
        take_in_use: false,
        take_last_keyboard: false,
        isolation: Isolation::None,
        frequency: passthru_model::guest_tuning::Frequency::Leave,
        interrupts: passthru_model::guest_tuning::Interrupts::Leave,
    };

    fn guest() -> Guest {
        let mut spec = GuestSpec::new("box".parse().expect("a name"));
        spec.devices = testing::gpu_identities();
        spec.processor.pinning = PinningChoice::On;
        let facts = testing::tuned_facts(testing::processors(32, 16, 1));
        Guest::build(&spec, &facts, &Looked::default()).expect("a guest")
    }

    fn domain(guest: &Guest, binder: Binder, change: impl Fn(String) -> String) -> Domain {
        let mut machine = guest.machine(&GuestPaths::new("/run".as_ref(), "/var".as_ref(), guest.name()));
        machine.binder = binder;
        libvirt_domain::parse("box.xml", change(xml(&machine)).as_bytes()).expect("a domain")
    }

    #[test]
    fn each_function_is_given_to_vfio_pci_by_libvirt_or_by_the_hook_and_never_by_both() {
        let guest = guest();
        let left = |binder| {
            left_to_hook(&domain(&guest, binder, |xml| xml), &guest, SLICES).expect("the same pins").functions
        };
        assert_eq!(left(Binder::Libvirt), []);
        assert_eq!(left(Binder::Hook), [address("0000:01:00.0"), address("0000:01:00.1")]);
        // A user may have it otherwise for one of them.
        let mixed = domain(&guest, Binder::Hook, |xml| xml.replacen("managed='no'", "managed='yes'", 1));
        let left = left_to_hook(&mixed, &guest, SLICES).expect("the same pins").functions;
        assert_eq!(left, [address("0000:01:00.1")]);
    }

    #[test]
    fn other_pins_matter_where_cpus_are_tuned() {
        let guest = guest();
        let cpu = guest.pinning().expect("pins").pins[0];
        let moved = domain(&guest, Binder::Hook, |xml| {
            xml.replacen(&format!("vcpu='0' cpuset='{cpu}'"), "vcpu='0' cpuset='0-3'", 1)
        });
        assert!(left_to_hook(&moved, &guest, NOTHING).is_ok());
        let error = left_to_hook(&moved, &guest, SLICES).expect_err("other pins").to_string();
        insta::assert_snapshot!(error);
        let none =
            domain(&guest, Binder::Hook, |xml| xml.replacen("<vcpupin vcpu='0'", "<vcpupin vcpu='90'", 1));
        let error = left_to_hook(&none, &guest, SLICES).expect_err("no pin").to_string();
        assert!(error.starts_with("libvirt's domain has no pin for vCPU 0, and"), "{error}");
    }
}
