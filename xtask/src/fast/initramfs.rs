//! What is in a fast machine: busybox, the program under test, some modules, and a loop that takes commands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::archive::Archive;
use crate::exec::Run;
use crate::image::Image;

/// Modules that are there to be loaded, with whatever they need.
const MODULES: &[&str] = &[
    "vfio-pci",
    "vfio_iommu_type1",
    "pci-stub",
    "bochs",
    "snd-hda-intel",
    "nvme",
    "e1000e",
    "kvm-amd",
    "xhci-pci",
    "virtio-blk",
    "ext4",
    "vfat",
    "nls_ascii",
    "nls_cp437",
    "crc32c_generic",
    "acpi-cpufreq",
    "cpufreq_powersave",
];

/// The first process: mounts what programs expect and then answers questions on the second serial port.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox mkdir -p /bin /sbin /usr/bin /usr/sbin /proc /sys /dev /run /tmp /root /var/lib
/bin/busybox --install -s
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb COLUMNS=110
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
port=/dev/ttyS1
stty -F $port raw -echo 115200
exec 3<>$port
echo "=== end ===" >&3
while read -r sum rest <&3; do
    # A serial port may lose bytes on a busy machine: what does not add up is asked for again and never run.
    if [ "$(echo "$rest" | sha256sum)" != "$sum  -" ]; then
        { echo again; echo "=== end ==="; } >&3
        continue
    fi
    limit=${rest%% *}
    rest=${rest#* }
    input=${rest%% *}
    words=${rest#* }
    set --
    for word in $words; do
        # A trailing mark keeps newlines at the end of a word.
        text=$(echo "$word" | base64 -d; echo x)
        set -- "$@" "${text%x}"
    done
    : > /run/in
    [ "$input" = - ] || echo "$input" | base64 -d > /run/in
    timeout "$limit" "$@" < /run/in > /run/out 2> /run/err
    code=$?
    # busybox says 143 where coreutils say 124
    [ $code = 143 ] && code=124
    {
        echo $code
        echo "=== part ==="; base64 < /run/out
        echo "=== part ==="; base64 < /run/err
        echo "=== end ==="
    } >&3
done
"#;

/// The archive for the kernel of `image` and the program `binary`.
///
/// The kernel takes a table of ACPI from here in the place of the firmware's (`Documentation/admin-guide/acpi/initrd_table_override.rst`).
pub(super) fn make(image: &Image, binary: &Path, acpi_table: Option<&str>) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.file("init", 0o755, INIT.as_bytes())?;
    archive.file("bin/busybox", 0o755, &fs::read(image.busybox())?)?;
    archive.file("usr/local/bin/passthru", 0o755, &fs::read(binary)?)?;
    archive.file("etc/os-release", 0o644, b"ID=lab\nPRETTY_NAME=\"fast machine\"\n")?;
    if let Some(table) = acpi_table {
        archive.file("kernel/firmware/acpi/table.aml", 0o644, &bytes_of(table)?)?;
    }
    for directory in ["proc", "sys", "dev", "run", "tmp", "root", "sbin", "usr/bin", "usr/sbin"] {
        archive.directory(directory)?;
    }
    archive.link("lib", "usr/lib")?;
    modules(&mut archive, image)?;
    archive.finish()
}

fn modules(archive: &mut Archive, image: &Image) -> Result<()> {
    let from = image.modules();
    let release = image.release()?;
    let base = format!("usr/lib/modules/{release}");
    let index = fs::read_to_string(from.join("modules.dep"))?;
    let mut needs = BTreeMap::new();
    for line in index.lines() {
        if let Some((file, others)) = line.split_once(':') {
            needs.insert(file, others);
        }
    }
    let mut files = BTreeSet::new();
    for module in MODULES {
        let wanted = module.replace('-', "_");
        let (file, others) = needs
            .iter()
            .find(|(file, _)| name_of(file).replace('-', "_") == wanted)
            .with_context(|| format!("the kernel has no module {module}"))?;
        files.insert(*file);
        files.extend(others.split_whitespace());
    }
    // Aliases of modules that are here, as depmod would write them: the whole list is a large part of every capture.
    let names: BTreeSet<String> = files.iter().map(|file| name_of(file).replace('-', "_")).collect();
    let mut aliases = String::new();
    for line in fs::read_to_string(from.join("modules.alias"))?.lines() {
        if line.rsplit(' ').next().is_some_and(|module| names.contains(module)) {
            writeln!(aliases, "{line}")?;
        }
    }
    archive.file(&format!("{base}/modules.alias"), 0o644, aliases.as_bytes())?;
    let mut kept = String::new();
    for file in files {
        // busybox is not always built with a decompressor for modules: hand them over plain.
        let plain = file.trim_end_matches(".xz");
        let bytes = if plain == file { fs::read(from.join(file))? } else { unpack(&from.join(file))? };
        archive.file(&format!("{base}/{plain}"), 0o644, &bytes)?;
        writeln!(kept, "{plain}:{}", needs.get(file).unwrap_or(&"").replace(".xz", ""))?;
    }
    archive.file(&format!("{base}/modules.dep"), 0o644, kept.as_bytes())?;
    for name in ["modules.builtin", "modules.builtin.modinfo"] {
        archive.file(&format!("{base}/{name}"), 0o644, &fs::read(from.join(name))?)?;
    }
    Ok(())
}

/// The bytes that hexadecimal digits say; blanks between them do not matter.
fn bytes_of(digits: &str) -> Result<Vec<u8>> {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()
        .context("acpi_table holds something else than hexadecimal digits")?;
    let (pairs, rest) = digits.as_chunks::<2>();
    ensure!(rest.is_empty(), "acpi_table holds an odd number of hexadecimal digits");
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// `kernel/drivers/vfio/pci/vfio-pci.ko.xz` → `vfio-pci`.
fn name_of(file: &str) -> &str {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.split('.').next().unwrap_or(base)
}

fn unpack(file: &Path) -> Result<Vec<u8>> {
    let scratch = tempfile::tempdir()?;
    let copy = scratch.path().join("module.xz");
    fs::copy(file, &copy)?;
    Run::new("xz").arg("-d").arg(&copy).go()?;
    Ok(fs::read(copy.with_extension(""))?)
}
