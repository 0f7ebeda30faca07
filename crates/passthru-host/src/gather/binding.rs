//! What the host's files say about drivers at boot: modprobe.d, lists of modules, the settings of initramfs generators.

use std::collections::BTreeMap;

use passthru_formats::shell::lists::{self, Lists};
use passthru_formats::{modprobe, module_list, modules, sysfs};
use passthru_model::address::PciAddress;
use passthru_model::binding::{
    BindingFacts, Generator, InitramfsSettings, Listed, ModprobeCommand, ModprobeSettings, OverrideScript,
};
use passthru_model::fact::Fact;
use passthru_model::plan::FileState;

use super::because;
use crate::error::ReadError;
use crate::host::Host;

/// The directories of modprobe.d(5), from the one that counts most: a file stands for all of its name in later ones
/// (`default_config_paths`, `libkmod/libkmod.c`).
const MODPROBE: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];

/// Those of modules-load.d(5), likewise.
const MODULES_LOAD: [&str; 4] = [
    "/etc/modules-load.d",
    "/run/modules-load.d",
    "/usr/local/lib/modules-load.d",
    "/usr/lib/modules-load.d",
];

/// `files` are those that the planner's reader has read already, so that none is read twice.
pub(super) fn facts(host: &Host, files: &BTreeMap<String, FileState>) -> BindingFacts {
    let there = |what: &str| match host.exists("/etc") {
        Ok(true) => None,
        Ok(false) => Some(format!("there is no /etc here, so {what} cannot be seen")),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = there("what drivers are told") {
        return BindingFacts::unknown(&why);
    }
    let modprobe = modprobe_settings(host, files);
    BindingFacts {
        modules_load: modules_load(host),
        initramfs: initramfs(host, files),
        scripts: scripts(host, &modprobe),
        driverctl: driverctl(host),
        modprobe,
    }
}

/// A file's bytes, from what was read already where it was.
fn content(host: &Host, files: &BTreeMap<String, FileState>, path: &str) -> Result<Vec<u8>, ReadError> {
    match files.get(path) {
        Some(FileState::File { content, .. }) => Ok(content.0.clone()),
        _ => host.read(path),
    }
}

/// The files of a set of directories whose names end so, by name: the path that counts, and the paths it stands for.
struct DropIns {
    /// By file name: the one that counts, and those of its name that do not.
    files: BTreeMap<String, (String, Vec<String>)>,
    /// Files with other names.
    others: Vec<String>,
    /// A directory that could not be listed.
    error: Option<ReadError>,
}

fn drop_ins(host: &Host, directories: &[&str], ending: &str) -> DropIns {
    let mut found = DropIns { files: BTreeMap::new(), others: Vec::new(), error: None };
    for directory in directories {
        // `/lib` is a link to `/usr/lib` nearly everywhere, and then names nothing of its own.
        if let Some(rest) = directory.strip_prefix("/lib/")
            && host.real_path(directory).is_ok_and(|real| real == format!("/usr/lib/{rest}"))
        {
            continue;
        }
        let names = match host.list(directory) {
            Ok(names) => names,
            Err(error) if error.is_not_found() => continue,
            Err(error) => {
                found.error = found.error.or(Some(error));
                continue;
            }
        };
        for name in names {
            let path = format!("{directory}/{name}");
            if !name.ends_with(ending) || name.starts_with('.') {
                found.others.push(path);
            } else if let Some((_, hidden)) = found.files.get_mut(&name) {
                hidden.push(path);
            } else {
                found.files.insert(name, (path, Vec::new()));
            }
        }
    }
    found
}

fn modprobe_settings(host: &Host, files: &BTreeMap<String, FileState>) -> Fact<ModprobeSettings> {
    let found = drop_ins(host, &MODPROBE, ".conf");
    if let Some(error) = found.error {
        return because(&error);
    }
    let mut settings = ModprobeSettings::default();
    for (path, hidden) in found.files.into_values() {
        let bytes = match content(host, files, &path) {
            Ok(bytes) => bytes,
            Err(error) => return because(&error),
        };
        let file = modprobe::parse(&path, &bytes);
        let names_vfio = file.commands.iter().any(|said| said.what.names("vfio_pci"));
        settings.commands.extend(file.commands);
        settings.commented.extend(file.commented);
        settings.misunderstood.extend(file.misunderstood);
        settings.hidden.extend(hidden.into_iter().map(|hidden| (hidden, path.clone())));
        if names_vfio {
            settings.files.insert(path, bytes);
        }
    }
    // A README is nobody's mistake; a file that would say something under another name is.
    settings.passed_over = found
        .others
        .into_iter()
        .filter(|path| {
            content(host, files, path).is_ok_and(|bytes| {
                modprobe::parse(path, &bytes)
                    .commands
                    .iter()
                    .any(|said| said.what.module() == Some("vfio_pci"))
            })
        })
        .collect();
    let seen = match settings.commands.len() {
        0 => "no command".to_owned(),
        1 => "1 command".to_owned(),
        count => format!("{count} commands"),
    };
    Fact::known(settings, MODPROBE[0], seen)
}

fn modules_load(host: &Host) -> Fact<Vec<Listed>> {
    let found = drop_ins(host, &MODULES_LOAD, ".conf");
    if let Some(error) = found.error {
        return because(&error);
    }
    let mut listed = Vec::new();
    let paths = found.files.into_values().map(|(path, _)| path).chain(["/etc/modules".to_owned()]);
    for path in paths {
        match host.read(&path) {
            Ok(bytes) => listed.extend(module_list::parse(&path, &bytes)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return because(&error),
        }
    }
    let seen = format!("{} modules by name", listed.len());
    Fact::known(listed, MODULES_LOAD[0], seen)
}

fn any(host: &Host, paths: &[&str]) -> bool {
    paths.iter().any(|path| matches!(host.exists(path), Ok(true)))
}

fn initramfs(host: &Host, files: &BTreeMap<String, FileState>) -> Fact<Vec<InitramfsSettings>> {
    let all = [
        initramfs_tools(host, files),
        shell_settings(
            host,
            Generator::Mkinitcpio,
            &["/usr/bin/mkinitcpio"],
            "/etc/mkinitcpio.conf",
            &["/etc/mkinitcpio.conf.d"],
        ),
        shell_settings(
            host,
            Generator::Dracut,
            &["/usr/bin/dracut", "/usr/sbin/dracut"],
            "/etc/dracut.conf",
            &["/etc/dracut.conf.d", "/usr/lib/dracut/dracut.conf.d"],
        ),
        booster(host),
    ];
    let mut found = Vec::new();
    for settings in all {
        match settings {
            Ok(settings) => found.extend(settings),
            Err(error) => return because(&error),
        }
    }
    let seen = found.iter().map(|settings| settings.generator.name()).collect::<Vec<_>>().join(", ");
    Fact::known(
        found,
        "/etc",
        if seen.is_empty() { "no settings of an initramfs generator".to_owned() } else { seen },
    )
}

fn initramfs_tools(
    host: &Host,
    files: &BTreeMap<String, FileState>,
) -> Result<Option<InitramfsSettings>, ReadError> {
    const LIST: &str = "/etc/initramfs-tools/modules";
    let installed = any(host, &["/usr/sbin/update-initramfs", "/sbin/update-initramfs"]);
    let list = match content(host, files, LIST) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() && !installed => return Ok(None),
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut modules = module_list::parse(LIST, &list);
    for directory in ["/usr/share/initramfs-tools/modules.d", "/etc/initramfs-tools/modules.d"] {
        for name in host.list(directory).unwrap_or_default() {
            let path = format!("{directory}/{name}");
            modules
                .extend(host.read(&path).map(|bytes| module_list::parse(&path, &bytes)).unwrap_or_default());
        }
    }
    Ok(Some(InitramfsSettings {
        generator: Generator::InitramfsTools,
        installed,
        modules,
        hooks: None,
        files: Vec::new(),
        problems: Vec::new(),
    }))
}

/// mkinitcpio and dracut: a main file and drop-ins, all of them shell.
fn shell_settings(
    host: &Host,
    generator: Generator,
    programs: &[&str],
    main: &str,
    directories: &[&str],
) -> Result<Option<InitramfsSettings>, ReadError> {
    let installed = any(host, programs);
    let found = drop_ins(host, directories, ".conf");
    let mut paths: Vec<String> = vec![main.to_owned()];
    paths.extend(found.files.into_values().map(|(path, _)| path));
    let mut settings = InitramfsSettings {
        generator,
        installed,
        modules: Vec::new(),
        hooks: None,
        files: Vec::new(),
        problems: Vec::new(),
    };
    let mut any_file = false;
    // Each file's lists are kept with their file; `NAME=` in a later one drops what earlier ones said.
    for path in paths {
        let text = match host.read_text(&path) {
            Ok(text) => text,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        any_file = true;
        let mut lists = Lists::new();
        if let Err(error) = lists::read(&text, &mut lists) {
            settings.problems.push(format!("{path}: {error}"));
            continue;
        }
        take(&path, &text, lists, &mut settings);
    }
    Ok((any_file || installed).then_some(settings))
}

/// What one file adds to the settings.
fn take(path: &str, text: &str, lists: Lists, settings: &mut InitramfsSettings) {
    let begins_anew =
        |name: &str| text.lines().any(|line| line.trim_start().starts_with(&format!("{name}=")));
    for (name, list) in lists {
        let wanted = matches!(
            name.as_str(),
            "MODULES" | "HOOKS" | "FILES" | "add_drivers" | "force_drivers" | "install_items"
        );
        if !wanted {
            continue;
        }
        let items = match list {
            Ok(items) => items,
            Err(error) => {
                settings.problems.push(format!("{path}: {error}"));
                continue;
            }
        };
        let listed = |canonical: bool| {
            items.iter().map(move |(word, line)| {
                // mkinitcpio takes `module?` for one that may be missing.
                let word = word.trim_end_matches('?');
                let what = if canonical { modules::canonical(word) } else { word.to_owned() };
                Listed { path: path.to_owned(), line: *line, what }
            })
        };
        match name.as_str() {
            "MODULES" | "add_drivers" | "force_drivers" => {
                if name == "MODULES" && begins_anew(&name) {
                    settings.modules.clear();
                }
                settings.modules.extend(listed(true));
            }
            "HOOKS" => {
                if begins_anew(&name) {
                    settings.hooks = None;
                }
                let hooks = settings.hooks.get_or_insert_default();
                hooks.extend(items.iter().map(|(word, _)| word.clone()));
            }
            _ => settings.files.extend(listed(false)),
        }
    }
}

/// `/etc/booster.yaml`: `modules` and `modules_force_load`, each a text with commas.
fn booster(host: &Host) -> Result<Option<InitramfsSettings>, ReadError> {
    const FILE: &str = "/etc/booster.yaml";
    let installed = any(host, &["/usr/bin/booster"]);
    let text = match host.read_text(FILE) {
        Ok(text) => text,
        Err(error) if error.is_not_found() && !installed => return Ok(None),
        Err(error) if error.is_not_found() => String::new(),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if !matches!(name, "modules" | "modules_force_load") {
            continue;
        }
        let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        for module in value.split(',').map(str::trim).filter(|module| !module.is_empty()) {
            found.push(Listed { path: FILE.to_owned(), line: index + 1, what: modules::canonical(module) });
        }
    }
    Ok(Some(InitramfsSettings {
        generator: Generator::Booster,
        installed,
        modules: found,
        hooks: None,
        files: Vec::new(),
        problems: Vec::new(),
    }))
}

/// The scripts that stand in the place of loading vfio-pci.
fn scripts(host: &Host, modprobe: &Fact<ModprobeSettings>) -> Fact<Vec<OverrideScript>> {
    let Fact::Known(settings, evidence) = modprobe else {
        return Fact::unknown(modprobe.because().unwrap_or_default());
    };
    let mut found = Vec::new();
    for said in settings.about("vfio_pci") {
        let ModprobeCommand::Install { command, .. } = &said.what else { continue };
        let paths = command.split([' ', ';', '&', '|']).filter(|word| {
            word.starts_with('/')
                && !matches!(word.rsplit('/').next(), Some("modprobe" | "true" | "false" | "sh"))
        });
        for path in paths {
            let real = host.real_path(path).unwrap_or_else(|_| path.to_owned());
            let (text, executable) = match host.file_state(&real) {
                Ok(FileState::File { content, mode, .. }) => {
                    (Some(String::from_utf8_lossy(&content.0).into_owned()), Some(mode & 0o111 != 0))
                }
                Ok(_) => (None, None),
                Err(error) => return because(&error),
            };
            found.push(OverrideScript { path: path.to_owned(), run_by: said.place(), text, executable });
        }
    }
    let seen = format!("{} scripts of install rules", found.len());
    Fact::known(found, evidence.path.clone(), seen)
}

/// driverctl keeps a file `pci-ADDRESS` with the driver's name for each override (driverctl(8)).
fn driverctl(host: &Host) -> Fact<BTreeMap<PciAddress, String>> {
    const DIRECTORY: &str = "/etc/driverctl.d";
    let names = match host.list(DIRECTORY) {
        Ok(names) => names,
        Err(error) if error.is_not_found() => return Fact::known(BTreeMap::new(), DIRECTORY, "is not there"),
        Err(error) => return because(&error),
    };
    let mut found = BTreeMap::new();
    for name in names {
        let Some(Ok(address)) = name.strip_prefix("pci-").map(str::parse) else { continue };
        match host.read(&format!("{DIRECTORY}/{name}")) {
            Ok(bytes) => {
                found.insert(address, sysfs::line(&bytes));
            }
            Err(error) => return because(&error),
        }
    }
    let seen = format!("{} overrides", found.len());
    Fact::known(found, DIRECTORY, seen)
}
