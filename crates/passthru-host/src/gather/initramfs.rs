//! Who builds the host's initramfs.

use passthru_model::fact::Fact;
use passthru_model::facts::InitramfsGenerator;

mod mkinitcpio;

use super::because;
use crate::host::Host;

/// A generator that passthru knows how to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usable {
    InitramfsTools,
    Dracut,
    Mkinitcpio,
    NixOs,
}

/// The paths of the generators' programs, with the generator where passthru knows how to use it.
const PROGRAMS: &[(&str, &str, Option<Usable>)] = &[
    ("/usr/sbin/update-initramfs", "initramfs-tools", Some(Usable::InitramfsTools)),
    ("/sbin/update-initramfs", "initramfs-tools", Some(Usable::InitramfsTools)),
    ("/usr/bin/dracut", "dracut", Some(Usable::Dracut)),
    ("/usr/sbin/dracut", "dracut", Some(Usable::Dracut)),
    (mkinitcpio::PROGRAM, "mkinitcpio", Some(Usable::Mkinitcpio)),
    ("/usr/bin/booster", "booster", None),
    ("/etc/NIXOS", "NixOS", Some(Usable::NixOs)),
    ("/run/ostree-booted", "rpm-ostree", None),
];

/// The directory of initramfs-tools' settings; without it the program is what is left of a removed package.
const SETTINGS: &str = "/etc/initramfs-tools";

/// The one generator that is installed, or why that is not known.
pub(super) fn generator(host: &Host) -> Fact<InitramfsGenerator> {
    let settings = match host.exists(SETTINGS) {
        Ok(there) => there,
        Err(error) => return because(&error),
    };
    // Merged directories show one program at several paths.
    let mut found: Vec<(&str, &str, Option<Usable>)> = Vec::new();
    for &(path, name, generator) in PROGRAMS {
        match host.exists(path) {
            Ok(true) if found.iter().any(|(_, other, _)| *other == name) => {}
            Ok(true) if generator == Some(Usable::InitramfsTools) && !settings => {}
            Ok(true) => found.push((path, name, generator)),
            Ok(false) => {}
            Err(error) => return because(&error),
        }
    }
    let listed =
        found.iter().map(|(path, name, _)| format!("{path} ({name})")).collect::<Vec<_>>().join(", ");
    match found.as_slice() {
        [] => Fact::unknown(format!(
            "there is no dracut, no mkinitcpio, no update-initramfs with {SETTINGS}, and no sign of another generator"
        )),
        [(path, name, Some(generator))] => {
            let generator = match generator {
                Usable::InitramfsTools => InitramfsGenerator::InitramfsTools,
                Usable::Dracut => InitramfsGenerator::Dracut,
                Usable::NixOs => InitramfsGenerator::NixOs,
                Usable::Mkinitcpio => match mkinitcpio::as_set_up(host) {
                    Ok(found) => InitramfsGenerator::Mkinitcpio(found),
                    Err(why) => return Fact::Unknown(why),
                },
            };
            Fact::known(generator, *path, format!("is there: {name}"))
        }
        _ if found.iter().any(|(_, _, generator)| generator.is_some()) => Fact::unknown(format!(
            "two generators of the initramfs are installed, and either could be in use: {listed}"
        )),
        _ => Fact::unknown(format!("passthru does not know yet how to use what was found: {listed}")),
    }
}
