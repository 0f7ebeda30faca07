//! Kernels: the running one and the installed ones.

mod options;

use std::collections::BTreeMap;

use passthru_formats::{modules, sysfs};
use passthru_model::fact::Fact;
use passthru_model::kernel::{InstalledKernel, KernelFacts, KernelOptions, ModuleState};

use super::{because, boot, line_fact};
use crate::host::Host;

/// The modules whose state is told for each installed kernel.
const WANTED: &[&str] = &["vfio-pci", "vfio_iommu_type1", "vfio", "pci-stub", "kvm_intel", "kvm_amd"];

/// The running kernel, but for its options, which come with the installed ones.
pub(super) fn running(host: &Host) -> KernelFacts {
    KernelFacts {
        release: line_fact(host, "/proc/sys/kernel/osrelease"),
        cmdline: line_fact(host, "/proc/cmdline"),
        loaded: loaded(host),
        options: Fact::unknown(super::NOT_ASKED),
        installed: Fact::unknown(super::NOT_ASKED),
    }
}

/// The options of the running kernel: its own, or those of the installed one of the same release.
pub(super) fn options(host: &Host, kernel: &KernelFacts) -> Fact<KernelOptions> {
    let running = kernel.release.value().and_then(|release| {
        let installed = kernel.installed.value()?;
        installed.iter().find(|kernel| &kernel.release == release).map(|kernel| &kernel.options)
    });
    options::of_running(host, running)
}

fn loaded(host: &Host) -> Fact<Vec<String>> {
    const MODULES: &str = "/proc/modules";
    match host.read(MODULES) {
        Ok(bytes) => {
            let names = modules::loaded(&bytes);
            let seen = format!("{} modules", names.len());
            Fact::known(names, MODULES, seen)
        }
        // A kernel without loadable modules has no such file.
        Err(error)
            if error.is_not_found() && matches!(host.exists("/proc/sys/kernel/osrelease"), Ok(true)) =>
        {
            Fact::known(Vec::new(), MODULES, "is not there: the kernel has no loadable modules")
        }
        Err(error) => because(&error),
    }
}

/// NixOS: the modules of the kernel that is started next, beside which are the kernel and its initramfs.
const NIXOS_MODULES: &str = "/run/current-system/kernel-modules/lib/modules";

/// The kernels below `/lib/modules`, where every distribution has them, by way of a link or not.
pub(super) fn installed(host: &Host) -> Fact<Vec<InstalledKernel>> {
    let mut root = "/lib/modules";
    let mut names = host.list(root);
    if names.is_err() {
        let other = host.list("/usr/lib/modules");
        if other.is_ok() {
            (root, names) = ("/usr/lib/modules", other);
        }
    }
    if names.is_err() {
        let other = host.list(NIXOS_MODULES);
        if other.is_ok() {
            (root, names) = (NIXOS_MODULES, other);
        }
    }
    let names = match names {
        Ok(names) => names,
        // A system without the directory has no modules, and its kernels cannot be told from it.
        Err(error) => return because(&error),
    };
    let boot = host.list("/boot").unwrap_or_default();
    let kernels: Vec<InstalledKernel> =
        names.into_iter().filter_map(|release| kernel(host, root, release, &boot)).collect();
    let seen = kernels.iter().map(|kernel| kernel.release.as_str()).collect::<Vec<_>>().join(", ");
    Fact::known(kernels, root, if seen.is_empty() { "no kernel".to_owned() } else { seen })
}

/// One kernel. A directory without either list of modules is left over from a kernel that was removed.
fn kernel(host: &Host, root: &str, release: String, boot: &[String]) -> Option<InstalledKernel> {
    let directory = format!("{root}/{release}");
    let (dep_path, builtin_path) =
        (format!("{directory}/modules.dep"), format!("{directory}/modules.builtin"));
    let (dep, builtin) = (host.read(&dep_path), host.read(&builtin_path));
    let modules = match (&dep, &builtin) {
        (Err(dep), Err(builtin)) if dep.is_not_found() && builtin.is_not_found() => return None,
        (Err(error), _) | (_, Err(error)) if !error.is_not_found() => because(error),
        _ => {
            let empty = Vec::new();
            let states =
                modules::states(dep.as_ref().unwrap_or(&empty), builtin.as_ref().unwrap_or(&empty), WANTED);
            let seen = summary(&states);
            Fact::known(states, if dep.is_ok() { dep_path } else { builtin_path }, seen)
        }
    };
    // Arch names images by the package, and writes its name beside the modules.
    let package = host.read(&format!("{directory}/pkgbase")).ok().map(|bytes| sysfs::line(&bytes));
    let find = |names: Vec<String>| {
        names.into_iter().find(|name| boot.binary_search(name).is_ok()).map(|name| format!("/boot/{name}"))
    };
    let mut images: Vec<String> =
        ["vmlinuz", "vmlinux", "kernel"].map(|name| format!("{name}-{release}")).into();
    let mut ramdisks = vec![
        format!("initrd.img-{release}"),
        format!("initramfs-{release}.img"),
        format!("initrd-{release}"),
        format!("initramfs-{release}"),
    ];
    if let Some(package) = &package {
        images.push(format!("vmlinuz-{package}"));
        ramdisks.push(format!("initramfs-{package}.img"));
    }
    let (mut image, mut initramfs) = (find(images), find(ramdisks));
    // limine-mkinitcpio puts them into a directory of their own, and what stands beside that directory is older.
    if let Some((kernel, ramdisk)) = package.and_then(|package| beside_limine(host, &package)) {
        (image, initramfs) = (Some(kernel), Some(ramdisk));
    }
    if root == NIXOS_MODULES {
        let there = |name: &str| {
            let path = format!("/run/current-system/{name}");
            matches!(host.exists(&path), Ok(true)).then_some(path)
        };
        (image, initramfs) = (there("kernel"), there("initrd"));
    }
    let options = options::of_installed(host, &directory, &release);
    Some(InstalledKernel { image, initramfs, release, modules, options })
}

/// The kernel and the initramfs of a package where limine-mkinitcpio makes them; `None`: it does not.
fn beside_limine(host: &Host, package: &str) -> Option<(String, String)> {
    let machine_id = boot::machine_id(host).ok()??;
    ["/boot", "/efi"].into_iter().find_map(|root| {
        let directory = format!("{root}/{machine_id}/{package}");
        let paths = (format!("{directory}/vmlinuz-{package}"), format!("{directory}/initramfs-{package}"));
        matches!((host.exists(&paths.0), host.exists(&paths.1)), (Ok(true), Ok(true))).then_some(paths)
    })
}

/// What the lists say of vfio-pci, the module that matters most.
fn summary(states: &BTreeMap<String, ModuleState>) -> String {
    match states.get("vfio_pci") {
        Some(ModuleState::BuiltIn) => "vfio_pci is built in".to_owned(),
        Some(ModuleState::Loadable) => "vfio_pci is a module".to_owned(),
        Some(ModuleState::Absent) | None => "no vfio_pci".to_owned(),
    }
}
