//! libvirt: its daemons, settings, guests, networks and hooks.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::{libvirt_conf, libvirt_domain};
use passthru_model::fact::Fact;
use passthru_model::plan::FileState;
use passthru_model::virtualisation::{Domain, Hook, Libvirt, Setting};

use super::because;
use crate::host::{Host, MOST_FILE_BYTES};

/// The daemons that run QEMU guests, and their directories.
const DAEMONS: [&str; 4] =
    ["/usr/sbin/libvirtd", "/usr/sbin/virtqemud", "/usr/bin/libvirtd", "/usr/bin/virtqemud"];

const CONFIGURATION: &str = "/etc/libvirt";

/// libvirt, known and `None` where it is not installed.
pub(super) fn of(host: &Host) -> Fact<Option<Libvirt>> {
    let mut daemons: BTreeMap<String, String> = BTreeMap::new();
    for path in DAEMONS {
        match host.exists(path) {
            Ok(true) => {
                daemons.insert(super::last_part(path).to_owned(), path.to_owned());
            }
            Ok(false) => {}
            Err(error) => return because(&error),
        }
    }
    let configured = match host.exists(CONFIGURATION) {
        Ok(configured) => configured,
        Err(error) => return because(&error),
    };
    if daemons.is_empty() && !configured {
        return match host.exists("/usr/sbin") {
            Ok(true) => Fact::known(None, "/usr/sbin", "neither libvirtd nor virtqemud"),
            _ => Fact::unknown("neither /usr/sbin nor /etc/libvirt is to be seen here"),
        };
    }
    let evidence = daemons.values().next().cloned().unwrap_or_else(|| CONFIGURATION.to_owned());
    let daemons = match host.exists("/usr/bin") {
        Ok(true) => {
            let names: Vec<String> = daemons.into_keys().collect();
            let seen =
                if names.is_empty() { "neither libvirtd nor virtqemud".to_owned() } else { names.join(", ") };
            Fact::known(names, "/usr/sbin", seen)
        }
        Ok(false) => Fact::unknown("there is no /usr/bin here"),
        Err(error) => because(&error),
    };
    let libvirt = Libvirt {
        daemons,
        enabled: enabled(host),
        sockets: ["/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"]
            .into_iter()
            .filter(|path| matches!(host.exists(path), Ok(true)))
            .map(str::to_owned)
            .collect(),
        qemu_conf: qemu_conf(host),
        domains: domains(host),
        networks: networks(host),
        hooks: hooks(host),
    };
    Fact::known(Some(libvirt), evidence, "is there")
}

/// The units that start at boot, by systemd's links (`systemctl enable` makes them).
fn enabled(host: &Host) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for target in ["sockets.target.wants", "multi-user.target.wants"] {
        for name in host.list(&format!("/etc/systemd/system/{target}")).unwrap_or_default() {
            if name.starts_with("libvirtd") || name.starts_with("virtqemud") {
                found.insert(name);
            }
        }
    }
    found
}

/// The file's settings without passwords, and without the comments that make up nearly all of it.
pub(super) fn reduced_settings(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let keep = |line: &str| {
        let line = line.trim_start();
        !line.starts_with('#') && !line.split('=').next().is_some_and(|name| name.contains("password"))
    };
    text.lines().map(|line| if keep(line) { line } else { "" }).collect::<Vec<_>>().join("\n").into_bytes()
}

fn qemu_conf(host: &Host) -> Fact<BTreeMap<String, (Setting, usize)>> {
    const FILE: &str = passthru_model::managed::QEMU_CONF;
    match host.read_reduced(FILE, MOST_FILE_BYTES, reduced_settings) {
        Ok(bytes) => {
            let found = libvirt_conf::parse(&bytes);
            let names = found.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let seen = if names.is_empty() { "sets nothing".to_owned() } else { format!("sets {names}") };
            Fact::known(found, FILE, seen)
        }
        Err(error) if error.is_not_found() => Fact::known(BTreeMap::new(), FILE, "is not there"),
        Err(error) => because(&error),
    }
}

fn domains(host: &Host) -> Fact<Vec<Domain>> {
    const DIRECTORY: &str = "/etc/libvirt/qemu";
    let names = match host.list(DIRECTORY) {
        Ok(names) => names,
        Err(error) if error.is_not_found() => return Fact::known(Vec::new(), DIRECTORY, "is not there"),
        Err(error) => return because(&error),
    };
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    for guest in names.iter().filter_map(|name| name.strip_suffix(".xml")) {
        let path = format!("{DIRECTORY}/{guest}.xml");
        match host.read_reduced(&path, MOST_FILE_BYTES, libvirt_domain::without_secrets) {
            Ok(bytes) => match libvirt_domain::parse(&path, &bytes) {
                Ok(domain) => found.push(domain),
                Err(error) => bad.push(error.to_string()),
            },
            Err(error) => return because(&error),
        }
    }
    let mut seen = match found.len() {
        0 => "no guest".to_owned(),
        count => format!("{count} guests"),
    };
    for error in bad {
        seen.push_str("; ");
        seen.push_str(&error);
    }
    Fact::known(found, DIRECTORY, seen)
}

fn networks(host: &Host) -> Fact<BTreeMap<String, bool>> {
    const DIRECTORY: &str = "/etc/libvirt/qemu/networks";
    let names = match host.list(DIRECTORY) {
        Ok(names) => names,
        // libvirt's package makes the directory; where it is missing, this is but a part of a host.
        Err(error) => return because(&error),
    };
    let automatic = host.list(&format!("{DIRECTORY}/autostart")).unwrap_or_default();
    let found: BTreeMap<String, bool> = names
        .iter()
        .filter_map(|name| Some((name.strip_suffix(".xml")?.to_owned(), automatic.contains(name))))
        .collect();
    let seen = found.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    Fact::known(found, DIRECTORY, seen)
}

/// The script `qemu`, and those of `qemu.d`, which libvirt runs since 6.5 (<https://libvirt.org/hooks.html>).
fn hooks(host: &Host) -> Fact<Vec<Hook>> {
    const DIRECTORY: &str = "/etc/libvirt/hooks";
    let mut paths = Vec::new();
    for (directory, only) in [(DIRECTORY.to_owned(), Some("qemu")), (format!("{DIRECTORY}/qemu.d"), None)] {
        match host.list(&directory) {
            Ok(names) => paths.extend(
                names
                    .into_iter()
                    .filter(|name| only.is_none_or(|only| name == only))
                    .map(|name| format!("{directory}/{name}")),
            ),
            Err(error) if error.is_not_found() => {}
            Err(error) => return because(&error),
        }
    }
    let mut found = Vec::new();
    for path in paths {
        let real = host.real_path(&path).unwrap_or_else(|_| path.clone());
        // A directory per guest is what a dispatcher of that name reads; libvirt itself runs files only.
        if let Ok(FileState::File { content, mode, .. }) = host.file_state(&real) {
            let text = String::from_utf8(content.0).ok();
            found.push(Hook { path, executable: Some(mode & 0o111 != 0), text });
        }
    }
    let seen = format!("{} scripts", found.len());
    Fact::known(found, DIRECTORY, seen)
}
