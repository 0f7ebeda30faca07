//! How the host is reached that shows nothing on a screen: servers for SSH that are started at boot, and logins on serial lines.

use passthru_formats::cmdline::CommandLine;
use passthru_model::fact::Fact;
use passthru_model::ways_in::WaysIn;

use super::because;
use crate::host::Host;

/// Directories whose links have units started at boot (systemd), or services (OpenRC, runit).
const STARTED: [&str; 4] = [
    "/etc/systemd/system/multi-user.target.wants",
    "/etc/systemd/system/sockets.target.wants",
    "/etc/runlevels/default",
    "/var/service",
];
/// The names of the servers there: Debian's and others' OpenSSH, and Dropbear.
const SERVERS: [&str; 3] = ["ssh", "sshd", "dropbear"];
/// Where logins on terminals are started (systemd), beside those that `systemd-getty-generator` starts on consoles.
const LOGINS: &str = "/etc/systemd/system/getty.target.wants";
const RUNNING: &str = "/proc/cmdline";
/// What the names of serial consoles begin with.
const LINES: [&str; 4] = ["ttyS", "ttyUSB", "ttyAMA", "hvc"];

/// The signs of each.
pub(super) fn of(host: &Host) -> Fact<WaysIn> {
    let mut found = WaysIn::default();
    for directory in STARTED {
        let names = match host.list(directory) {
            Ok(names) => names,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return because(&error),
        };
        let is_server = |name: &&String| {
            let stem = name.strip_suffix(".service").or_else(|| name.strip_suffix(".socket"));
            SERVERS.contains(&stem.unwrap_or(name))
        };
        found.ssh = found.ssh.or(names.iter().find(is_server).map(|name| format!("{directory}/{name}")));
    }
    match host.list(LOGINS) {
        Ok(names) => {
            let serial = names.iter().find(|name| name.starts_with("serial-getty@"));
            found.serial = serial.map(|name| format!("{LOGINS}/{name}"));
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => return because(&error),
    }
    if found.serial.is_none() {
        let line = match host.read_text(RUNNING) {
            Ok(line) => line,
            Err(error) if error.is_not_found() => String::new(),
            Err(error) => return because(&error),
        };
        let is_serial = |value: &str| LINES.iter().any(|begin| value.starts_with(begin));
        found.serial = CommandLine::new(&line)
            .parameters()
            .find(|word| word.is_named("console") && word.value().is_some_and(is_serial))
            .map(|word| word.text().to_owned());
    }
    let seen = [&found.ssh, &found.serial].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
    let seen = if seen.is_empty() { "neither a server for SSH nor a serial login".to_owned() } else { seen };
    Fact::known(found, "/etc/systemd/system", seen)
}
