//! A kernel's modules: `modules.dep`, `modules.builtin` (kmod, modules.dep(5)) and `/proc/modules`.

use std::collections::BTreeMap;

use passthru_model::kernel::ModuleState;

/// A module's name with underscores, as the kernel shows it: `-` and `_` are equal in names of modules.
pub fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// The module that a path in `modules.dep`, in `modules.builtin` or in an initramfs stands for, if the file name ends as
/// modules do.
pub fn name_of(path: &str) -> Option<&str> {
    let file = path.rsplit('/').next()?;
    let stem =
        file.strip_suffix(".xz").or(file.strip_suffix(".zst")).or(file.strip_suffix(".gz")).unwrap_or(file);
    stem.strip_suffix(".ko")
}

/// The state of each wanted module in one kernel.
///
/// `dep` is `modules.dep`, a line `path: paths it needs` for each loadable module; `builtin` is `modules.builtin`, a
/// path a line. Wanted names may be spelt either way; the keys of the answer have underscores.
pub fn states(dep: &[u8], builtin: &[u8], wanted: &[&str]) -> BTreeMap<String, ModuleState> {
    let mut states: BTreeMap<String, ModuleState> =
        wanted.iter().map(|name| (canonical(name), ModuleState::Absent)).collect();
    let mut mark = |path: &[u8], state: ModuleState| {
        let Ok(path) = std::str::from_utf8(path) else { return };
        if let Some(found) = name_of(path).and_then(|name| states.get_mut(&canonical(name))) {
            *found = state;
        }
    };
    for line in dep.split(|&byte| byte == b'\n') {
        if let Some(path) = line.split(|&byte| byte == b':').next().filter(|path| path.len() < line.len()) {
            mark(path, ModuleState::Loadable);
        }
    }
    // Built in wins: a left-over file of a module that is compiled in is never loaded.
    for line in builtin.split(|&byte| byte == b'\n') {
        mark(line.trim_ascii_end(), ModuleState::BuiltIn);
    }
    states
}

/// The names in `/proc/modules` (proc_modules(5)), sorted; the first word of each line.
pub fn loaded(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut names: Vec<String> =
        text.lines().filter_map(|line| line.split_ascii_whitespace().next()).map(canonical).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::{loaded, states};
    use passthru_model::kernel::ModuleState;
    use proptest::prelude::*;

    const DEP: &[u8] = b"kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/pci/vfio-pci-core.ko.xz\n\
        kernel/drivers/vfio/vfio_iommu_type1.ko.zst:\nkernel/arch/x86/kvm/kvm-amd.ko: kernel/arch/x86/kvm/kvm.ko\n";

    #[test]
    fn a_module_is_loadable_built_in_or_absent_and_dashes_do_not_matter() {
        let found = states(
            DEP,
            b"kernel/drivers/vfio/vfio.ko\n",
            &["vfio-pci", "vfio_iommu_type1", "vfio", "pci-stub", "kvm_amd"],
        );
        let listed: Vec<_> = found.iter().map(|(name, state)| (name.as_str(), *state)).collect();
        assert_eq!(
            listed,
            [
                ("kvm_amd", ModuleState::Loadable),
                ("pci_stub", ModuleState::Absent),
                ("vfio", ModuleState::BuiltIn),
                ("vfio_iommu_type1", ModuleState::Loadable),
                ("vfio_pci", ModuleState::Loadable),
            ]
        );
    }

    #[test]
    fn a_module_that_is_only_needed_by_others_is_not_there_itself() {
        assert_eq!(states(DEP, b"", &["kvm"]).get("kvm"), Some(&ModuleState::Absent));
    }

    #[test]
    fn loaded_modules_are_the_first_words() {
        assert_eq!(
            loaded(b"vfio_pci 16384 0 - Live 0x0\nkvm 1 1 kvm_intel, Live 0x0\n"),
            ["kvm", "vfio_pci"]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(dep: Vec<u8>, builtin: Vec<u8>) {
            let found = states(&dep, &builtin, &["vfio-pci"]);
            prop_assert_eq!(found.len(), 1);
            let _ = loaded(&dep);
        }
    }
}
