//! Binding at boot: each check on files that are right, and on files that are wrong in the ways people write them.

use passthru_formats::cpio::{self, Entry, Kind};
use passthru_formats::unified_image;
use passthru_model::Verdict;

use crate::Made;

const VFIO: &str = "/etc/modprobe.d/vfio.conf";
const RIGHT: &str = "options vfio-pci ids=10de:13c2,10de:0fbb\nsoftdep nouveau pre: vfio-pci\nsoftdep snd_hda_intel pre: vfio-pci\n";

fn right() -> Made {
    Made::new().file(VFIO, RIGHT).file("/etc/initramfs-tools/modules", "vfio_pci\n")
}

#[test]
fn the_page_s_card_is_bound_as_the_page_says_and_every_check_agrees() {
    let made = right().on_vfio();
    let image =
        image(&[("etc/modprobe.d/vfio.conf", RIGHT), ("usr/lib/modules/6/kernel/vfio-pci.ko.xz", "")]);
    let made = made.file("/boot/initrd.img-6.12.43+deb13-amd64", image);
    for id in [
        "vfio-ids",
        "vfio-options",
        "driver-order",
        "driver-blacklist",
        "vfio-virqfd",
        "initramfs-settings",
        "initramfs-contents",
        "pci-stub",
    ] {
        let one = made.check(id);
        assert_eq!(one.verdict, Verdict::Pass, "{id}: {}", one.summary);
    }
}

fn image(files: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(name, text): &(&str, &str)| Entry {
        name: (*name).to_owned(),
        permissions: 0o644,
        kind: Kind::File(text.as_bytes().to_vec()),
    };
    cpio::write(&files.iter().map(entry).collect::<Vec<_>>()).expect("written")
}

#[test]
fn ids_that_take_more_or_less_than_was_meant_are_named() {
    let with = |ids: &str| Made::new().file(VFIO, format!("options vfio-pci ids={ids}\n")).say("vfio-ids");
    insta::assert_snapshot!(
        [
            with("10de:13c2,10de:0fbb"),
            with("10de:13c2,01:00.1"),
            with("10de:13c2,8086:1901"),
            with("10de:1b81"),
            with("8086:3e92"),
            with("144d:a808"),
            Made::new().say("vfio-ids"),
        ]
        .concat()
    );
}

#[test]
fn settings_that_nobody_reads_are_named() {
    let with = |made: Made| made.say("vfio-options");
    let line = "options vfio-pci ids=10de:13c2\n";
    insta::assert_snapshot!(
        [
            with(Made::new().file(VFIO, format!("#{line}"))),
            with(Made::new().file(VFIO, format!("{line}options vfio-pci ids=10de:0fbb\n"))),
            with(Made::new().file("/etc/modprobe.d/vfio", line)),
            with(Made::new().file(VFIO, "vfio-pci ids=10de:13c2\n")),
            with(Made::new().file(VFIO, line).file("/usr/lib/modprobe.d/vfio.conf", line)),
            with(Made::new().file(VFIO, line).file("/proc/cmdline", "vfio-pci.ids=10de:0fbb\n")),
            with(Made::new().file(VFIO, line).file(
                "/usr/lib/modules/6.12.43+deb13-amd64/modules.builtin",
                "kernel/drivers/vfio/pci/vfio-pci.ko\n",
            )),
        ]
        .concat()
    );
}

#[test]
fn drivers_that_are_faster_are_named() {
    let ids = "options vfio-pci ids=10de:13c2,10de:0fbb\n";
    insta::assert_snapshot!(
        [
            Made::new().file(VFIO, ids).say("driver-order"),
            Made::new().file(VFIO, format!("{ids}softdep drm pre: vfio-pci\n")).say("driver-order"),
            Made::new().file(VFIO, ids).on_vfio().say("driver-order"),
        ]
        .concat()
    );
}

#[test]
fn a_blacklist_for_the_host_s_own_card_is_named_and_one_for_the_guest_s_is_not() {
    let with = |text: &str| {
        Made::new().file(VFIO, RIGHT).file("/etc/modprobe.d/b.conf", text).say("driver-blacklist")
    };
    insta::assert_snapshot!(
        [
            with("blacklist nouveau\n"),
            with("blacklist i915\n"),
            with("install i915 /bin/false\n"),
            with("blacklist vfio-pci\n")
        ]
        .concat()
    );
}

