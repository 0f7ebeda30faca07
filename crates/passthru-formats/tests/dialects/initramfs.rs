//! Settings of initramfs generators: one test for each way in which tools have broken them.

use passthru_formats::mkinitcpio::{self, Hooks, List};
use passthru_formats::shell::Place;
use passthru_formats::{booster, dracut};

fn modules(text: &str) -> String {
    mkinitcpio::add(text, List::Modules, "vfio_pci", Place::First).expect("plain")
}

#[test]
fn mkinitcpio_modules_as_an_array_and_as_a_string() {
    assert_eq!(modules("MODULES=(ext4)\n"), "MODULES=(vfio_pci ext4)\n");
    assert_eq!(modules("MODULES=\"ext4\"\n"), "MODULES=\"vfio_pci ext4\"\n");
}

#[test]
fn mkinitcpio_modules_over_several_lines() {
    assert_eq!(modules("MODULES=(\n  ext4 # a\n)\n"), "MODULES=(\n  vfio_pci ext4 # a\n)\n");
}

#[test]
fn mkinitcpio_modules_that_are_commented_out() {
    assert_eq!(modules("#MODULES=(ext4)\nMODULES=()\n"), "#MODULES=(ext4)\nMODULES=(vfio_pci)\n");
}

#[test]
fn mkinitcpio_a_later_drop_in_may_reset_ours() {
    let files = ["MODULES=()\n", "MODULES+=(vfio_pci)\n", "MODULES=(ext4)\n"];
    assert_eq!(mkinitcpio::list(&files[..2], List::Modules), Ok(vec!["vfio_pci".to_owned()]));
    assert_eq!(mkinitcpio::list(&files, List::Modules), Ok(vec!["ext4".to_owned()]));
}

#[test]
fn mkinitcpio_an_array_drop_in_on_a_string_is_seen() {
    assert!(mkinitcpio::list(&["MODULES=\"a b\"\n", "MODULES+=(vfio_pci)\n"], List::Modules).is_err());
}

#[test]
fn mkinitcpio_modules_come_ahead_of_the_graphics_drivers_in_the_list() {
    assert_eq!(
        modules("MODULES=(amdgpu)\nHOOKS=(base udev modconf kms)\n"),
        "MODULES=(vfio_pci amdgpu)\nHOOKS=(base udev modconf kms)\n"
    );
}

#[test]
fn mkinitcpio_hooks_of_busybox_and_systemd() {
    let hooks = |text| Hooks::of(&mkinitcpio::list(&[text], List::Hooks).expect("plain"));
    assert_eq!(hooks("HOOKS=(base udev modconf kms)"), Hooks { systemd: false, modconf: true, kms: true });
    assert_eq!(hooks("HOOKS=\"base systemd\""), Hooks { systemd: true, modconf: false, kms: false });
}

#[test]
fn mkinitcpio_a_preset_for_each_kernel_and_unified_images() {
    let images = mkinitcpio::preset::read(
        "ALL_kver=\"/boot/vmlinuz-linux-zen\"\nPRESETS=('default' 'fallback')\ndefault_uki=\"/efi/zen.efi\"\nfallback_image=\"/boot/f.img\"\n",
    )
    .expect("plain");
    let seen: Vec<_> = images
        .iter()
        .map(|image| (image.name.as_str(), image.unified.is_some(), image.image.is_some()))
        .collect();
    assert_eq!(seen, [("default", true, false), ("fallback", false, true)]);
    assert!(images.iter().all(|image| image.kernel.as_deref() == Some("/boot/vmlinuz-linux-zen")));
}

#[test]
fn mkinitcpio_a_module_that_may_be_missing() {
    assert_eq!(modules("MODULES=(vfio-pci?)\n"), "MODULES=(vfio-pci?)\n");
}

#[test]
fn dracut_a_drop_in_needs_its_ending() {
    assert!(dracut::is_read("50-passthru.conf") && !dracut::is_read("50-passthru"));
}

#[test]
fn dracut_values_need_blanks_at_both_ends() {
    assert_eq!(
        dracut::add("", dracut::List::ForceDrivers, "vfio_pci").as_deref(),
        Ok("force_drivers+=\" vfio_pci \"\n")
    );
    let mut settings = dracut::Settings::default();
    for text in ["force_drivers+=\"a\"\n", "force_drivers+=\"vfio_pci\"\n"] {
        settings.read(text).expect("plain");
    }
    assert_eq!(settings.list(dracut::List::ForceDrivers), Ok(vec!["avfio_pci".to_owned()]));
}

#[test]
fn dracut_only_forced_drivers_load_early() {
    let text = "add_drivers+=\" vfio_pci \"\n";
    let longer = dracut::add(text, dracut::List::ForceDrivers, "vfio_pci");
    assert_eq!(longer, Ok(format!("{text}force_drivers+=\" vfio_pci \"\n")));
}

#[test]
fn dracut_hostonly_of_the_last_file_counts() {
    let mut settings = dracut::Settings::default();
    for text in ["hostonly=\"yes\"\n", "hostonly=\"no\"\n"] {
        settings.read(text).expect("plain");
    }
    assert_eq!(settings.is_hostonly(), Ok(false));
}

#[test]
fn dracut_both_spellings_are_one_module() {
    let text = "force_drivers+=\" vfio-pci \"\n";
    assert_eq!(dracut::add(text, dracut::List::ForceDrivers, "vfio_pci").as_deref(), Ok(text));
    assert_eq!(
        dracut::remove(text, dracut::List::ForceDrivers, "vfio_pci").as_deref(),
        Ok("force_drivers+=\" \"\n")
    );
}

#[test]
fn booster_modules_are_merged_with_those_that_are_there() {
    let text = "modules_force_load: ext4 # mine\n";
    assert_eq!(
        booster::add_force_load(text, &["vfio_pci", "vfio", "vfio_iommu_type1"]).as_deref(),
        Ok("modules_force_load: vfio_pci,vfio,vfio_iommu_type1,ext4 # mine\n")
    );
}
