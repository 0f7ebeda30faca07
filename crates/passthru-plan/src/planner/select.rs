//! Which functions go together, and whether the host can do without them.

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::fact::DENIED;
use passthru_model::facts::HostUse;
use passthru_model::intent::{DeviceIdentity, Intent, Method};
use passthru_model::kernel::ModuleState;
use passthru_model::managed;
use passthru_model::pci::PciFunction;

use super::texts::device_line;
use super::{Consent, Reason, Refusal};
use crate::groups::{company, listed};
use crate::predict::{self, Assumptions};
use crate::stake::{self, Stake, Stakes};

/// A reason for what is not known, with what would settle it.
pub(crate) fn unknown(facts: &HostFacts, what: &str, because: &str) -> Reason {
    let settle = if facts.surroundings.root { "Make it readable" } else { "Run the command again as root" };
    Reason::Unknown { what: what.to_owned(), because: because.to_owned(), settle: settle.to_owned() }
}

/// The same of a file that could not be read, which being root need not settle.
pub(crate) fn unreadable(facts: &HostFacts, what: &str, because: &str) -> Reason {
    match unknown(facts, what, because) {
        Reason::Unknown { what, because, .. } if !because.ends_with(DENIED) => {
            let settle = "Put a file that can be read in its place, then run the command again".to_owned();
            Reason::Unknown { what, because, settle }
        }
        other => other,
    }
}