#[test]
fn what_the_initramfs_is_told_is_judged_for_each_generator() {
    let mkinitcpio = |text: &str| {
        right()
            .without("/etc/initramfs-tools/modules")
            .without("/usr/sbin/update-initramfs")
            .file("/usr/bin/mkinitcpio", "#!")
            .file("/etc/mkinitcpio.conf", text)
    };
    insta::assert_snapshot!(
        [
            mkinitcpio("MODULES=(vfio_pci vfio vfio_iommu_type1)\nHOOKS=(base udev modconf block)\n")
                .say("initramfs-settings"),
            mkinitcpio("MODULES=(amdgpu vfio_pci vfio vfio_iommu_type1)\nHOOKS=(base systemd block)\n")
                .say("initramfs-settings"),
            mkinitcpio(
                "MODULES=\"vfio vfio_iommu_type1 vfio_pci vfio_virqfd i915\"\nHOOKS=\"base modconf\"\n"
            )
            .say("vfio-virqfd"),
            mkinitcpio("MODULES=($(cat /etc/x))\nHOOKS=(modconf)\n").say("initramfs-settings"),
            Made::new().file(VFIO, "options vfio-pci ids=10de:13c2\n").say("initramfs-settings"),
            Made::new()
                .file(VFIO, "install vfio-pci /usr/bin/vfio-pci-override.sh\n")
                .file("/usr/bin/vfio-pci-override.sh", "#!/bin/sh\nmodprobe -i vfio-pci\n")
                .file("/usr/bin/dracut", "#!")
                .file("/etc/dracut.conf.d/v.conf", "force_drivers+=\" vfio_pci \"\n")
                .say("initramfs-settings"),
        ]
        .concat()
    );
}

#[test]
fn an_image_that_was_not_made_anew_is_named() {
    let with = |files: &[(&str, &str)]| {
        right().file("/boot/initrd.img-6.12.43+deb13-amd64", image(files)).say("initramfs-contents")
    };
    let module = ("usr/lib/modules/6/kernel/vfio-pci.ko", "");
    insta::assert_snapshot!(
        [
            with(&[module, ("etc/modprobe.d/vfio.conf", RIGHT)]),
            with(&[module, ("etc/modprobe.d/vfio.conf", "options vfio-pci ids=10de:1111\n")]),
            with(&[module]),
            with(&[("etc/modprobe.d/vfio.conf", RIGHT)]),
            right().say("initramfs-contents"),
        ]
        .concat()
    );
}

#[test]
fn the_page_s_script_for_identical_cards_is_read_and_its_mistakes_are_named() {
    let script = |text: &str| {
        Made::new()
            .file(VFIO, "install vfio-pci /usr/bin/vfio-pci-override.sh\n")
            .file("/usr/bin/vfio-pci-override.sh", text)
    };
    insta::assert_snapshot!(
        [
            script("#!/bin/sh\necho vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override\nmodprobe -i vfio-pci\n").say("driver-override"),
            script("#!/bin/sh\nfor i in /sys/devices/pci*/*/boot_vga; do :; done\n").say("driver-override"),
            script("#!/bin/sh\necho vfio-pci > /sys/bus/pci/devices/$GROUP/$DEV/driver_override\nmodprobe -i vfio-pci\n").say("driver-override"),
            Made::new().file(VFIO, "install vfio-pci /usr/bin/gone.sh\n").say("driver-override"),
            Made::new().file("/etc/driverctl.d/pci-0000:01:00.0", "vfio-pci\n").say("driver-override"),
            Made::new().file("/etc/driverctl.d/pci-0000:07:00.0", "vfio-pci\n").say("driver-override"),
            Made::new().say("driver-override"),
        ]
        .concat()
    );
}

#[test]
fn pci_stub_and_old_advice_in_entries_are_named() {
    let entry = |options: &str| {
        Made::new().file(
            "/boot/loader/entries/a.conf",
            format!("title Linux\nlinux /vmlinuz-linux\noptions root=/dev/sda1 {options}\n"),
        )
    };
    insta::assert_snapshot!(
        [
            Made::new().file("/proc/cmdline", "quiet pci-stub.ids=10de:13c2\n").say("pci-stub"),
            entry("quiet").say("boot-entry-advice"),
            entry("amd_iommu=on video=efifb:off rcb_nocbs=2-3 rd.driver.pre=vfio_virqfd")
                .say("boot-entry-advice"),
            entry("kvm-amd.npt=0 transparent_hugepage=never pci-stub.ids=10de:13c2").say("boot-entry-advice"),
        ]
        .concat()
    );
}

