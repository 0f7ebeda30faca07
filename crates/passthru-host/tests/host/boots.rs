//! Boot loaders and generators: one that is certain is known; two that could both be live are refused.

use passthru_formats::unified_image;
use passthru_host::{Host, gather};
use passthru_model::boot::{Grub, Layout, MadeEntry};
use passthru_model::facts::{Bootloader, HostFacts, InitramfsGenerator};
use pretty_assertions::assert_eq;
use tar::{Builder, Header};

const GRUB: &[&str] = &["etc/default/grub", "boot/grub/grub.cfg", "usr/sbin/update-grub"];
const SELECTED: &str = "sys/firmware/efi/efivars/LoaderEntrySelected-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
const LOADER_INFO: &str = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// A host with these files.
pub(crate) fn host_of(
    files: impl IntoIterator<Item = (impl AsRef<std::path::Path>, impl AsRef<[u8]>)>,
) -> Host {
    let mut tar = Builder::new(Vec::new());
    for (name, bytes) in files {
        let bytes = bytes.as_ref();
        let mut header = Header::new_gnu();
        header.set_size(u64::try_from(bytes.len()).expect("small"));
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).expect("writes");
    }
    Host::from_archive(tar.into_inner().expect("writes").as_slice()).expect("reads")
}

/// Facts of a host that has these files, and was started by this loader.
fn facts(files: &[&str], loader: Option<&str>) -> HostFacts {
    let name = loader.map(|loader| {
        let text = loader.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
        (LOADER_INFO, [6, 0, 0, 0].into_iter().chain(text).collect::<Vec<u8>>())
    });
    gather(&host_of(files.iter().map(|path| (*path, b"x".to_vec())).chain(name)))
}

const TOKEN: &str = "7b1f8f0e5d1b4a579c430a4b6c1d2e3f";
const ENTRY: &str = "boot/efi/loader/entries/7b1f8f0e5d1b4a579c430a4b6c1d2e3f-6.12.43+deb13-amd64.conf";

/// A Debian that systemd-boot started from an entry that kernel-install made; the files besides that it has.
fn systemd_boot(more: &[(&str, &str)]) -> HostFacts {
    let text = format!(
        "title Debian\noptions root=UUID=1 quiet\nlinux /{TOKEN}/6.12.43+deb13-amd64/linux\n\
         initrd /{TOKEN}/6.12.43+deb13-amd64/initrd.img-6.12.43+deb13-amd64\n"
    );
    let variable = |text: &str| {
        let units = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
        [6, 0, 0, 0].into_iter().chain(units).collect::<Vec<u8>>()
    };
    let selected = format!("{TOKEN}-6.12.43+deb13-amd64.conf");
    let mut files: std::collections::BTreeMap<&str, Vec<u8>> = [
        (LOADER_INFO, variable("systemd-boot 257.13-1~deb13u1")),
        (SELECTED, variable(&selected)),
        (ENTRY, text.into_bytes()),
        ("etc/machine-id", format!("{TOKEN}\n").into_bytes()),
        ("usr/bin/kernel-install", b"x".to_vec()),
        ("boot/vmlinuz-6.12.43+deb13-amd64", b"x".to_vec()),
    ]
    .into();
    for (path, text) in more {
        let bytes = match *path {
            SELECTED => variable(text),
            path if path.contains("/EFI/Linux/") => image(&[(".cmdline", text)]),
            _ => text.as_bytes().to_vec(),
        };
        // Without a text, the file is not there.
        if text.is_empty() {
            files.remove(path);
        } else {
            files.insert(path, bytes);
        }
    }
    gather(&host_of(files))
}

