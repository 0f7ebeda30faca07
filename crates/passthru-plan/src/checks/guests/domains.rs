//! The guests that are defined, or why a check has none to look at.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, Libvirt};

use crate::checks::Outcome;

/// libvirt, or why nothing is said of it.
pub(super) fn libvirt(facts: &HostFacts) -> Result<&Libvirt, Outcome> {
    match facts.virtualisation.libvirt.value() {
        Some(Some(libvirt)) => Ok(libvirt),
        Some(None) => Err(Outcome::skip("libvirt is not installed").seen(&facts.virtualisation.libvirt)),
        None => Err(Outcome::unknown(
            "whether libvirt is installed",
            facts.virtualisation.libvirt.because().unwrap_or_default(),
        )),
    }
}

/// The guests of libvirt that pass a test; `what` says which those are, where none does.
pub(super) fn domains<'a>(
    facts: &'a HostFacts,
    what: &str,
    wanted: impl Fn(&Domain) -> bool,
) -> Result<Vec<&'a Domain>, Outcome> {
    let libvirt = libvirt(facts)?;
    let Some(domains) = libvirt.domains.value() else {
        return Err(Outcome::unknown(
            "which guests libvirt has",
            libvirt.domains.because().unwrap_or_default(),
        ));
    };
    if domains.is_empty() {
        return Err(Outcome::skip("libvirt has no guest").seen(&libvirt.domains));
    }
    let found: Vec<&Domain> = domains.iter().filter(|domain| wanted(domain)).collect();
    if found.is_empty() {
        Err(Outcome::skip(format!("no guest {what}")).seen(&libvirt.domains))
    } else {
        Ok(found)
    }
}

/// Whether a domain is given a function of the host.
pub(super) fn has_devices(domain: &Domain) -> bool {
    !domain.pci.is_empty()
}

/// Whether a domain is given a graphics card, as far as the host's devices tell.
pub(super) fn has_display(facts: &HostFacts, domain: &Domain) -> bool {
    domain
        .pci
        .iter()
        .any(|device| facts.function(device.address).is_some_and(|function| function.class.is_display()))
}
