//! The files in which boot loaders other than GRUB keep kernel command lines. Each dialect's own module edits them.

use passthru_model::boot::{BootEntry, Dialect, Loader};

use crate::cmdline::CommandLine;
use crate::efi_load_option::LoadOption;
use crate::{efi_variable, limine, refind, syslinux};

/// What one file is read as.
fn entry(path: &str, line: usize, loader: Loader, cmdline: &str) -> BootEntry {
    BootEntry {
        path: path.to_owned(),
        line,
        loader,
        title: None,
        kernel: None,
        cmdline: cmdline.trim().to_owned(),
        source: false,
        rescue: false,
    }
}

/// What one entry of a menu is read as. Ours without passthrough lacks on purpose what it lacks.
fn menu_entry(path: &str, line: usize, loader: Loader, cmdline: &str) -> BootEntry {
    let rescue = CommandLine::new(cmdline).is_passthru_off();
    BootEntry { rescue, ..entry(path, line, loader, cmdline) }
}

/// The entries of a file in one of the languages of entries that people write.
pub fn written(dialect: Dialect, path: &str, bytes: &[u8]) -> Vec<BootEntry> {
    match dialect {
        Dialect::Bls | Dialect::GrubBls => bls(path, bytes).into_iter().collect(),
        Dialect::Refind => refind_linux(path, bytes),
        Dialect::Limine => limine(path, bytes),
        Dialect::Syslinux => syslinux(path, bytes),
    }
}

/// An entry of the Boot Loader Specification. `None`: it starts no Linux.
pub fn bls(path: &str, bytes: &[u8]) -> Option<BootEntry> {
    let text = String::from_utf8_lossy(bytes);
    let found = crate::bls::read(&text);
    found.kernel.is_some().then(|| BootEntry {
        title: found.title,
        kernel: found.kernel,
        ..menu_entry(path, found.options_line.unwrap_or(1), Loader::Bls, &found.options)
    })
}

/// `refind_linux.conf`: a label and options a line.
pub fn refind_linux(path: &str, bytes: &[u8]) -> Vec<BootEntry> {
    let lines = refind::read_linux(&String::from_utf8_lossy(bytes)).into_iter();
    lines
        .map(|line| {
            let found = menu_entry(path, line.line, Loader::Refind, &line.options);
            let single_user = line.title.to_ascii_lowercase().contains("single-user");
            BootEntry { rescue: found.rescue || single_user, title: Some(line.title), ..found }
        })
        .collect()
}

/// `limine.conf`, and the `limine.cfg` of old: the entries that have a command line.
pub fn limine(path: &str, bytes: &[u8]) -> Vec<BootEntry> {
    let entries = limine::entries(&String::from_utf8_lossy(bytes)).into_iter();
    entries
        .filter_map(|found| {
            let line = found.cmdline_line?;
            Some(BootEntry {
                title: Some(found.title),
                kernel: found.image,
                ..menu_entry(path, line, Loader::Limine, &found.cmdline?)
            })
        })
        .collect()
}

/// `syslinux.cfg` and `extlinux.conf`: the labels that have parameters of their own.
pub fn syslinux(path: &str, bytes: &[u8]) -> Vec<BootEntry> {
    let entries = syslinux::entries(&String::from_utf8_lossy(bytes)).into_iter();
    entries
        .filter_map(|found| {
            let line = found.append_line?;
            Some(BootEntry {
                title: Some(found.label),
                kernel: found.kernel,
                ..menu_entry(path, line, Loader::Syslinux, &found.append?)
            })
        })
        .collect()
}

/// `/etc/kernel/cmdline` and its like: one command line over all lines; for those that begin with `#` see
/// [`crate::kernel_cmdline`]. `None`: it holds nothing.
pub fn kernel_cmdline(path: &str, bytes: &[u8], loader: Loader) -> Option<BootEntry> {
    let text = String::from_utf8_lossy(bytes);
    let line = crate::kernel_cmdline::read(&text);
    (!line.is_empty()).then(|| BootEntry { source: true, ..entry(path, 1, loader, &line) })
}

/// `/etc/default/limine` and `limine-entry-tool.d`: `KERNEL_CMDLINE[default]+=" …"`.
pub fn limine_defaults(path: &str, bytes: &[u8]) -> Vec<BootEntry> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(rest) = line.trim().strip_prefix("KERNEL_CMDLINE[") else { continue };
        let Some((_, value)) = rest.split_once('=') else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        found.push(BootEntry { source: true, ..entry(path, index + 1, Loader::Limine, value) });
    }
    found
}

/// kernelstub's `configuration`, JSON: `user.kernel_options` is a list of words.
pub fn kernelstub(path: &str, bytes: &[u8]) -> Result<Option<BootEntry>, String> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| format!("{path}: {error}"))?;
    let options = value.get("user").and_then(|user| user.get("kernel_options"));
    let words: Vec<&str> = match options {
        Some(serde_json::Value::Array(words)) => words.iter().filter_map(serde_json::Value::as_str).collect(),
        Some(serde_json::Value::String(line)) => vec![line.as_str()],
        _ => return Ok(None),
    };
    Ok(Some(BootEntry { source: true, ..entry(path, 1, Loader::Kernelstub, &words.join(" ")) }))
}