#[test]
fn what_kernel_install_makes_is_traced_from_the_entry_that_systemd_boot_started() {
    let facts = systemd_boot(&[]);
    let Some(Bootloader::KernelInstall(found)) = facts.bootloader.value() else {
        panic!("{:?}", facts.bootloader)
    };
    assert_eq!(
        (found.root.as_str(), found.token.as_str(), found.layout),
        ("/boot/efi", TOKEN, Layout::Entries)
    );
    let directory = format!("/boot/efi/{TOKEN}/6.12.43+deb13-amd64");
    assert_eq!(
        found.kernels,
        [MadeEntry {
            release: "6.12.43+deb13-amd64".to_owned(),
            image: "/boot/vmlinuz-6.12.43+deb13-amd64".to_owned(),
            path: format!("/{ENTRY}"),
            parts: vec![format!("{directory}/linux"), format!("{directory}/initrd.img-6.12.43+deb13-amd64")],
        }]
    );
}

#[test]
fn a_unified_image_is_traced_and_so_is_our_own_entry_that_starts_it() {
    let image = "boot/efi/EFI/Linux/7b1f8f0e5d1b4a579c430a4b6c1d2e3f-6.12.43+deb13-amd64.efi";
    let off = ENTRY.replace(".conf", "-passthru-off.conf");
    let selected = |name: &'static str| {
        systemd_boot(&[
            (ENTRY, ""),
            ("etc/kernel/install.conf", "layout=uki\n"),
            (image, "root=UUID=1 quiet"),
            (&off, "title off\nefi /EFI/Linux/x.efi\noptions passthru.off\n"),
            (SELECTED, name),
        ])
    };
    for name in [
        "7b1f8f0e5d1b4a579c430a4b6c1d2e3f-6.12.43+deb13-amd64.efi",
        "7b1f8f0e5d1b4a579c430a4b6c1d2e3f-6.12.43+deb13-amd64-passthru-off.conf",
    ] {
        let facts = selected(name);
        let Some(Bootloader::KernelInstall(found)) = facts.bootloader.value() else {
            panic!("{:?}", facts.bootloader)
        };
        assert_eq!(found.layout, Layout::Unified);
        assert_eq!(found.kernels[0].path, format!("/{image}"));
        let line = facts
            .boot
            .entries
            .value()
            .expect("known")
            .iter()
            .find(|entry| entry.path == found.kernels[0].path);
        assert_eq!(line.map(|entry| entry.cmdline.as_str()), Some("root=UUID=1 quiet"));
    }
}

#[test]
fn what_cannot_be_traced_says_what_would_settle_it() {
    let reasons: Vec<String> = [
        &[(SELECTED, "")][..],
        &[(SELECTED, "arch.conf")],
        &[("usr/bin/kernel-install", "")],
        &[(ENTRY, "")],
        &[("efi/loader/entries/7b1f8f0e5d1b4a579c430a4b6c1d2e3f-6.12.43+deb13-amd64.conf", "linux /a\n")],
        &[("etc/kernel/tries", "3\n")],
        &[("etc/kernel/install.conf", "layout=grub\n")],
        &[("etc/kernel/install.conf", "layout=uki\n")],
        &[("boot/vmlinuz-6.12.43+deb13-amd64", "")],
    ]
    .iter()
    .map(|more| why(&systemd_boot(more)).to_owned())
    .collect();
    insta::assert_snapshot!(reasons.join("\n\n"));
}

