//! How much memory programs may lock: what holds for this process, and what settings give others.

use passthru_formats::limits::{self, settings};
use passthru_model::binding::Said;
use passthru_model::fact::Fact;
use passthru_model::virtualisation::{LockLimit, LockSetting};

use super::because;
use crate::error::ReadError;
use crate::host::{Host, MOST_FILE_BYTES};

/// Units that start guests, or the sessions from which they are started.
const UNITS: [&str; 4] =
    ["user@.service", "libvirtd.service", "virtqemud.service", "display-manager.service"];
/// Where an administrator's units and drop-ins are (systemd.unit(5)).
const SYSTEM: &str = "/etc/systemd/system";
/// The settings of systemd itself, which give the default of all units (systemd-system.conf(5)), and of which units.
const DEFAULTS: [(&str, &str); 2] =
    [("/etc/systemd/system.conf", "every service"), ("/etc/systemd/user.conf", "every service of a user")];

/// How the names of drop-ins end.
const DROP_IN: &str = ".conf";

/// What holds for this process.
pub(super) fn own(host: &Host) -> Fact<LockLimit> {
    const FILE: &str = "/proc/self/limits";
    match host.read(FILE) {
        Ok(bytes) => match limits::locked_memory(&bytes) {
            Some(limit) => {
                let word = |limit: Option<u64>| {
                    limit.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string())
                };
                let seen = format!("{} bytes, at most {}", word(limit.soft), word(limit.hard));
                Fact::known(limit, FILE, seen)
            }
            None => Fact::unknown(format!("{FILE} has no limit of locked memory")),
        },
        Err(error) => because(&error),
    }
}

/// What settings say, in the order in which they are read; the last one about somebody holds.
pub(super) fn settings(host: &Host) -> Fact<Vec<Said<LockSetting>>> {
    match all(host) {
        Ok(found) => {
            let seen = format!("{} settings of locked memory", found.len());
            Fact::known(found, "/etc", seen)
        }
        Err(error) => because(&error),
    }
}

fn all(host: &Host) -> Result<Vec<Said<LockSetting>>, ReadError> {
    const LOGIN: &str = "/etc/security/limits.conf";
    let mut found = Vec::new();
    for path in [vec![LOGIN.to_owned()], below(host, "/etc/security/limits.d")?].concat() {
        found.extend(read(host, &path)?.map(|bytes| settings::of_login(&path, &bytes)).unwrap_or_default());
    }
    let own = UNITS.map(|unit| (format!("{SYSTEM}/{unit}"), unit));
    let defaults = DEFAULTS.map(|(path, whom)| (path.to_owned(), whom));
    for (file, whom) in defaults.into_iter().chain(own) {
        for path in [vec![file.clone()], below(host, &format!("{file}.d"))?].concat() {
            let bytes = read(host, &path)?;
            found.extend(bytes.map(|bytes| settings::of_unit(&path, whom, &bytes)).unwrap_or_default());
        }
    }
    Ok(found)
}

/// The files `*.conf` in a directory, sorted; none where it is not there.
fn below(host: &Host, directory: &str) -> Result<Vec<String>, ReadError> {
    match host.list(directory) {
        Ok(names) => Ok(names
            .into_iter()
            .filter(|name| name.ends_with(DROP_IN))
            .map(|name| format!("{directory}/{name}"))
            .collect()),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn read(host: &Host, path: &str) -> Result<Option<Vec<u8>>, ReadError> {
    match host.read_reduced(path, MOST_FILE_BYTES, settings::reduced) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
