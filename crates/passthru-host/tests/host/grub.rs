//! GRUB as distributions other than Debian have it: what makes its menu, or which files are its entries.

use passthru_host::gather;
use passthru_model::boot::{Dialect, Grub, MenuMaker};
use passthru_model::facts::{Bootloader, HostFacts};
use pretty_assertions::assert_eq;

use crate::boots::{host_of, texts, why};

/// GRUB in a host with these files.
fn grub(files: &[(&str, &str)]) -> Grub {
    let facts = texts(files);
    match facts.bootloader.value() {
        Some(Bootloader::Grub(grub)) => grub.clone(),
        other => panic!("{other:?}: {:?}", facts.bootloader.because()),
    }
}

const SETTINGS: (&str, &str) = ("etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n");
const MENU: &str = "menuentry 'Arch' {\n linux /vmlinuz root=UUID=1 rw quiet\n}\n";
/// The line by which Debian's reads drop-ins.
const READS: &str = "for x in ${sysconfdir}/default/grub.d/*.cfg ; do\n";

#[test]
fn grub_as_others_have_it_is_known_with_its_menu_and_what_makes_that() {
    let one_file = |maker, menu: &str| Grub { drop_ins: false, maker, menu: menu.to_owned() };
    let script = ("usr/bin/grub-mkconfig", "#!/bin/sh\n");
    for more in [&[][..], &[("usr/sbin/update-grub", "exec grub-mkconfig\n")]] {
        let files = [&[SETTINGS, script, ("boot/grub/grub.cfg", MENU)][..], more].concat();
        assert_eq!(grub(&files), one_file(MenuMaker::GrubMkconfig, "/boot/grub/grub.cfg"));
    }
    let second = ("usr/sbin/grub2-mkconfig", "#!/bin/sh\n");
    let of_suse = [SETTINGS, second, ("boot/grub2/grub.cfg", MENU)];
    assert_eq!(grub(&of_suse), one_file(MenuMaker::Grub2Mkconfig, "/boot/grub2/grub.cfg"));
    let on_esp = [SETTINGS, script, ("efi/grub/grub.cfg", MENU)];
    assert_eq!(grub(&on_esp), one_file(MenuMaker::GrubMkconfig, "/efi/grub/grub.cfg"));
    // Whose script reads drop-ins is as Debian's.
    let debian = [
        SETTINGS,
        ("usr/sbin/grub-mkconfig", READS),
        ("usr/sbin/update-grub", "x"),
        ("boot/grub/grub.cfg", MENU),
    ];
    assert_eq!(grub(&debian), Grub::of_debian());
    assert_eq!(grub(&[debian[0], debian[1], debian[3]]).making().0.file_name(), "grub-mkconfig");
}

#[test]
fn of_two_menus_the_one_is_known_that_the_system_was_started_from() {
    let running = |line| ("proc/cmdline", line);
    let other = "menuentry 'Old' {\n linux /vmlinuz root=UUID=2 rw quiet\n}\n";
    let both = |line| {
        [
            SETTINGS,
            ("usr/sbin/grub-mkconfig", "x"),
            ("usr/sbin/grub2-mkconfig", "x"),
            ("boot/grub/grub.cfg", other),
            ("boot/grub2/grub.cfg", MENU),
            running(line),
        ]
    };
    let found = grub(&both("BOOT_IMAGE=/vmlinuz root=UUID=1 rw quiet intel_iommu=on\n"));
    assert_eq!((found.maker, found.menu.as_str()), (MenuMaker::Grub2Mkconfig, "/boot/grub2/grub.cfg"));
    let found = grub(&both("BOOT_IMAGE=/vmlinuz root=UUID=2 rw quiet\n"));
    assert_eq!((found.maker, found.menu.as_str()), (MenuMaker::GrubMkconfig, "/boot/grub/grub.cfg"));
    let mut same = both("root=UUID=1 rw quiet\n");
    same[3].1 = MENU;
    let reasons = [texts(&both("root=UUID=3\n")), texts(&same)].map(|facts| why(&facts).to_owned());
    insta::assert_snapshot!(reasons.join("\n\n"));
}

/// A Fedora with these entries, each with its options.
fn fedora(entries: &[(&str, &str)], more: &[(&str, &str)]) -> HostFacts {
    let running = "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-6.12.9 root=UUID=1 ro rhgb quiet\n";
    let mut files: Vec<(String, String)> = [
        (SETTINGS.0, "GRUB_CMDLINE_LINUX=\"rhgb quiet\"\nGRUB_ENABLE_BLSCFG=true\n"),
        ("usr/sbin/grub2-mkconfig", "#!/bin/sh\n"),
        ("boot/grub2/grub.cfg", "insmod blscfg\nblscfg\n"),
        ("proc/cmdline", running),
    ]
    .iter()
    .chain(more)
    .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
    .collect();
    for (name, options) in entries {
        let text = format!("title x\nlinux /vmlinuz\ninitrd /initramfs.img\noptions {options}\n");
        files.push((format!("boot/loader/entries/{name}.conf"), text));
    }
    gather(&host_of(files))
}

#[test]
fn grub_with_a_file_an_entry_is_known_with_those_that_start_this_system() {
    let entries = [
        ("7b1f-0-rescue", "root=UUID=1 ro rhgb quiet"),
        ("7b1f-6.11.4", "root=UUID=1 ro rhgb quiet debug"),
        ("7b1f-6.12.9", "root=UUID=1 ro rhgb quiet intel_iommu=on $tuned_params"),
        ("A-7b1f-6.12.9-passthru-off", "root=UUID=1 ro rhgb quiet passthru.off"),
        ("other-6.1", "root=UUID=2 ro"),
    ];
    let facts = fedora(&entries, &[]);
    let Some(Bootloader::Written(found)) = facts.bootloader.value() else { panic!("{:?}", facts.bootloader) };
    assert_eq!(found.dialect, Dialect::GrubBls);
    assert_eq!(
        found.files,
        ["/boot/loader/entries/7b1f-6.11.4.conf", "/boot/loader/entries/7b1f-6.12.9.conf"]
    );
    assert_eq!((found.root.as_str(), found.root_parameter.as_deref()), ("/boot", Some("UUID=1")));
    let said = |facts: HostFacts| why(&facts).to_owned();
    let reasons = [
        said(fedora(&[("7b1f-4.18.0", "$kernelopts $tuned_params")], &[])),
        said(fedora(&entries[4..], &[])),
        said(fedora(&entries, &[("run/ostree-booted", "x")])),
    ];
    insta::assert_snapshot!(reasons.join("\n\n"));
}