#[test]
fn parameters_that_wait_for_a_reboot_or_for_update_grub_are_named() {
    let entry = |options: &str| {
        Made::new().file(
            "/boot/loader/entries/a.conf",
            format!("title Linux\nlinux /vmlinuz-linux\noptions root=/dev/sda1 {options}\n"),
        )
    };
    let grub = "menuentry 'Debian' {\n\tlinux /vmlinuz-6.12.43+deb13-amd64 root=/dev/a ro quiet\n}\n\
        menuentry 'Debian, recovery' $menuentry_id_option 'gnulinux-6-recovery-1' {\n\tlinux /vmlinuz-6.12.43+deb13-amd64 root=/dev/a ro single\n}\n";
    insta::assert_snapshot!(
        [
            entry("intel_iommu=on quiet").say("pending-parameters"),
            entry("intel_iommu=on vfio-pci.ids=10de:13c2").say("pending-parameters"),
            entry("quiet").file("/etc/kernel/cmdline", "quiet intel_iommu=on\n").say("pending-parameters"),
            Made::new().file("/boot/grub/grub.cfg", grub).say("pending-parameters"),
            Made::new().say("pending-parameters"),
        ]
        .concat()
    );
}

#[test]
fn hooks_that_cannot_run_or_would_hang_are_named() {
    let hook = |text: &str| {
        Made::new()
            .file("/usr/sbin/libvirtd", "#!")
            .file("/etc/libvirt/hooks/qemu", text)
            .say("libvirt-hooks")
    };
    insta::assert_snapshot!(
        [
            hook("#!/bin/bash\n# virsh is not called\nsystemctl stop display-manager.service\n"),
            hook("#!/bin/bash\nvirsh nodedev-detach pci_0000_01_00_0\npkill -9 Xorg\n"),
            hook("echo no first line\n"),
            Made::new().say("libvirt-hooks"),
        ]
        .concat()
    );
}

#[test]
fn an_image_that_is_older_than_what_goes_into_it_is_named() {
    const IMAGE: &str = "/boot/initrd.img-6.12.43+deb13-amd64";
    const LIST: &str = "/etc/initramfs-tools/modules";
    let made = |contents: &str, list: u64, options: u64, image_at: u64| {
        right()
            .file(IMAGE, image(&[("etc/modprobe.d/vfio.conf", contents)]))
            .changed_at(LIST, list)
            .changed_at(VFIO, options)
            .changed_at(IMAGE, image_at)
            .say("initramfs-age")
    };
    insta::assert_snapshot!(
        [
            // Newer than both; older than the list; older than the options, which it has all the same, and has not.
            made(RIGHT, 1_000, 2_000, 3_000),
            made(RIGHT, 10_000, 2_000, 3_000),
            made(RIGHT, 1_000, 400_000, 3_000),
            made("", 1_000, 400_000, 3_000),
            Made::new().say("initramfs-age"),
        ]
        .concat()
    );
}

#[test]
fn a_unified_image_is_compared_with_the_running_kernel_like_any_entry() {
    let made = |line: &str| {
        let sections = [(".uname", "6.12.43+deb13-amd64"), (".cmdline", line)];
        let sections: Vec<_> =
            sections.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
        Made::new()
            .file("/efi/EFI/Linux/debian.efi", unified_image::write(&sections).expect("has sections"))
            .without("/boot/grub/grub.cfg")
    };
    let other = made("quiet amd_iommu=on vfio-pci.ids=10de:13c2\n\0");
    let pending = other.check("pending-parameters");
    assert_eq!(pending.verdict, Verdict::Warn, "{}", pending.summary);
    assert!(pending.summary.contains("amd_iommu=on vfio_pci.ids=10de:13c2"), "{}", pending.summary);
    let image = "/efi/EFI/Linux/debian.efi, .cmdline";
    assert!(pending.evidence.iter().any(|seen| seen.path == image), "{:?}", pending.evidence);
    let advice = other.check("boot-entry-advice");
    assert!(
        advice.evidence.iter().any(|seen| seen.path == image),
        "{}: {:?}",
        advice.summary,
        advice.evidence
    );
    let same = made("quiet intel_iommu=on\0").file("/proc/cmdline", "quiet intel_iommu=on\n");
    let pending = same.check("pending-parameters");
    assert_eq!(pending.verdict, Verdict::Pass, "{}", pending.summary);
}
