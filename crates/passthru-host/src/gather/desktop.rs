//! What the desktop is told about graphics cards: the X server, variables of sessions, udev rules.

use passthru_formats::xorg_conf;
use passthru_model::binding::Said;
use passthru_model::desktop::{DesktopFacts, GpuRule, GpuVariable, XorgDevice};
use passthru_model::fact::Fact;

use super::{because, last_part};
use crate::error::ReadError;
use crate::host::{Host, MOST_FILE_BYTES};

/// Variables that choose a card, by who reads them: KWin, wlroots, Hyprland (Aquamarine), Mesa, Vulkan's layers, GLVND.
const VARIABLES: [&str; 8] = [
    "KWIN_DRM_DEVICES",
    "WLR_DRM_DEVICES",
    "AQ_DRM_DEVICES",
    "DRI_PRIME",
    "MESA_VK_DEVICE_SELECT",
    "VK_DRIVER_FILES",
    "__GLX_VENDOR_LIBRARY_NAME",
    "__NV_PRIME_RENDER_OFFLOAD",
];

pub(super) fn facts(host: &Host) -> DesktopFacts {
    match host.exists("/etc") {
        Ok(true) => {}
        Ok(false) => return DesktopFacts::unknown("there is no /etc here"),
        Err(error) => return DesktopFacts::unknown(&error.to_string()),
    }
    let (xorg, xorg_fixed) = xorg(host);
    DesktopFacts {
        display_manager: display_manager(host),
        xorg,
        xorg_fixed,
        variables: variables(host),
        rules: rules(host),
    }
}

/// The names in a directory that end so; none where there is no such directory.
fn names(host: &Host, directory: &str, ending: &str) -> Result<Vec<String>, ReadError> {
    match host.list(directory) {
        Ok(names) => Ok(names.into_iter().filter(|name| name.ends_with(ending)).collect()),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn display_manager(host: &Host) -> Fact<Option<String>> {
    const LINK: &str = "/etc/systemd/system/display-manager.service";
    match host.link(LINK) {
        Ok(target) => {
            let name = last_part(&target).trim_end_matches(".service").to_owned();
            Fact::known(Some(name), LINK, target)
        }
        Err(error) if error.is_not_found() => Fact::known(None, LINK, "is not there"),
        Err(error) => because(&error),
    }
}

fn xorg(host: &Host) -> (Fact<Vec<XorgDevice>>, bool) {
    const MAIN: &str = "/etc/X11/xorg.conf";
    let (mut devices, mut fixed, mut count) = (Vec::new(), false, 0);
    let mut paths = vec![MAIN.to_owned()];
    for directory in ["/etc/X11/xorg.conf.d", "/usr/share/X11/xorg.conf.d"] {
        match names(host, directory, ".conf") {
            Ok(names) => paths.extend(names.into_iter().map(|name| format!("{directory}/{name}"))),
            Err(error) => return (because(&error), false),
        }
    }
    for path in paths {
        match host.read(&path) {
            Ok(bytes) => {
                let file = xorg_conf::parse(&path, &bytes);
                count += 1;
                fixed |= file.adds_no_gpu;
                devices.extend(file.devices);
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return (because(&error), false),
        }
    }
    (Fact::known(devices, "/etc/X11", format!("{count} files of the X server")), fixed)
}

/// A line `NAME=value` or `export NAME=value` that sets one of the variables.
fn variable(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    VARIABLES.contains(&name).then(|| (name, value.trim_matches(['"', '\''])))
}

/// What matters of a file of variables; the rest may be somebody's secret, and becomes empty lines.
fn reduced(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(|line| if variable(line).is_some() { line } else { "" });
    lines.collect::<Vec<_>>().join("\n").into_bytes()
}

fn variables(host: &Host) -> Fact<Vec<GpuVariable>> {
    let mut paths = vec!["/etc/environment".to_owned()];
    for (directory, ending) in
        [("/etc/environment.d", ".conf"), ("/usr/lib/environment.d", ".conf"), ("/etc/profile.d", ".sh")]
    {
        match names(host, directory, ending) {
            Ok(names) => paths.extend(names.into_iter().map(|name| format!("{directory}/{name}"))),
            Err(error) => return because(&error),
        }
    }
    let mut found = Vec::new();
    for path in paths {
        let bytes = match host.read_reduced(&path, MOST_FILE_BYTES, reduced) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return because(&error),
        };
        for (index, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            if let Some((name, value)) = variable(line) {
                let what = (name.to_owned(), value.to_owned());
                found.push(Said { path: path.clone(), line: index + 1, what });
            }
        }
    }
    let seen = format!("{} variables that choose a card", found.len());
    Fact::known(found, "/etc/environment", seen)
}

/// Rules of the host's own that tag or name a DRM device: `mutter-device-preferred-primary`, `mutter-device-ignore`,
/// a link of `/dev/dri`.
fn rules(host: &Host) -> Fact<Vec<GpuRule>> {
    const DIRECTORY: &str = "/etc/udev/rules.d";
    let names = match names(host, DIRECTORY, ".rules") {
        Ok(names) => names,
        Err(error) => return because(&error),
    };
    let mut found = Vec::new();
    for name in names {
        let path = format!("{DIRECTORY}/{name}");
        let text = match host.read_text(&path) {
            Ok(text) => text,
            Err(error) => return because(&error),
        };
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'))
        {
            if line.contains("mutter-device-") || (line.contains("drm") && line.contains("SYMLINK")) {
                let words = line.split(|c: char| !(c.is_ascii_hexdigit() || matches!(c, ':' | '.')));
                let addresses = words.filter_map(|word| word.parse().ok()).collect();
                found.push(Said {
                    path: path.clone(),
                    line: index + 1,
                    what: (addresses, line.trim().to_owned()),
                });
            }
        }
    }
    let seen = format!("{} rules about graphics cards", found.len());
    Fact::known(found, DIRECTORY, seen)
}
