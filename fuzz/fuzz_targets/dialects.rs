//! Any text as each file that is edited; the first byte says which. What is added and taken out again leaves the words as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_formats::cmdline::{Change, Parameter};
use passthru_formats::efi_load_option::LoadOption;
use passthru_formats::error::Refused;
use passthru_formats::mkinitcpio::{self, List};
use passthru_formats::shell::{Place, ShellFile};
use passthru_formats::{
    bls, booster, dracut, kargs, kernel_cmdline, kernelstub, limine, limine_defaults, loader_conf, refind, syslinux,
};

const WORD: &str = "fuzz_word=1";

/// Edits a text, and takes the edit back: the second time it is taken back there is nothing left to do.
fn edited(text: &str, edit: impl Fn(&str, &Change) -> Result<String, Refused>) {
    let word = || Parameter::new(WORD).expect("one word");
    let Ok(longer) = edit(text, &Change::Add(word())) else { return };
    assert_eq!(edit(&longer, &Change::Add(word())).as_ref(), Ok(&longer), "it is added once");
    if let Ok(shorter) = edit(&longer, &Change::Remove(word())) {
        assert_eq!(edit(&shorter, &Change::Remove(word())).as_ref(), Ok(&shorter));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, rest)) = bytes.split_first() else { return };
    if *which == 0 {
        if let Some(option) = LoadOption::parse(rest) {
            let _ = (option.command_line(), option.edit(&Change::Add(Parameter::new(WORD).expect("one word"))));
        }
        return;
    }
    let Ok(text) = passthru_formats::error::utf8(rest) else { return };
    match which % 12 {
        1 => edited(text, kernel_cmdline::edit),
        2 => edited(text, bls::edit),
        3 => edited(text, |text, change| limine::edit(text, change, |entry| entry.image.is_some())),
        4 => edited(text, |text, change| limine_defaults::edit(text, "default", change)),
        5 => edited(text, |text, change| refind::edit_linux(text, change, |_| true)),
        6 => edited(text, |text, change| refind::edit_stanzas(text, change, |_| true)),
        7 => edited(text, kernelstub::edit),
        8 => edited(text, |text, change| syslinux::edit(text, change, |entry| entry.kernel.is_some())),
        9 => edited(text, kargs::edit_bootc),
        10 => {
            let _ = booster::add_force_load(text, &["vfio_pci"]).and_then(|text| booster::remove_force_load(&text, "vfio_pci"));
            let _ = (loader_conf::default_entry(text).map(|one| one.could_be(text)), loader_conf::set(text, "default", "x"));
        }
        11 => {
            let _ = dracut::add(text, dracut::List::ForceDrivers, "x").and_then(|text| dracut::remove(&text, dracut::List::ForceDrivers, "x"));
            let _ = (mkinitcpio::add(text, List::Modules, "x", Place::First), mkinitcpio::preset::read(text));
        }
        _ => {
            if let Ok(file) = ShellFile::parse(text) {
                let _ = (file.append("A", WORD), file.remove("A", "a"), file.list("A"), file.value("A"));
            }
        }
    }
});