#[test]
fn what_kernelstub_makes_is_traced_and_other_makers_are_named() {
    let entry = |suffix: &str| {
        format!(
            "title Pop!_OS\nlinux /EFI/Pop_OS-1/vmlinuz{suffix}.efi\ninitrd /EFI/Pop_OS-1/initrd.img{suffix}\noptions root=UUID=1\n"
        )
    };
    let (current, old) = (entry(""), entry("-previous"));
    let settings = |mode: &str| {
        format!(
            "{{\"user\":{{\"kernel_options\":[\"quiet\"],\"setup_loader\":true,\"manage_mode\":{mode}}}}}"
        )
    };
    let (both, stub) = (settings("true"), settings("false"));
    let of = |selected: &'static str, settings: &str, current: &str| {
        systemd_boot(&[
            (SELECTED, selected),
            ("etc/kernelstub/configuration", settings),
            ("usr/bin/kernelstub", "x"),
            ("boot/efi/loader/entries/Pop_OS-current.conf", current),
            ("boot/efi/loader/entries/Pop_OS-oldkern.conf", &old),
            ("boot/efi/loader/entries/0-Pop_OS-current-passthru-off.conf", "title x\n"),
            (ENTRY, ""),
        ])
    };
    for selected in ["Pop_OS-current.conf", "Pop_OS-oldkern.conf", "0-Pop_OS-current-passthru-off.conf"] {
        let facts = of(selected, &both, &current);
        let Some(Bootloader::Kernelstub(found)) = facts.bootloader.value() else {
            panic!("{:?}", facts.bootloader)
        };
        assert_eq!(found.current, "/boot/efi/loader/entries/Pop_OS-current.conf");
        assert_eq!(found.made.len(), 2);
        assert_eq!(
            found.images,
            ["/boot/efi/EFI/Pop_OS-1/initrd.img", "/boot/efi/EFI/Pop_OS-1/initrd.img-previous"]
        );
    }
    let said = |facts: HostFacts| why(&facts).to_owned();
    let reasons = [
        said(of("Pop_OS-current.conf", &stub, &current)),
        said(of("Pop_OS-current.conf", "{", &current)),
        said(of("Pop_OS-oldkern.conf", &both, "")),
        said(systemd_boot(&[("etc/kernel/proxmox-boot-uuids", "AB12-34CD\n")])),
        said(systemd_boot(&[("usr/bin/sdbootutil", "x")])),
    ];
    insta::assert_snapshot!(reasons.join("\n\n"));
}

/// A host that has these files with these texts, and nothing else.
pub(crate) fn texts(files: &[(&str, &str)]) -> HostFacts {
    gather(&host_of(files.iter().copied()))
}

#[test]
fn entries_that_a_person_wrote_are_those_of_this_system_and_not_of_another() {
    let entry = |root: &str| {
        format!("title x\nlinux /vmlinuz-linux\ninitrd /initramfs-linux.img\noptions root={root} quiet\n")
    };
    let (ours, theirs) = (entry("UUID=1"), entry("UUID=2"));
    for (selected, program) in [("arch.conf", "x"), ("ARCH.CONF", ""), ("0-arch-passthru-off.conf", "x")] {
        let facts = systemd_boot(&[
            (SELECTED, selected),
            ("usr/bin/kernel-install", program),
            ("proc/cmdline", "initrd=\\initramfs-linux.img root=UUID=1 quiet\n"),
            ("boot/efi/loader/entries/arch.conf", &ours),
            ("boot/efi/loader/entries/other.conf", &theirs),
            ("boot/efi/loader/entries/windows.conf", "title w\nefi /EFI/Microsoft/x.efi\n"),
            ("boot/efi/loader/entries/0-arch-passthru-off.conf", &ours),
            (ENTRY, ""),
        ]);
        let Some(Bootloader::Written(found)) = facts.bootloader.value() else {
            panic!("{:?}", facts.bootloader)
        };
        assert_eq!(found.files, ["/boot/efi/loader/entries/arch.conf"]);
        assert_eq!((found.root.as_str(), found.root_parameter.as_deref()), ("/boot/efi", Some("UUID=1")));
    }
}

const REFIND: &str =
    "\"standard\" \"root=UUID=1 ro quiet intel_iommu=on\"\n\"single\" \"root=UUID=1 single\"\n";
const LIMINE: &str = "/Arch\n  protocol: linux\n  path: boot():/vmlinuz\n  cmdline: root=UUID=1 ro quiet\n";
const EXTLINUX: &str = "LABEL a\n LINUX /vmlinuz\n APPEND root=UUID=1 ro quiet\n";

