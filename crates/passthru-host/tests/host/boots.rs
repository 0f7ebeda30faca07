//! Boot loaders and generators: one that is certain is known; two that could both be live are refused.

use passthru_host::{Host, gather};
use passthru_model::facts::{Bootloader, HostFacts, InitramfsGenerator};
use pretty_assertions::assert_eq;
use tar::{Builder, Header};

const GRUB: &[&str] = &["etc/default/grub", "boot/grub/grub.cfg", "usr/sbin/update-grub"];
const LOADER_INFO: &str = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// Facts of a host that has these files, and was started by this loader.
fn facts(files: &[&str], loader: Option<&str>) -> HostFacts {
    let mut tar = Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_size(u64::try_from(bytes.len()).expect("small"));
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).expect("writes");
    };
    for name in files {
        add(name, b"x");
    }
    if let Some(loader) = loader {
        let text = loader.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
        add(LOADER_INFO, &[6, 0, 0, 0].into_iter().chain(text).collect::<Vec<u8>>());
    }
    gather(&Host::from_archive(tar.into_inner().expect("writes").as_slice()).expect("reads"))
}

fn why(facts: &HostFacts) -> &str {
    facts.bootloader.because().expect("unknown")
}

#[test]
fn grub_as_debian_has_it_is_known() {
    for loader in [None, Some("GRUB 2.12-9")] {
        assert_eq!(facts(GRUB, loader).bootloader.value(), Some(&Bootloader::GrubDebian));
    }
}

#[test]
fn grub_that_says_it_started_the_system_is_believed_over_signs_of_another() {
    let both = [GRUB, &["boot/loader/entries/a.conf"]].concat();
    assert_eq!(facts(&both, Some("GRUB 2.12")).bootloader.value(), Some(&Bootloader::GrubDebian));
}

#[test]
fn two_that_could_both_be_live_are_named() {
    let both = [GRUB, &["boot/loader/entries/a.conf"]].concat();
    assert_eq!(
        why(&facts(&both, None)),
        "two bootloaders could both be live: /boot/grub/grub.cfg (GRUB), /boot/loader/entries (Boot Loader \
         Specification entries (systemd-boot, or GRUB as on Fedora))"
    );
    assert_eq!(
        why(&facts(GRUB, Some("systemd-boot 257.8"))),
        "GRUB is set up, and this system was started by ‘systemd-boot 257.8’ \
         (/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f)"
    );
}

#[test]
fn another_loader_is_named_with_what_was_seen() {
    assert_eq!(
        why(&facts(&["etc/default/limine"], None)),
        "passthru does not know yet how to change what was found: /etc/default/limine (Limine)"
    );
    assert_eq!(
        why(&facts(&[], Some("Limine 9.2"))),
        "this system was started by ‘Limine 9.2’, which passthru does not know yet"
    );
    assert!(why(&facts(&["etc/default/grub"], None)).ends_with("no sign of another boot loader"));
}

#[test]
fn the_generator_is_known_where_there_is_but_one() {
    let tools = ["usr/sbin/update-initramfs", "etc/initramfs-tools/modules"];
    assert_eq!(facts(&tools, None).initramfs.value(), Some(&InitramfsGenerator::InitramfsTools));
    let both = [tools.as_slice(), &["usr/bin/dracut"]].concat();
    assert_eq!(
        facts(&both, None).initramfs.because(),
        Some(
            "two generators of the initramfs are installed, and either could be in use: \
             /usr/sbin/update-initramfs (initramfs-tools), /usr/bin/dracut (dracut)"
        )
    );
    assert_eq!(
        facts(&["usr/bin/mkinitcpio"], None).initramfs.because(),
        Some("passthru does not know yet how to use what was found: /usr/bin/mkinitcpio (mkinitcpio)")
    );
}
