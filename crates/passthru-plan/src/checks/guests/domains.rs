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

/// Whether a domain is given a graphics card. Where this host does not have the function, or its functions are not known, a
/// ROM file or what was done for drivers of such cards tells.
pub(super) fn has_display(facts: &HostFacts, domain: &Domain) -> bool {
    let known: Vec<_> = domain.pci.iter().filter_map(|device| facts.function(device.address)).collect();
    if known.len() == domain.pci.len() {
        return known.iter().any(|function| function.class.is_display());
    }
    let hides = domain.kvm_hidden || domain.vendor_id.is_some();
    let has_rom = domain.pci.iter().any(|device| device.rom_file.is_some());
    hides || has_rom || known.iter().any(|function| function.class.is_display())
}

/// Whether the guest's board has PCI Express.
pub(super) fn is_q35(domain: &Domain) -> bool {
    domain.machine.as_deref().is_some_and(|machine| machine.contains("q35"))
}