#[test]
fn a_loader_that_does_not_say_its_entry_is_traced_by_the_words_of_the_running_command_line() {
    let running = ("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=UUID=1 ro quiet intel_iommu=off\n");
    for (path, text) in [
        ("boot/refind_linux.conf", REFIND),
        ("boot/limine.conf", LIMINE),
        ("efi/limine.conf", LIMINE),
        ("boot/extlinux/extlinux.conf", EXTLINUX),
    ] {
        let facts = texts(&[running, (path, text)]);
        let Some(Bootloader::Written(found)) = facts.bootloader.value() else {
            panic!("{:?}", facts.bootloader)
        };
        assert_eq!(found.files, [format!("/{path}")]);
    }
}

#[test]
fn entries_that_cannot_be_traced_say_what_would_settle_it() {
    let running = ("proc/cmdline", "root=UUID=1 ro quiet\n");
    let reasons: Vec<String> = [
        &[
            ("proc/cmdline", "root=UUID=1 ro\n"),
            ("boot/refind_linux.conf", "\"a\" \"root=UUID=1 ro quiet\"\n"),
        ][..],
        &[running, ("boot/limine.conf", LIMINE), ("efi/limine.conf", LIMINE)],
        &[running, ("boot/limine.conf", LIMINE), ("etc/default/limine", "")],
        &[running, ("boot/extlinux/extlinux.conf", EXTLINUX), ("etc/default/extlinux", "")],
        &[running, ("boot/extlinux/extlinux.conf", EXTLINUX), ("boot/refind_linux.conf", REFIND)],
        &[("boot/limine.conf", LIMINE)],
    ]
    .iter()
    .map(|files| why(&texts(files)).to_owned())
    .collect();
    insta::assert_snapshot!(reasons.join("\n\n"));
}

#[test]
fn the_menu_of_u_boot_update_is_known_where_the_program_is_there_and_reads_drop_ins() {
    let running = ("proc/cmdline", "root=UUID=1 ro quiet\n");
    let menu = ("boot/extlinux/extlinux.conf", EXTLINUX);
    let program = |text| ("usr/sbin/u-boot-update", text);
    let new = "for file in /usr/share/u-boot-menu/conf.d/*.conf /etc/u-boot-menu/conf.d/*.conf\n";
    let found = texts(&[running, menu, program(new)]);
    assert_eq!(found.bootloader.value(), Some(&Bootloader::UBootMenu));
    // What is left of a package that was removed makes nothing.
    let left = texts(&[running, menu, ("etc/default/u-boot", "")]);
    assert!(matches!(left.bootloader.value(), Some(Bootloader::Written(_))), "{:?}", left.bootloader);
    let reasons = [
        texts(&[running, menu, program(". /etc/default/u-boot\n")]),
        texts(&[("proc/cmdline", "root=UUID=1 ro\n"), menu, program(new)]),
    ]
    .map(|facts| why(&facts).to_owned());
    insta::assert_snapshot!(reasons.join("\n\n"));
}

