//! What a trial needs, found and checked. Pure.

use std::collections::BTreeSet;
use std::path::PathBuf;

use passthru_model::pci::Resource;
use passthru_model::{HostFacts, PciAddress, PciFunction, PciId};

use super::{TryError, TryOptions, TryPlan};
use crate::accel::{self, Accel};
use crate::firmware::{self, Uefi};
use crate::guest::{NotReady, group_obstacle};
use crate::machine::{Backing, GuestSlot, Placed};
use crate::placement::{MOST_PORTS, place};
use crate::spec::{AccelChoice, FirmwareKind};

/// Plans a trial of the cards that these functions belong to.
pub fn prepare(
    facts: &HostFacts,
    addresses: &[PciAddress],
    options: &TryOptions,
) -> Result<TryPlan, TryError> {
    let functions = choose(facts, addresses)?;
    let slots = place(&functions);
    if slots.len() > MOST_PORTS {
        return Err(TryError::TooManySlots(slots.len()));
    }
    let surroundings = Surroundings::of(facts, options)?;
    Ok(surroundings.plan(slots, functions.into_iter().cloned().collect(), options, false))
}

/// Plans a rehearsal: the same guest, with devices that QEMU emulates in the place of a card. It shows that firmware,
/// kernel and QEMU of this host work together, and touches no device.
pub fn rehearsal(facts: &HostFacts, options: &TryOptions) -> Result<TryPlan, TryError> {
    let emulated = |function, device: &str| Placed {
        function,
        backing: Backing::Emulated(device.to_owned()),
        rom: None,
        legacy_vga: false,
    };
    let slot = GuestSlot { functions: vec![emulated(0, "secondary-vga"), emulated(1, "ich9-intel-hda")] };
    let functions = vec![
        stand_in(0, "1234:1111", "038000", &[(0, 16 << 20), (2, 4096)]),
        stand_in(1, "8086:293e", "040300", &[(0, 16 << 10)]),
    ];
    let functions = functions.into_iter().flatten().collect();
    Ok(Surroundings::of(facts, options)?.plan(vec![slot], functions, options, true))
}

/// The functions that the guest gets: those named, and what of their cards belongs to it.
fn choose<'a>(facts: &'a HostFacts, addresses: &[PciAddress]) -> Result<Vec<&'a PciFunction>, TryError> {
    if addresses.is_empty() {
        return Err(TryError::NothingNamed);
    }
    let mut chosen: BTreeSet<PciAddress> = BTreeSet::new();
    for &address in addresses {
        let named = facts.function(address).ok_or(TryError::Missing(address))?;
        if named.is_bridge() {
            return Err(TryError::Bridge(address));
        }
        if named.group.is_none() {
            return Err(TryError::NoGroup(address));
        }
        chosen.insert(address);
        // Those in the same group must go along; others go along where they are isolated too.
        let siblings = facts.functions().filter(|other| {
            named.is_of_one_card_with(other) && (other.group == named.group || other.is_on_vfio())
        });
        chosen.extend(siblings.map(|sibling| sibling.address));
    }
    let functions: Vec<&PciFunction> = chosen.iter().filter_map(|address| facts.function(*address)).collect();
    let not_ready: Vec<NotReady> = functions
        .iter()
        .filter(|function| !function.is_on_vfio())
        .map(|function| NotReady { address: function.address, driver: function.driver.clone() })
        .collect();
    if !not_ready.is_empty() {
        return Err(TryError::NotReady(not_ready));
    }
    for function in &functions {
        if let Some((member, group)) = group_obstacle(function, &chosen, facts).zip(function.group) {
            let driver = member.driver.clone().unwrap_or_default();
            return Err(TryError::GroupNotViable {
                address: function.address,
                group,
                member: member.address,
                driver,
            });
        }
    }
    Ok(functions)
}

/// What boots and runs the guest.
struct Surroundings {
    kernel: PathBuf,
    uefi: Option<Uefi>,
    accel: Accel,
    notes: Vec<String>,
}

impl Surroundings {
    fn of(facts: &HostFacts, options: &TryOptions) -> Result<Self, TryError> {
        let uefi = match options.firmware {
            FirmwareKind::Uefi => Some(firmware::choose(facts, false).map_err(TryError::NoFirmware)?),
            FirmwareKind::Seabios => None,
        };
        let accel = accel::decide(options.accel, facts).map_err(TryError::KvmUnusable)?;
        let mut notes = Vec::new();
        if accel == Accel::Tcg && options.accel == AccelChoice::Auto {
            let why = accel::kvm_obstacle(facts).unwrap_or_default();
            notes
                .push(format!("KVM cannot be used ({why}); the guest is emulated, which takes some minutes"));
        }
        Ok(Self { kernel: kernel(facts, options)?, uefi, accel, notes })
    }

    fn plan(
        self,
        slots: Vec<GuestSlot>,
        functions: Vec<PciFunction>,
        options: &TryOptions,
        rehearsal: bool,
    ) -> TryPlan {
        TryPlan {
            kernel: self.kernel,
            uefi: self.uefi,
            accel: self.accel,
            may_fall_back: options.accel == AccelChoice::Auto,
            limit: options.time_limit,
            slots,
            functions,
            rehearsal,
            notes: self.notes,
        }
    }
}

