//! A bootable disk from a directory, without mounts, loop devices or a chroot: each tool writes its part of one file.

use std::fs::{self, File};
use std::path::Path;

use anyhow::Result;

use super::{recipe, root::inside};
use crate::exec::Run;

const MIB: u64 = 1 << 20;
const ESP_START: u64 = MIB;
const ESP_SIZE: u64 = 64 * MIB;
const ROOT_START: u64 = ESP_START + ESP_SIZE;
const DISK_SIZE: u64 = 4 << 30;
/// The second copy of the partition table lies at the end.
const TAIL: u64 = MIB;

/// Writes `disk` from the tree in `root`.
pub(super) fn make(root: &Path, disk: &Path, scratch: &Path, log: &Path) -> Result<()> {
    File::create(disk)?.set_len(DISK_SIZE)?;
    let sector = |at: u64| at / 512;
    Run::new("sgdisk")
        .arg("--clear")
        .arg(format!("--new=1:{}:{}", sector(ESP_START), sector(ROOT_START) - 1))
        .args(["--typecode=1:ef00", "--change-name=1:EFI"])
        .arg(format!("--new=2:{}:{}", sector(ROOT_START), sector(DISK_SIZE - TAIL) - 1))
        .args(["--typecode=2:8304", "--change-name=2:root"])
        .arg(disk)
        .log(log)
        .go()?;
    let esp = scratch.join("esp.img");
    make_esp(root, &esp, log)?;
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
        .arg(format!("offset={ROOT_START},lazy_itable_init=0,lazy_journal_init=0"))
        .arg(disk)
        .arg(format!("{}k", (DISK_SIZE - TAIL - ROOT_START) / 1024))
        .log(log)
        .go()
}

fn make_esp(root: &Path, esp: &Path, log: &Path) -> Result<()> {
    File::create(esp)?.set_len(ESP_SIZE)?;
    // mformat would write a boot sector that grub-probe does not recognise.
    Run::new("mkfs.vfat").args(["-F", "32", "-n", "EFI", "-i", recipe::ESP_ID]).arg(esp).log(log).go()?;
    let config = esp.with_extension("cfg");
    fs::write(&config, recipe::ESP_GRUB_CFG)?;
    let mtools = |program: &str| Run::new(program).arg("-i").arg(esp).log(log);
    mtools("mmd").args(["::/EFI", "::/EFI/BOOT", "::/EFI/debian"]).go()?;
    mtools("mcopy")
        .arg(inside(root, "/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi"))
        .arg("::/EFI/BOOT/BOOTX64.EFI")
        .go()?;
    mtools("mcopy").arg(&config).arg("::/EFI/debian/grub.cfg").go()?;
    fs::remove_file(&config)?;
    Ok(())
}