#[test]
fn what_limine_mkinitcpio_makes_is_known_by_its_place() {
    let entry = |place: &str| {
        format!(
            "/+CachyOS\n  //linux\n  protocol: linux\n  module_path: boot():{place}/initramfs-linux#ab\n  path: \
             boot():{place}/vmlinuz-linux#cd\n  cmdline: root=UUID=1 ro quiet\n  //old\n  protocol: linux\n  path: \
             boot():/m1/limine_history/vmlinuz_1#1\n  cmdline: root=UUID=1 ro\n"
        )
    };
    let (made, by_hand, defaults) = (entry("/m1/linux"), entry(""), ("etc/default/limine", ""));
    let functions = "usr/lib/limine/limine-common-functions";
    let common = [
        ("proc/cmdline", "root=UUID=1 ro quiet\n"),
        ("etc/machine-id", "m1\n"),
        (functions, "run_hooks /etc/boot/hooks/post.d\n"),
    ];
    let program = ("usr/bin/limine-mkinitcpio", "x");
    let images = [("boot/m1/linux/vmlinuz-linux", "x"), ("boot/m1/linux/initramfs-linux", "x")];
    let kernel = [
        ("usr/lib/modules/6.16.8-2-cachyos/modules.builtin", "kernel/drivers/vfio/vfio.ko\n"),
        ("usr/lib/modules/6.16.8-2-cachyos/pkgbase", "linux\n"),
        ("boot/initramfs-linux.img", "x"),
    ];
    let of = |more: &[(&str, &str)]| texts(&[&common[..], more].concat());
    let found = of(&[&[("boot/limine.conf", &*made), program][..], &images, &kernel].concat());
    let Some(Bootloader::LimineEntries(limine)) = found.bootloader.value() else {
        panic!("{:?}", found.bootloader)
    };
    assert_eq!((limine.menu.as_str(), limine.machine_id.as_str()), ("/boot/limine.conf", "m1"));
    assert_eq!(limine.parts, ["/boot/m1/linux/vmlinuz-linux", "/boot/m1/linux/initramfs-linux"]);
    assert_eq!(limine.images, ["/boot/m1/linux/initramfs-linux"]);
    let kernels = found.kernel.installed.value().expect("known");
    assert_eq!(kernels[0].initramfs.as_deref(), Some("/boot/m1/linux/initramfs-linux"), "not the one of old");
    let said = |facts: HostFacts| why(&facts).to_owned();
    let reasons = [
        said(of(&[("boot/limine.conf", &made), program])),
        said(of(&[("boot/limine.conf", &by_hand), program])),
        said(texts(&[common[0], common[1], (functions, "x"), ("boot/limine.conf", &made), program])),
        said(of(&[("boot/limine.conf", &made), ("usr/bin/limine-dracut", "x"), defaults])),
        said(of(&[("boot/limine.conf", &made), defaults])),
        said(texts(&[
            common[0],
            common[2],
            ("etc/machine-id", "$(reboot)\n"),
            ("boot/limine.conf", &made),
            program,
        ])),
    ];
    insta::assert_snapshot!(reasons.join("\n\n"));
}

pub(crate) fn why(facts: &HostFacts) -> &str {
    facts.bootloader.because().expect("unknown")
}

#[test]
fn grub_as_debian_has_it_is_known() {
    for loader in [None, Some("GRUB 2.12-9")] {
        assert_eq!(facts(GRUB, loader).bootloader.value(), Some(&Bootloader::Grub(Grub::of_debian())));
    }
}

#[test]
fn grub_that_says_it_started_the_system_is_believed_over_signs_of_another() {
    let both = [GRUB, &["boot/loader/entries/a.conf"]].concat();
    assert_eq!(
        facts(&both, Some("GRUB 2.12")).bootloader.value(),
        Some(&Bootloader::Grub(Grub::of_debian()))
    );
}

#[test]
fn two_that_could_both_be_live_are_named() {
    let both = [GRUB, &["boot/loader/entries/a.conf"]].concat();
    assert_eq!(
        why(&facts(&both, None)),
        "two bootloaders could both be live: /boot/grub/grub.cfg (GRUB), /boot/loader/entries (Boot Loader \
         Specification entries (systemd-boot, or GRUB as on Fedora)). Which one started the system it would say itself \
         under UEFI (/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f; GRUB from 2.12 on); \
         remove what is left of the other"
    );
    assert_eq!(
        why(&facts(GRUB, Some("rEFInd 0.14"))),
        "GRUB is set up, and this system was started by ‘rEFInd 0.14’ \
         (/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f)"
    );
}

