//! The files that a plan may touch or must look at (`passthru_model::managed`).

use std::collections::BTreeMap;

use passthru_model::managed::{BOOT_ORDER, DIRECTORIES, EFI_VARIABLES, FILES, QEMU_CONF, boot_number};
use passthru_model::plan::FileState;

use super::boot::firmware::reduced;
use super::libvirt::reduced_settings;
use crate::host::Host;

type States = (BTreeMap<String, FileState>, BTreeMap<String, String>);

/// The state of each, and the reasons for those that could not be read.
pub(super) fn states(host: &Host) -> States {
    let mut states = States::default();
    for path in FILES {
        look(host, path, &mut states);
    }
    for (directory, ending) in DIRECTORIES {
        match host.list(directory) {
            Ok(names) => {
                for name in names.iter().filter(|name| name.ends_with(ending)) {
                    look(host, &format!("{directory}/{name}"), &mut states);
                }
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                states.1.insert((*directory).to_owned(), error.to_string());
            }
        }
    }
    variables(host, &mut states);
    states
}

/// The boot entries of the firmware, and their order.
fn variables(host: &Host, (states, unreadable): &mut States) {
    // Without UEFI there are none, and what hides them hides from `gather/boot.rs` too which of them was started.
    for name in host.list(EFI_VARIABLES).unwrap_or_default() {
        let path = format!("{EFI_VARIABLES}/{name}");
        if path != BOOT_ORDER && boot_number(&path).is_none() {
            continue;
        }
        let reduce = |bytes: &[u8]| if path == BOOT_ORDER { bytes.to_vec() } else { reduced(&path, bytes) };
        match host.file_state_reduced(&path, reduce) {
            Ok(state) => states.insert(path, state).map(drop),
            Err(error) => unreadable.insert(path, error.to_string()).map(drop),
        };
    }
}

fn look(host: &Host, path: &str, (states, unreadable): &mut States) {
    if states.contains_key(path) || unreadable.contains_key(path) {
        return;
    }
    let state = if path == QEMU_CONF {
        host.file_state_reduced(path, reduced_settings)
    } else {
        host.file_state(path)
    };
    match state {
        Ok(state) => states.insert(path.to_owned(), state).map(drop),
        Err(error) => unreadable.insert(path.to_owned(), error.to_string()).map(drop),
    };
}
