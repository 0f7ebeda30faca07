//! The devices of a guest against the host's.

use std::collections::BTreeSet;

use passthru_model::intent::DeviceIdentity;
use passthru_model::{HostFacts, PciAddress, PciFunction};

use super::BuildError;
use crate::spec::GuestSpec;

/// A device that is not yet where a guest can take it from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address}: {} has it, not vfio-pci; first: passthru isolate {address} (at boot) or passthru bind {address} (now)", driver.as_deref().unwrap_or("no driver"))]
pub struct NotReady {
    /// The device.
    pub address: PciAddress,
    /// What drives it.
    pub driver: Option<String>,
}

/// Finds the functions that a specification means, and says what is wrong with them.
pub(super) fn resolve<'a>(
    spec: &GuestSpec,
    facts: &'a HostFacts,
    wrong: &mut Vec<BuildError>,
) -> Vec<&'a PciFunction> {
    if let (Some(why), false) = (facts.pci.because(), spec.devices.is_empty()) {
        wrong.push(BuildError::DevicesUnknown(why.to_owned()));
        return Vec::new();
    }
    let given: BTreeSet<PciAddress> = spec.devices.iter().map(|device| device.address).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for wanted in &spec.devices {
        if !seen.insert(wanted.address) {
            wrong.push(BuildError::Twice(wanted.address));
            continue;
        }
        match one(wanted, facts) {
            Ok(function) => {
                wrong.extend(group_errors(function, &given, facts));
                found.push(function);
            }
            Err(error) => wrong.push(error),
        }
    }
    found
}

/// One function by its identity.
fn one<'a>(wanted: &DeviceIdentity, facts: &'a HostFacts) -> Result<&'a PciFunction, BuildError> {
    let address = wanted.address;
    let function = facts.function(address).ok_or(BuildError::DeviceMissing { address, id: wanted.id })?;
    if !wanted.matches(function) {
        let words = |identity: &DeviceIdentity| {
            format!("{} (subsystem {}, class {})", identity.id, identity.subsystem, identity.class)
        };
        let found = words(&DeviceIdentity::of(function));
        return Err(BuildError::IdentityChanged { address, wanted: words(wanted), found });
    }
    if function.is_bridge() {
        return Err(BuildError::Bridge(address));
    }
    if function.group.is_none() {
        return Err(BuildError::NoGroup(address));
    }
    Ok(function)
}

/// The other members of a function's group, as functions.
fn others<'a>(function: &'a PciFunction, facts: &'a HostFacts) -> impl Iterator<Item = &'a PciFunction> {
    let mine = function.address;
    facts.functions().filter(move |other| other.address != mine && other.group == function.group)
}

/// The first member of a function's group that keeps the group from being opened: one that is not among `given`, and
/// that a driver of the host has. The kernel lets a group be opened while members are unbound, on vfio, on pci-stub, or
/// are ports (`driver_managed_dma`).
pub fn group_obstacle<'a>(
    function: &'a PciFunction,
    given: &BTreeSet<PciAddress>,
    facts: &'a HostFacts,
) -> Option<&'a PciFunction> {
    function.group?;
    others(function, facts).filter(|other| !given.contains(&other.address)).find(|other| {
        !other.is_on_vfio() && !matches!(other.driver.as_deref(), None | Some("pci-stub" | "pcieport"))
    })
}

/// What is wrong with the company a function keeps.
fn group_errors(function: &PciFunction, given: &BTreeSet<PciAddress>, facts: &HostFacts) -> Vec<BuildError> {
    let slot = function.address.slot();
    let is_first_given = given.iter().find(|address| address.slot() == slot) == Some(&function.address);
    let zero_left_out = function.physical_function.is_none()
        && is_first_given
        && function.address.function() != 0
        && others(function, facts).any(|other| other.address.slot() == slot && other.address.function() == 0);
    if zero_left_out {
        return vec![BuildError::FunctionZeroMissing { slot }];
    }
    let Some((member, group)) = group_obstacle(function, given, facts).zip(function.group) else {
        return Vec::new();
    };
    let driver = member.driver.clone().unwrap_or_default();
    vec![BuildError::GroupNotViable { address: function.address, group, member: member.address, driver }]
}

/// Which of these functions a guest could not open now.
pub(super) fn not_ready(addresses: impl Iterator<Item = PciAddress>, facts: &HostFacts) -> Vec<NotReady> {
    addresses
        .filter_map(|address| facts.function(address))
        .filter(|function| !function.is_on_vfio())
        .map(|function| NotReady { address: function.address, driver: function.driver.clone() })
        .collect()
}