/// The kernel named, or the running one's image.
fn kernel(facts: &HostFacts, options: &TryOptions) -> Result<PathBuf, TryError> {
    if let Some(named) = &options.kernel {
        return Ok(named.clone());
    }
    let release = facts.kernel.release.value().ok_or_else(|| {
        TryError::NoKernel(format!(
            "the running one is unknown ({})",
            facts.kernel.release.because().unwrap_or_default()
        ))
    })?;
    let installed = facts.kernel.installed.value().map(Vec::as_slice).unwrap_or_default();
    let image =
        installed.iter().find(|kernel| &kernel.release == release).and_then(|kernel| kernel.image.clone());
    image
        .map(PathBuf::from)
        .ok_or_else(|| TryError::NoKernel(format!("the image of the running kernel {release} was not found")))
}

/// A function as it would be on the host, if what QEMU emulates were hardware. Its domain is one that no host has.
fn stand_in(function: u8, id: &str, class: &str, bars: &[(u8, u64)]) -> Option<PciFunction> {
    let resource =
        |&(index, size)| Resource { index, start: 1 << 32, end: (1 << 32) + size - 1, flags: 0x200 };
    Some(PciFunction {
        address: PciAddress::new(0xffff_ffff, 0, 0, function).ok()?,
        id: id.parse().ok()?,
        // What QEMU gives all its own devices.
        subsystem: "1af4:1100".parse::<PciId>().ok()?,
        class: class.parse().ok()?,
        revision: 0,
        driver: None,
        driver_override: None,
        group: None,
        reset_methods: Vec::new(),
        boot_vga: None,
        modalias: String::new(),
        numa_node: None,
        resources: bars.iter().map(resource).collect(),
        has_rom: function == 0,
        has_details: true,
        config: Vec::new(),
        parents: Vec::new(),
        physical_function: None,
        gaps: std::collections::BTreeMap::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::{prepare, rehearsal};
    use crate::accel::Accel;
    use crate::attempt::{TryError, TryOptions};
    use crate::spec::{AccelChoice, FirmwareKind};
    use crate::testing::{self, address, change};
    use passthru_model::facts::KvmState;
    use passthru_model::{Fact, HostFacts};

    fn refused(facts: &HostFacts, at: &str) -> String {
        prepare(facts, &[address(at)], &TryOptions::default()).expect_err("refused").to_string()
    }

    #[test]
    fn one_function_named_brings_the_whole_card() {
        let plan =
            prepare(&testing::facts(), &[address("0000:01:00.1")], &TryOptions::default()).expect("a plan");
        assert_eq!(plan.functions().collect::<Vec<_>>(), [address("0000:01:00.0"), address("0000:01:00.1")]);
        assert_eq!(plan.kernel().to_str(), Some("/boot/vmlinuz-6.12.43-amd64"));
        assert_eq!(plan.accel(), Accel::Kvm);
    }

    #[test]
    fn a_card_that_is_not_isolated_is_refused_with_the_command_that_isolates_it() {
        let mut facts = testing::facts();
        change(&mut facts, "0000:01:00.1", |audio| audio.driver = Some("snd_hda_intel".to_owned()));
        insta::assert_snapshot!(refused(&facts, "0000:01:00.0"), @"0000:01:00.1: snd_hda_intel has it, not vfio-pci; first: passthru isolate 0000:01:00.1 (at boot) or passthru bind 0000:01:00.1 (now)");
    }

    #[test]
    fn what_cannot_be_passed_is_refused() {
        let facts = testing::facts();
        assert!(matches!(prepare(&facts, &[], &TryOptions::default()), Err(TryError::NothingNamed)));
        assert!(matches!(
            prepare(&facts, &[address("9:0.0")], &TryOptions::default()),
            Err(TryError::Missing(_))
        ));
        assert!(matches!(
            prepare(&facts, &[address("0:1.0")], &TryOptions::default()),
            Err(TryError::Bridge(_))
        ));
        let mut facts = testing::facts();
        change(&mut facts, "0000:00:14.0", |usb| usb.group = Some(1));
        assert!(refused(&facts, "1:0.0").contains("xhci_hcd drives"));
        change(&mut facts, "0000:01:00.0", |gpu| gpu.group = None);
        assert!(refused(&facts, "1:0.0").contains("passthru doctor"));
    }

    #[test]
    fn a_host_without_kvm_says_so_and_goes_on_and_one_without_kernel_or_firmware_says_what_helps() {
        let mut facts = testing::facts();
        facts.kvm = Fact::known(KvmState::Absent, "/dev/kvm", "not there");
        let plan = prepare(&facts, &[address("1:0.0")], &TryOptions::default()).expect("a plan");
        assert_eq!((plan.accel(), plan.notes().len()), (Accel::Tcg, 1));
        let kvm = TryOptions { accel: AccelChoice::Kvm, ..TryOptions::default() };
        assert!(matches!(prepare(&facts, &[address("1:0.0")], &kvm), Err(TryError::KvmUnusable(_))));
        facts.guest_firmware = Fact::unknown("masked");
        assert!(refused(&facts, "1:0.0").contains("--firmware seabios"));
        let seabios = TryOptions { firmware: FirmwareKind::Seabios, ..TryOptions::default() };
        facts.kernel.installed = Fact::known(Vec::new(), "/lib/modules", "none");
        assert!(rehearsal(&facts, &seabios).expect_err("refused").to_string().contains("--kernel"));
        let named = TryOptions { kernel: Some("/boot/k".into()), ..seabios };
        assert_eq!(rehearsal(&facts, &named).expect("a plan").functions().count(), 2);
    }
}