#[test]
fn nixos_is_known_by_its_sign_whatever_starts_it_and_its_kernel_stands_in_the_current_system() {
    let modules = "run/current-system/kernel-modules/lib/modules/6.12.1";
    let files = [
        "etc/NIXOS",
        "boot/grub/grub.cfg",
        &format!("{modules}/modules.builtin"),
        "run/current-system/kernel",
        "run/current-system/initrd",
    ];
    let facts = facts(&files, Some("systemd-boot 257"));
    assert_eq!(facts.bootloader.value(), Some(&Bootloader::NixOs));
    assert_eq!(facts.initramfs.value(), Some(&InitramfsGenerator::NixOs));
    let kernels = facts.kernel.installed.value().expect("known");
    assert_eq!(kernels[0].release, "6.12.1");
    assert_eq!(kernels[0].image.as_deref(), Some("/run/current-system/kernel"));
    assert_eq!(kernels[0].initramfs.as_deref(), Some("/run/current-system/initrd"));
}

#[test]
fn another_loader_is_named_with_what_was_seen() {
    assert_eq!(
        why(&facts(&[], Some("Clover r5160"))),
        "this system was started by ‘Clover r5160’, which passthru does not know yet"
    );
    assert!(why(&facts(&["etc/default/grub"], None)).ends_with("no sign of another boot loader"));
}

#[test]
fn the_generator_is_known_where_there_is_but_one() {
    let tools = ["usr/sbin/update-initramfs", "etc/initramfs-tools/modules"];
    assert_eq!(facts(&tools, None).initramfs.value(), Some(&InitramfsGenerator::InitramfsTools));
    let dracut = ["usr/bin/dracut", "usr/sbin/dracut"];
    assert_eq!(facts(&dracut, None).initramfs.value(), Some(&InitramfsGenerator::Dracut));
    let both = [tools.as_slice(), &["usr/bin/dracut"]].concat();
    assert_eq!(
        facts(&both, None).initramfs.because(),
        Some(
            "two generators of the initramfs are installed, and either could be in use: \
             /usr/sbin/update-initramfs (initramfs-tools), /usr/bin/dracut (dracut)"
        )
    );
    assert_eq!(
        facts(&["usr/bin/booster"], None).initramfs.because(),
        Some("passthru does not know yet how to use what was found: /usr/bin/booster (booster)")
    );
}

/// A host with mkinitcpio and these presets.
fn with_presets(script: &str, presets: &[(&str, &str)]) -> HostFacts {
    let files = presets.iter().map(|(name, text)| (format!("etc/mkinitcpio.d/{name}"), *text));
    gather(&host_of(files.chain([("usr/bin/mkinitcpio".to_owned(), script)])))
}

const PRESET: &str = "ALL_kver=/boot/vmlinuz-linux\nPRESETS=(default fallback)\ndefault_image=/boot/initramfs-linux.img\n\
                      fallback_image=/boot/initramfs-linux-fallback.img\nfallback_options='-S autodetect'\n";

#[test]
fn the_presets_of_mkinitcpio_say_which_images_it_makes() {
    let new = "_f_config=/etc/mkinitcpio.conf\n_d_config=${_f_config}.d\n";
    let found = with_presets(new, &[("linux.preset", PRESET), ("linux.preset.pacsave", "x")]);
    let Some(InitramfsGenerator::Mkinitcpio(found)) = found.initramfs.value() else {
        panic!("{:?}", found.initramfs)
    };
    assert!(found.drop_ins);
    let [preset] = found.presets.as_slice() else { panic!("{found:?}") };
    assert_eq!(preset.name, "linux");
    assert_eq!(preset.images, ["/boot/initramfs-linux.img", "/boot/initramfs-linux-fallback.img"]);
    // With a main file that is named, and before version 36, drop-ins are not read.
    let named = format!("ALL_config=/etc/mkinitcpio.conf\n{PRESET}");
    for (script, preset) in [(new, named.as_str()), ("_f_config=/etc/mkinitcpio.conf\n", PRESET)] {
        let facts = with_presets(script, &[("linux.preset", preset)]);
        assert!(
            matches!(facts.initramfs.value(), Some(InitramfsGenerator::Mkinitcpio(one)) if !one.drop_ins)
        );
    }
}

