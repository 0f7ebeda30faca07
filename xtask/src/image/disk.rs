//! A bootable disk from a directory, without mounts, loop devices or a chroot: each tool writes its part of one file.

use std::fs::{self, File};
use std::path::Path;

use anyhow::Result;

use super::variant::Variant;
use super::{recipe, root::inside};
use crate::exec::Run;

const MIB: u64 = 1 << 20;
const ESP_START: u64 = MIB;
const DISK_SIZE: u64 = 4 << 30;
/// The second copy of the partition table lies at the end.
const TAIL: u64 = MIB;

/// Writes `disk` from the tree in `root`.
pub(super) fn make(
    variant: Variant,
    root: &Path,
    release: &str,
    disk: &Path,
    scratch: &Path,
    log: &Path,
) -> Result<()> {
    let root_start = ESP_START + variant.esp_mib() * MIB;
    File::create(disk)?.set_len(DISK_SIZE)?;
    let sector = |at: u64| at / 512;
    Run::new("sgdisk")
        .arg("--clear")
        .arg(format!("--new=1:{}:{}", sector(ESP_START), sector(root_start) - 1))
        .args(["--typecode=1:ef00", "--change-name=1:EFI"])
        .arg(format!("--new=2:{}:{}", sector(root_start), sector(DISK_SIZE - TAIL) - 1))
        .args(["--typecode=2:8304", "--change-name=2:root"])
        .arg(disk)
        .log(log)
        .go()?;
    let esp = scratch.join("esp.img");
    make_esp(variant, root, release, &esp, log)?;
    Run::new("dd")
        .arg(format!("if={}", esp.display()))
        .arg(format!("of={}", disk.display()))
        .args(["bs=1M", "conv=notrunc,sparse"])
        .arg(format!("seek={}", ESP_START / MIB))
        .log(log)
        .go()?;
    fs::remove_file(&esp)?;
    Run::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-L", "root", "-U", recipe::ROOT_UUID, "-d"])
        .arg(root)
        .arg("-E")
        .arg(format!("offset={root_start},lazy_itable_init=0,lazy_journal_init=0"))
        .arg(disk)
        .arg(format!("{}k", (DISK_SIZE - TAIL - root_start) / 1024))
        .log(log)
        .go()
}

fn make_esp(variant: Variant, root: &Path, release: &str, esp: &Path, log: &Path) -> Result<()> {
    File::create(esp)?.set_len(variant.esp_mib() * MIB)?;
    // mformat would write a boot sector that grub-probe does not recognise.
    Run::new("mkfs.vfat").args(["-F", "32", "-n", "EFI", "-i", recipe::ESP_ID]).arg(esp).log(log).go()?;
    let mtools = |program: &str| Run::new(program).arg("-i").arg(esp).log(log);
    let copy = |from: &Path, to: &str| mtools("mcopy").arg(from).arg(to).go();
    let config = esp.with_extension("cfg");
    if variant.is_systemd_boot() {
        let directories =
            ["::/EFI", "::/EFI/BOOT", "::/EFI/systemd", "::/first", "::/loader", "::/loader/entries"];
        mtools("mmd").args(directories).go()?;
        let loader = inside(root, "/usr/lib/systemd/boot/efi/systemd-bootx64.efi");
        copy(&loader, "::/EFI/BOOT/BOOTX64.EFI")?;
        copy(&loader, "::/EFI/systemd/systemd-bootx64.efi")?;
        copy(&inside(root, &format!("/boot/vmlinuz-{release}")), "::/first/linux")?;
        copy(&inside(root, &format!("/boot/initrd.img-{release}")), "::/first/initrd")?;
        fs::write(&config, Variant::first_entry())?;
        copy(&config, "::/loader/entries/first.conf")?;
        fs::write(&config, "timeout 1\n")?;
        copy(&config, "::/loader/loader.conf")?;
        fs::remove_file(&config)?;
        return Ok(());
    }
    fs::write(&config, recipe::ESP_GRUB_CFG)?;
    mtools("mmd").args(["::/EFI", "::/EFI/BOOT", "::/EFI/debian"]).go()?;
    copy(&inside(root, "/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi"), "::/EFI/BOOT/BOOTX64.EFI")?;
    copy(&config, "::/EFI/debian/grub.cfg")?;
    fs::remove_file(&config)?;
    Ok(())
}
