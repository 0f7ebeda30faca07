//! The files that a plan may touch or must look at (`passthru_model::managed`).

use std::collections::BTreeMap;

use passthru_model::managed::{DIRECTORIES, FILES, QEMU_CONF};
use passthru_model::plan::FileState;

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
    states
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
