//! Who builds the host's initramfs.

use passthru_model::fact::Fact;
use passthru_model::facts::InitramfsGenerator;

use super::because;
use crate::host::Host;

/// Signs of other generators.
const OTHERS: &[(&str, &str)] = &[
    ("/usr/bin/dracut", "dracut"),
    ("/usr/sbin/dracut", "dracut"),
    ("/usr/bin/mkinitcpio", "mkinitcpio"),
    ("/usr/bin/booster", "booster"),
    ("/etc/NIXOS", "NixOS"),
    ("/run/ostree-booted", "rpm-ostree"),
];

/// The one generator that is installed, or why that is not known.
pub(super) fn generator(host: &Host) -> Fact<InitramfsGenerator> {
    const SETTINGS: &str = "/etc/initramfs-tools";
    let mut programs = Vec::new();
    let mut others = Vec::new();
    let all = [("/usr/sbin/update-initramfs", None), ("/sbin/update-initramfs", None)]
        .into_iter()
        .chain(OTHERS.iter().map(|(path, name)| (*path, Some(*name))));
    for (path, name) in all {
        match (host.exists(path), name) {
            (Ok(true), None) => programs.push(path),
            (Ok(true), Some(name)) => others.push(format!("{path} ({name})")),
            (Ok(false), _) => {}
            (Err(error), _) => return because(&error),
        }
    }
    let settings = match host.exists(SETTINGS) {
        Ok(there) => there,
        Err(error) => return because(&error),
    };
    match programs.first().filter(|_| settings) {
        Some(program) if others.is_empty() => {
            Fact::known(InitramfsGenerator::InitramfsTools, *program, format!("is there, with {SETTINGS}"))
        }
        Some(program) => Fact::unknown(format!(
            "two generators of the initramfs are installed, and either could be in use: {program} (initramfs-tools), {}",
            others.join(", ")
        )),
        None if others.is_empty() => Fact::unknown(format!(
            "there is no update-initramfs with {SETTINGS}, and no sign of another generator"
        )),
        None => Fact::unknown(format!(
            "passthru does not know yet how to use what was found: {}",
            others.join(", ")
        )),
    }
}