/// The functions that go to guests when these are named, in order of address: they and their slots.
pub(crate) fn with_siblings(
    facts: &HostFacts,
    named: &[PciAddress],
    consent: &Consent,
    notes: &mut Vec<String>,
) -> Vec<PciAddress> {
    let mut all = named.to_vec();
    if !consent.only_named {
        for function in named.iter().filter_map(|address| facts.function(*address)) {
            for sibling in facts.functions().filter(|other| function.is_of_one_card_with(other)) {
                if !all.contains(&sibling.address) {
                    all.push(sibling.address);
                    notes.push(format!(
                        "{} ({}) goes with {}: the functions of a slot are one card, and a guest can reset it only as a whole",
                        sibling.address,
                        facts.name_of(sibling),
                        function.address
                    ));
                }
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether a function can be chosen at all.
pub(crate) fn can_be_chosen(facts: &HostFacts, address: PciAddress) -> Result<&PciFunction, Reason> {
    if let Some(because) = facts.pci.because() {
        return Err(unknown(facts, "which PCI functions are in this host", because));
    }
    let function = facts.function(address).ok_or(Reason::NoSuchDevice(address))?;
    let name = facts.name_of(function);
    if stake::chipset_part(function).is_some() {
        Err(Reason::Chipset { address, name })
    } else if function.is_bridge() {
        Err(Reason::Bridge { address, name })
    } else if let Some(physical) = function.physical_function {
        Err(Reason::VirtualFunction { address, name, physical })
    } else {
        Ok(function)
    }
}

/// Judges every device of an intent: whether it is what was chosen, and whether the host can do without it.
pub(crate) fn judge(
    facts: &HostFacts,
    wanted: &Intent,
    consent: &Consent,
    reasons: &mut Vec<Reason>,
    notes: &mut Vec<String>,
) {
    let taken: Vec<PciAddress> = wanted.isolate.iter().map(|device| device.address).collect();
    let mut groups_seen = Vec::new();
    for device in &wanted.isolate {
        let function = match can_be_chosen(facts, device.address) {
            Ok(function) => function,
            Err(Reason::NoSuchDevice(address)) => {
                reasons.push(Reason::Missing(address));
                continue;
            }
            Err(reason) => {
                reasons.push(reason);
                continue;
            }
        };
        if !device.matches(function) {
            reasons.push(mismatch(device, function));
            continue;
        }
        if !device.parents.is_empty() && device.parents != function.parents {
            notes.push(format!(
                "{} sits behind other bridges ({}) than when it was chosen ({})",
                device.address,
                listed(&function.parents),
                listed(&device.parents)
            ));
        }
        if !is_settled(facts, device, function) {
            stakes(facts, function, &taken, consent, reasons, notes);
        }
        if let Some(id) = function.group
            && !groups_seen.contains(&id)
        {
            groups_seen.push(id);
            group(facts, function, id, &taken, reasons);
        }
    }
    if wanted.method.ids_parameter().is_some() {
        ids(facts, wanted, &taken, reasons);
    }
}

fn mismatch(device: &DeviceIdentity, function: &PciFunction) -> Reason {
    let text = |id, subsystem, class| format!("{id} (subsystem {subsystem}, class {class})");
    Reason::IdentityMismatch {
        address: device.address,
        expected: text(device.id, device.subsystem, device.class),
        found: text(function.id, function.subsystem, function.class),
    }
}

/// Whether the device was agreed to before: it is set aside by its driver, or the list of the early script names it exactly so.
fn is_settled(facts: &HostFacts, device: &DeviceIdentity, function: &PciFunction) -> bool {
    let listed = || {
        let bytes = facts.files.get(managed::DEVICES)?.content()?;
        let text = std::str::from_utf8(bytes).ok()?;
        Some(text.lines().any(|line| line == device_line(device)))
    };
    function.is_set_aside() || listed().unwrap_or(false)
}

pub(super) fn stakes(
    facts: &HostFacts,
    function: &PciFunction,
    taken: &[PciAddress],
    consent: &Consent,
    reasons: &mut Vec<Reason>,
    notes: &mut Vec<String>,
) {
    let address = function.address;
    let name = facts.name_of(function);
    for kind in could_serve(function) {
        if let Some(because) = facts.in_use.because().or(facts.in_use_gaps.get(kind).map(String::as_str)) {
            let what = match kind {
                HostUse::Storage => "storage",
                HostUse::Network => "network",
                HostUse::Keyboard => "a keyboard",
                HostUse::Display => "a display",
            };
            reasons.push(unknown(
                facts,
                &format!("whether the host uses {address} ({name}) for {what} now"),
                because,
            ));
        }
    }
    for stake in stake::of_taking(facts, function, taken) {
        let insisted = match stake {
            Stake::OnlyDisplay => consent.take_only_display,
            Stake::Storage(_) | Stake::Network(_) => consent.take_in_use,
            Stake::LastKeyboard(_) => consent.take_last_keyboard,
            Stake::Chipset(_) => false,
            Stake::Display(_) => true,
        };
        if insisted && stake == Stake::OnlyDisplay {
            // Insisting does not open a door where there is none.
            match &facts.ways_in {
                passthru_model::Fact::Known(ways, _) if !ways.any() => {
                    reasons.push(Reason::NoWayIn { address, name: name.clone() });
                }
                passthru_model::Fact::Known(..) => {}
                passthru_model::Fact::Unknown(because) => {
                    let what =
                        format!("how the host is reached without its only display, {address} ({name})");
                    reasons.push(unknown(facts, &what, because));
                }
            }
        }
        if insisted {
            notes.push(format!("{address} ({name}): {}", stake.sentence()));
            continue;
        }
        let name = name.clone();
        reasons.push(match stake {
            Stake::Chipset(_) => Reason::Chipset { address, name },
            Stake::OnlyDisplay | Stake::Display(_) => Reason::OnlyDisplay { address, name },
            Stake::Storage(what) => Reason::StorageInUse { address, name, what },
            Stake::Network(what) => Reason::NetworkInUse { address, name, what },
            Stake::LastKeyboard(what) => Reason::LastKeyboard { address, name, what },
        });
    }
}

/// What the host could use a function for, by its class. That a display function is the host's is told by other facts.
fn could_serve(function: &PciFunction) -> &'static [HostUse] {
    match (function.class.base(), function.class.base_and_sub()) {
        (_, 0x0c03) => &[HostUse::Storage, HostUse::Network, HostUse::Keyboard],
        (0x03 | 0x04 | 0x10 | 0x11 | 0x12, _) => &[],
        (0x02 | 0x0d, _) => &[HostUse::Network],
        (0x09, _) => &[HostUse::Keyboard],
        _ => &[HostUse::Storage],
    }
}

/// Judges the group of a function: all of it goes to the guest, so all of it must be wanted.
pub(super) fn group(
    facts: &HostFacts,
    function: &PciFunction,
    id: u32,
    taken: &[PciAddress],
    reasons: &mut Vec<Reason>,
) {
    let Some(group) = facts.iommu.groups.value().and_then(|groups| groups.get(&id)) else {
        let because = facts.iommu.groups.because().unwrap_or("the group is not listed");
        reasons.push(unknown(
            facts,
            &format!("what else is in IOMMU group {id} of {}", function.address),
            because,
        ));
        return;
    };
    if let Some(region) = group.reserved.iter().find(|region| region.kind == "direct") {
        let range = format!("{:#x}-{:#x}", region.start, region.end);
        reasons.push(Reason::DirectRegion { address: function.address, group: id, range });
    }
    let company = company(facts, group);
    let stakes = Stakes::of(facts);
    let leaving = stakes.leaving(company.iter().map(|member| member.address));
    let mut lost = false;
    let others: Vec<String> = company
        .iter()
        .filter(|member| !taken.contains(&member.address))
        .map(|member| {
            let stake = stakes.of_taking(member, &leaving).into_iter().find(Stake::is_loss);
            lost |= stake.is_some() || member.is_bridge();
            let note = stake.map(|stake| format!(": {}", stake.sentence())).unwrap_or_default();
            format!("{} ({}{note})", member.address, facts.name_of(member))
        })
        .collect();
    if !others.is_empty() {
        let advice = if lost {
            "Another slot for the card, or a firmware option named ACS, may give it a group of its own"
        } else {
            "Name them too if the guest may have them, or try another slot for the card"
        };
        let slots = predict::slots(facts, &Assumptions::default(), function.address);
        let better = slots.and_then(|slots| slots.better.into_iter().next());
        let advice = better.map_or_else(|| advice.to_owned(), |better| format!("{advice}: {better}"));
        reasons.push(Reason::GroupHolds { address: function.address, group: id, others, advice });
    }
}

/// The displays that a guest could have while the one that the firmware draws on stays, in order of address: what the page's
/// script for all GPUs but the boot GPU takes.
///
/// # Errors
///
/// The kernel does not say which one that is, or there is no other.
pub fn all_but_the_boot_gpu(facts: &HostFacts) -> Result<Vec<PciAddress>, Refusal> {
    let boot = facts.functions().find(|function| function.boot_vga == Some(true));
    let boot = boot.ok_or(Reason::BootDisplayUnknown)?.address;
    let others: Vec<PciAddress> = facts
        .functions()
        .filter(|function| function.class.is_display())
        .map(|function| function.address)
        .filter(|address| *address != boot && !address.is_sibling_of(boot))
        .collect();
    if others.is_empty() { Err(Reason::NoOtherDisplay { boot }.into()) } else { Ok(others) }
}

/// Binding by id takes every function with that id.
fn ids(facts: &HostFacts, wanted: &Intent, taken: &[PciAddress], reasons: &mut Vec<Reason>) {
    let mut seen = Vec::new();
    for device in &wanted.isolate {
        if seen.contains(&(device.id, device.subsystem)) {
            continue;
        }
        seen.push((device.id, device.subsystem));
        let twins: Vec<PciAddress> = facts
            .functions()
            .filter(|other| other.id == device.id && other.subsystem == device.subsystem)
            .map(|other| other.address)
            .filter(|address| !taken.contains(address))
            .collect();
        if !twins.is_empty() {
            reasons.push(Reason::Twins { id: device.id, twins });
        }
    }
}

/// Judges the installed kernels: each that can be booted must have vfio-pci, and what keeps functions for it.
pub(crate) fn kernels(facts: &HostFacts, method: Method, reasons: &mut Vec<Reason>) {
    match &facts.kernel.installed {
        passthru_model::Fact::Unknown(because) => {
            reasons.push(unknown(facts, "which kernels are installed", because));
        }
        passthru_model::Fact::Known(kernels, _) => {
            let mut bootable = kernels.iter().filter(|kernel| kernel.initramfs.is_some()).peekable();
            if bootable.peek().is_none() {
                reasons.push(Reason::NoKernel);
            }
            for kernel in bootable {
                let release = kernel.release.clone();
                if method == Method::PciStub
                    && matches!(kernel.module(method.module()), None | Some(ModuleState::Absent))
                {
                    reasons.push(Reason::NoStub { release: release.clone() });
                }
                match (kernel.module("vfio_pci"), &kernel.modules) {
                    (_, passthru_model::Fact::Unknown(because)) => {
                        reasons.push(unknown(
                            facts,
                            &format!("whether kernel {release} has vfio-pci"),
                            because,
                        ));
                    }
                    (Some(ModuleState::BuiltIn | ModuleState::Loadable), _) => {}
                    (None | Some(ModuleState::Absent), _) => reasons.push(Reason::NoVfio { release }),
                }
            }
        }
    }
}
