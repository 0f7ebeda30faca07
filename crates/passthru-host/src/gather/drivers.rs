//! Which drivers each installed kernel has for the devices that could go to a guest.

use std::collections::BTreeMap;

use passthru_formats::module_alias::Aliases;
use passthru_model::address::PciAddress;
use passthru_model::fact::Fact;
use passthru_model::kernel::{InstalledKernel, KernelDrivers};
use passthru_model::pci::PciFunction;

use crate::host::Host;

/// Looked up for functions that are no bridges; bridges stay with the host.
pub(super) fn of(
    host: &Host,
    pci: &Fact<BTreeMap<PciAddress, PciFunction>>,
    installed: &Fact<Vec<InstalledKernel>>,
) -> Fact<Vec<KernelDrivers>> {
    let (functions, kernels) = match (pci, installed) {
        (Fact::Known(functions, _), Fact::Known(kernels, _)) => (functions, kernels),
        (Fact::Unknown(because), _) | (_, Fact::Unknown(because)) => return Fact::Unknown(because.clone()),
    };
    let functions: Vec<&PciFunction> = functions
        .values()
        .filter(|function| !function.is_bridge() && !function.modalias.is_empty())
        .collect();
    let known: Vec<KernelDrivers> =
        kernels.iter().map(|kernel| of_kernel(host, kernel, &functions)).collect();
    let seen = known.iter().map(|kernel| kernel.release.as_str()).collect::<Vec<_>>().join(", ");
    Fact::known(known, "/lib/modules", if seen.is_empty() { "no kernel".to_owned() } else { seen })
}

fn of_kernel(host: &Host, kernel: &InstalledKernel, functions: &[&PciFunction]) -> KernelDrivers {
    let directory = format!("/lib/modules/{}", kernel.release);
    let (loadable_path, built_in_path) =
        (format!("{directory}/modules.alias"), format!("{directory}/modules.builtin.modinfo"));
    let (loadable, built_in) = (host.read(&loadable_path), host.read(&built_in_path));
    let loadable = match loadable {
        Ok(bytes) => bytes,
        Err(error) => {
            return KernelDrivers { release: kernel.release.clone(), drivers: super::because(&error) };
        }
    };
    // Kernels before 5.2 do not say which devices their built-in drivers are for.
    let built_in = built_in.ok();
    let (loadable, built_in_aliases) =
        (Aliases::loadable(&loadable), built_in.as_deref().map(Aliases::built_in));
    let mut drivers = BTreeMap::new();
    for function in functions {
        let modules = loadable.modules_for(&function.modalias);
        let built_in = built_in_aliases
            .as_ref()
            .map_or_else(Vec::new, |aliases| aliases.modules_for(&function.modalias));
        if !modules.is_empty() || !built_in.is_empty() {
            drivers.insert(
                function.address,
                passthru_model::kernel::PossibleDrivers { loadable: modules, built_in },
            );
        }
    }
    let seen = format!("drivers for {} of {} functions", drivers.len(), functions.len());
    KernelDrivers { release: kernel.release.clone(), drivers: Fact::known(drivers, loadable_path, seen) }
}
