//! Which of the host's firmware images boots a guest.

use std::path::PathBuf;

use passthru_model::HostFacts;
use passthru_model::facts::GuestFirmware;

/// A UEFI firmware chosen for a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uefi {
    /// The code image, shared and read-only.
    pub code: PathBuf,
    /// The variable store that is copied for each guest.
    pub template: PathBuf,
    /// The layout of both.
    pub format: String,
    /// Whether it starts only what is signed, by keys that its template holds, and keeps its variables from the guest in
    /// system management mode.
    pub secure_boot: bool,
}

/// What tells firmware with Secure Boot: it checks signatures, has the keys for it enrolled, and needs system management
/// mode to keep its variables (`docs/interop/firmware.json` of QEMU).
const SECURE: [&str; 3] = ["secure-boot", "enrolled-keys", "requires-smm"];

/// Whether a descriptor fits a q35 guest, with Secure Boot and its keys, or without anything of it.
fn fits(firmware: &GuestFirmware, secure_boot: bool) -> bool {
    // The machine is started by its alias `q35`, so any version's glob will do.
    let q35 = |glob: &String| glob == "q35" || glob == "*" || glob.starts_with("pc-q35-");
    firmware.present
        && firmware.machines.iter().any(q35)
        && SECURE.iter().all(|feature| firmware.features.contains(*feature) == secure_boot)
}

/// The first firmware that fits, in the order in which QEMU's rules choose. The error says why there is none.
pub fn choose(facts: &HostFacts, secure_boot: bool) -> Result<Uefi, String> {
    let known = facts.guest_firmware.value().ok_or_else(|| {
        facts.guest_firmware.because().unwrap_or("the firmware descriptors were not looked at").to_owned()
    })?;
    let found = known.iter().find(|firmware| fits(firmware, secure_boot)).ok_or_else(|| {
        if known.is_empty() {
            "no firmware descriptor is in /usr/share/qemu/firmware or /etc/qemu/firmware".to_owned()
        } else {
            let with = if secure_boot { "with Secure Boot, enrolled keys" } else { "without Secure Boot" };
            format!("none of {} firmware descriptors is for q35 {with} and has its files", known.len())
        }
    })?;
    Ok(Uefi {
        code: PathBuf::from(&found.code),
        template: PathBuf::from(&found.vars),
        format: found.format.clone(),
        secure_boot,
    })
}

#[cfg(test)]
mod tests {
    use super::choose;
    use crate::testing;
    use passthru_model::Fact;

    #[test]
    fn the_first_without_secure_boot_is_chosen() {
        let chosen = choose(&testing::facts(), false).expect("a firmware");
        assert_eq!(chosen.code.to_str(), Some("/usr/share/OVMF/OVMF_CODE_4M.fd"));
        let secure = choose(&testing::facts(), true).expect("a firmware");
        assert_eq!(secure.template.to_str(), Some("/usr/share/OVMF/OVMF_VARS_4M.ms.fd"));
    }

    #[test]
    fn secure_boot_without_enrolled_keys_would_check_nothing() {
        let mut facts = testing::facts();
        let Fact::Known(list, _) = &mut facts.guest_firmware else { panic!("known") };
        for firmware in list.iter_mut() {
            firmware.features.remove("enrolled-keys");
        }
        insta::assert_snapshot!(choose(&facts, true).expect_err("none"), @"none of 2 firmware descriptors is for q35 with Secure Boot, enrolled keys and has its files");
    }

    #[test]
    fn firmware_whose_files_are_gone_is_passed_over_and_the_reason_is_said() {
        let mut facts = testing::facts();
        let Fact::Known(list, _) = &mut facts.guest_firmware else { panic!("known") };
        for firmware in list.iter_mut() {
            firmware.present = false;
        }
        insta::assert_snapshot!(choose(&facts, false).expect_err("none"), @"none of 2 firmware descriptors is for q35 without Secure Boot and has its files");
    }
}