#[test]
fn presets_whose_images_would_lack_what_is_set_up_are_named() {
    let because = |more: &str| {
        let facts = with_presets("", &[("linux.preset", &format!("{PRESET}{more}"))]);
        facts.initramfs.because().map(str::to_owned)
    };
    let said = |text: &str| Some(format!("/etc/mkinitcpio.d/linux.preset{text}"));
    assert_eq!(
        because("default_uki=/efi/EFI/Linux/arch.efi\n"),
        said(
            " has mkinitcpio make a unified kernel image (default: /efi/EFI/Linux/arch.efi), which passthru does not know yet how to change"
        )
    );
    assert_eq!(
        because("fallback_config=/etc/other.conf\n"),
        said(
            " has mkinitcpio make an image (fallback) from /etc/other.conf, which passthru does not edit: let it use /etc/mkinitcpio.conf"
        )
    );
    assert_eq!(
        because("default_options='-c /etc/other.conf'\n"),
        said(
            " has mkinitcpio make an image (default) with the option -c, so what passthru sets up would not be in it"
        )
    );
    let shell = because("default_image=/boot/$(uname -r).img\n").expect("a reason");
    assert!(shell.starts_with("/etc/mkinitcpio.d/linux.preset, line 6"), "{shell}");
}

/// A unified kernel image with these sections.
fn image(sections: &[(&str, &str)]) -> Vec<u8> {
    let sections: Vec<_> = sections.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
    unified_image::write(&sections).expect("has sections")
}

/// A host that was booted by an image with an addon of its own, and one for all.
fn host_of_images() -> Host {
    let system = "PRETTY_NAME=\"Arch Linux\"\n";
    let line = "root=UUID=1b4e28ba-2fa1-11d2-883f-0016d3cca427 rw resume=/dev/mapper/anna--vault-swap intel_iommu=on\n\0";
    host_of([
        ("etc/hostname", b"anna-vault\n".to_vec()),
        (
            "efi/EFI/Linux/arch.efi",
            image(&[(".osrel", system), (".uname", "6.12.1-arch1-1"), (".cmdline", line)]),
        ),
        ("efi/EFI/Linux/arch.efi.extra.d/b.addon.efi", image(&[(".cmdline", "vfio-pci.ids=10de:13c2")])),
        ("efi/EFI/Linux/broken.efi", b"MZ".to_vec()),
        ("efi/loader/addons/a.addon.efi", image(&[(".cmdline", "quiet")])),
    ])
}

#[test]
fn unified_images_and_their_addons_give_command_lines() {
    let facts = gather(&host_of_images());
    let entries = facts.boot.entries.value().expect("known");
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(
        (entry.title.as_deref(), entry.kernel.as_deref()),
        (Some("Arch Linux"), Some("6.12.1-arch1-1"))
    );
    assert!(entry.cmdline.ends_with(" intel_iommu=on quiet vfio-pci.ids=10de:13c2"), "{}", entry.cmdline);
    assert_eq!(entry.place(), "/efi/EFI/Linux/arch.efi, .cmdline");
    assert_eq!(facts.boot.gaps, ["/efi/EFI/Linux/broken.efi is no unified kernel image that can be read"]);
}

#[test]
fn a_capture_keeps_the_command_line_of_an_image_and_no_name() {
    let host = host_of_images().recording();
    let before = gather(&host);
    let mut bytes = Vec::new();
    passthru_host::capture::archive(&host, true, &mut bytes).expect("writes");
    let after = gather(&Host::from_archive(bytes.as_slice()).expect("reads"));
    let line = |facts: &HostFacts| facts.boot.entries.value().expect("known")[0].cmdline.clone();
    assert_eq!(
        line(&after),
        line(&before)
            .replace("1b4e28ba-2fa1-11d2-883f-0016d3cca427", "00000000-0000-4000-8000-000000000001")
            .replace("anna--vault", "host")
    );
}
