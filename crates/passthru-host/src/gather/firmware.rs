//! UEFI firmware for guests, found by QEMU's rules (`docs/interop/firmware.json` of QEMU).

use std::collections::BTreeMap;

use passthru_formats::firmware_descriptor;
use passthru_model::fact::Fact;
use passthru_model::facts::GuestFirmware;

use super::because;
use crate::host::Host;

/// From the general to the specific: a file in a later directory stands for one of the same name in an earlier one.
const DIRECTORIES: &[&str] = &["/usr/share/qemu/firmware", "/etc/qemu/firmware"];

/// The descriptors in the order in which they are tried: by file name. A file of no bytes masks one of its name.
pub(super) fn found(host: &Host) -> Fact<Vec<GuestFirmware>> {
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    let mut seen_in = None;
    let mut last_error = None;
    for directory in DIRECTORIES {
        match host.list(directory) {
            Ok(names) => {
                seen_in = seen_in.or(Some(*directory));
                for name in names.into_iter().filter(|name| is_descriptor(name)) {
                    let path = format!("{directory}/{name}");
                    paths.insert(name, path);
                }
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => last_error = Some(error),
        }
    }
    if let Some(error) = last_error {
        return because(&error);
    }
    let Some(seen_in) = seen_in else {
        // Without /usr this is no tree in which absence would mean that no firmware is installed.
        return if matches!(host.exists("/usr/share"), Ok(true)) {
            Fact::known(Vec::new(), DIRECTORIES[0], "is not there")
        } else {
            Fact::unknown(format!("{} is not there, nor is /usr/share", DIRECTORIES[0]))
        };
    };
    let mut firmware = Vec::new();
    let mut bad = Vec::new();
    for path in paths.into_values() {
        let bytes = match host.read(&path) {
            Ok(bytes) if bytes.is_empty() => continue,
            Ok(bytes) => bytes,
            Err(error) => {
                bad.push(error.to_string());
                continue;
            }
        };
        match firmware_descriptor::parse(&path, &bytes) {
            Ok(Some(found)) => {
                let there = |path: &str| matches!(host.exists(path), Ok(true));
                let present = there(&found.code) && there(&found.vars);
                firmware.push(GuestFirmware { present, ..found });
            }
            Ok(None) => {}
            Err(error) => bad.push(error.to_string()),
        }
    }
    let mut seen = format!("{} descriptors of UEFI for x86-64", firmware.len());
    for error in bad {
        seen.push_str("; ");
        seen.push_str(&error);
    }
    Fact::known(firmware, seen_in, seen)
}

/// QEMU and libvirt pass over hidden files and what does not end in `.json`
/// (`qemuInteropFetchConfigs`, `src/qemu/qemu_interop_config.c` of libvirt).
fn is_descriptor(name: &str) -> bool {
    !name.starts_with('.') && std::path::Path::new(name).extension().is_some_and(|ending| ending == "json")
}
