//! What Secure Boot and lockdown refuse.

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;
use passthru_model::firmware::Lockdown;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "secure-boot",
    title: "Secure Boot and lockdown refuse nothing that is needed",
    section: "Prerequisites",
    why: "a locked-down kernel gives devices to guests as ever, but loads no unsigned module (vendor-reset, kvmfr, drivers made \
          by DKMS) and lets nobody write to a device's configuration space",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let (secure, lockdown) = (&facts.firmware.secure_boot, &facts.firmware.lockdown);
    let seen = |outcome: Outcome| outcome.seen(secure).seen(lockdown);
    let first = match secure.value() {
        Some(Some(true)) => "Secure Boot is on",
        Some(Some(false)) => "Secure Boot is off",
        Some(None) => "the firmware has no Secure Boot",
        None => "whether Secure Boot is on cannot be seen",
    };
    match lockdown.value() {
        Some(Some(level)) if *level > Lockdown::None => seen(Outcome::warn(format!(
            "{first}, and the kernel is locked down ({}): modules must be signed with a key that this machine knows",
            level.word()
        )))
        .by_hand(
            "Nothing, unless a module of your own is needed: sign it and enrol the key (`mokutil --import`). Secure Boot itself may stay on",
        ),
        Some(_) => {
            let forced = facts.kernel.options.value().is_some_and(|options| options.is_on("MODULE_SIG_FORCE"));
            let more = if forced { "; it loads signed modules only" } else { "" };
            seen(Outcome::pass(format!("{first}, and the kernel is not locked down{more}")))
        }
        None => match secure.value() {
            Some(Some(true)) => {
                let because = lockdown.because().unwrap_or_default();
                seen(Outcome::new(
                    Verdict::Unknown,
                    format!("{first}; whether the kernel is locked down is not known: {because}"),
                ))
            }
            // Kernels lock themselves down where Secure Boot is on, or where they are told to.
            Some(_) => seen(Outcome::pass(first)),
            None => seen(Outcome::unknown(
                "whether the kernel is locked down",
                lockdown.because().unwrap_or_default(),
            )),
        },
    }
}