/// A boot entry of the firmware, by the variable that it is. `None`: it starts no Linux kernel with a command line of its own.
pub fn firmware(path: &str, bytes: &[u8]) -> Option<BootEntry> {
    let option = LoadOption::parse(efi_variable::parts(bytes)?.1).filter(LoadOption::is_kernel)?;
    let found = menu_entry(path, 1, Loader::Firmware, &option.command_line()?);
    Some(BootEntry { kernel: option.file(), title: Some(option.description), ..found })
}

/// Whether a boot entry of the firmware is ours without passthrough.
pub fn is_firmware_off(path: &str, bytes: &[u8]) -> bool {
    firmware(path, bytes).is_some_and(|entry| entry.rescue)
}

/// A string of an EFI variable as efivarfs shows it: four bytes of attributes, then UTF-16 with a null at its end
/// (`fs/efivarfs/file.c`). `None` where it is empty.
pub fn efi_string(bytes: &[u8]) -> Option<String> {
    let units: Vec<u16> = bytes
        .get(4..)?
        .chunks_exact(2)
        .filter_map(|pair| Some(u16::from_le_bytes([*pair.first()?, *pair.get(1)?])))
        .take_while(|unit| *unit != 0)
        .collect();
    Some(String::from_utf16_lossy(&units)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{
        bls, efi_string, kernel_cmdline, kernelstub, limine, limine_defaults, refind_linux, syslinux, written,
    };
    use passthru_model::boot::{Dialect, Loader};
    use proptest::prelude::*;

    #[test]
    fn an_entry_of_the_specification_has_its_options_joined() {
        let text = b"# made by hand\ntitle\tArch\nlinux /vmlinuz\ninitrd /a\noptions root=/dev/md0 rw\noptions\tintel_iommu=on\n";
        let found = bls("/boot/loader/entries/a.conf", text).expect("an entry");
        assert_eq!((found.line, found.cmdline.as_str()), (5, "root=/dev/md0 rw intel_iommu=on"));
        assert_eq!((found.title.as_deref(), found.kernel.as_deref()), (Some("Arch"), Some("/vmlinuz")));
        assert_eq!(bls("x", b"title Windows\n"), None);
    }

    #[test]
    fn an_entry_without_passthrough_is_for_repairs_in_every_language() {
        for (dialect, text) in [
            (Dialect::Bls, "linux /a\noptions quiet"),
            (Dialect::Refind, "\"a\" \"quiet\""),
            (Dialect::Limine, "/a\n  path: boot():/a\n  cmdline: quiet"),
            (Dialect::Syslinux, "LABEL a\n LINUX /a\n APPEND quiet"),
        ] {
            let rescue = |text: &str| {
                let found = written(dialect, "f", text.as_bytes());
                found.iter().map(|entry| entry.rescue).collect::<Vec<_>>()
            };
            assert_eq!(rescue(text), [false]);
            assert_eq!(rescue(&text.replace("quiet", "quiet passthru.off")), [true], "{dialect:?}");
        }
    }

    #[test]
    fn each_dialect_gives_its_command_lines() {
        let lines = |found: Vec<passthru_model::boot::BootEntry>| {
            found.into_iter().map(|one| (one.title.unwrap_or_default(), one.cmdline)).collect::<Vec<_>>()
        };
        let pair = |title: &str, line: &str| (title.to_owned(), line.to_owned());
        assert_eq!(
            lines(refind_linux(
                "f",
                b"# x\n\"Boot normally\"  \"ro quiet\"\n\"Boot to single-user mode\" \"ro single\"\n"
            )),
            [pair("Boot normally", "ro quiet"), pair("Boot to single-user mode", "ro single")]
        );
        assert_eq!(
            lines(limine("f", b"timeout: 5\n/Arch\n    protocol: linux\n    path: boot():/vmlinuz\n    cmdline: root=UUID=1 rw\n")),
            [pair("Arch", "root=UUID=1 rw")]
        );
        assert_eq!(
            lines(syslinux("f", b"DEFAULT a\nLABEL a\n  LINUX ../vmlinuz\n  APPEND root=/dev/sda1 rw\n")),
            [pair("a", "root=/dev/sda1 rw")]
        );
        assert_eq!(
            lines(limine_defaults("f", b"KERNEL_CMDLINE[default]+=\" quiet splash\"\n")),
            [pair("", " quiet splash".trim())]
        );
        assert_eq!(
            kernel_cmdline("f", b"# no\nroot=/dev/a\n rw\n", Loader::UnifiedImage).map(|one| one.cmdline),
            Some("root=/dev/a rw".to_owned())
        );
        assert_eq!(kernel_cmdline("f", b"# no\n", Loader::UnifiedImage), None);
        let stub = kernelstub("f", br#"{"user":{"kernel_options":["quiet","amd_iommu=on"]}}"#);
        assert_eq!(stub.map(|one| one.map(|one| one.cmdline)), Ok(Some("quiet amd_iommu=on".to_owned())));
        assert!(kernelstub("f", b"{").is_err());
    }

    #[test]
    fn efi_strings_end_at_their_null() {
        assert_eq!(efi_string(b"\x06\0\0\0G\0R\0\0\0x\0").as_deref(), Some("GR"));
        assert_eq!(efi_string(b"\x06\0\0\0"), None);
        assert_eq!(efi_string(b""), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_them_panic(bytes: Vec<u8>) {
            let _ = (bls("f", &bytes), refind_linux("f", &bytes), limine("f", &bytes), syslinux("f", &bytes));
            let _ = (limine_defaults("f", &bytes), kernelstub("f", &bytes), efi_string(&bytes));
        }
    }
}
