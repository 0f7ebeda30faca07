//! May a device's ROM be read now? To read it, its decoding is switched on for a moment, which a driver can mind.

use passthru_model::pci::PciFunction;

/// What only the live host says of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PowerAndUse {
    /// The file `power_state`: `D0`, `D3hot`, `D3cold`, …; `None` where the kernel (before 5.12) has none.
    pub power_state: Option<String>,
    /// The file `enable`: how many users keep the function switched on.
    pub users: Option<u32>,
}

/// Why a ROM is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpRefusal {
    /// Why, in a sentence that follows "ADDRESS:".
    pub reason: String,
    /// What would settle it.
    pub remedy: String,
    /// Whether the user can insist.
    pub can_insist: bool,
}

/// Every reason not to read a ROM now.
pub fn may_dump(function: &PciFunction, state: &PowerAndUse, insist: bool) -> Vec<DumpRefusal> {
    let mut refusals = Vec::new();
    let control = function.attribute("power/control");
    if state.power_state.as_deref() == Some("D3cold") {
        refusals.push(DumpRefusal {
            reason: "it has no power (D3cold), and what is read of it would be ff".to_owned(),
            remedy: format!("wake it first: echo on > {control}"),
            can_insist: false,
        });
    } else if function.config.get(..4).is_some_and(|begin| begin == [0xff; 4]) {
        refusals.push(DumpRefusal {
            reason: "it does not answer: its configuration space reads as ff".to_owned(),
            remedy: "it is asleep or hangs; a cold start of the machine brings it back".to_owned(),
            can_insist: false,
        });
    }
    if insist {
        return refusals;
    }
    match &function.driver {
        Some(driver) if !function.is_on_vfio() => refusals.push(DumpRefusal {
            reason: format!("{driver} uses it, and can be disturbed while its ROM is read"),
            remedy: format!("isolate it (passthru isolate {}), or insist with --insist", function.address),
            can_insist: true,
        }),
        // vfio-pci switches a function on when somebody opens it (`vfio_pci_core_enable`).
        Some(driver) if state.users.is_some_and(|users| users > 0) => refusals.push(DumpRefusal {
            reason: format!("a guest has it through {driver}"),
            remedy: "stop the guest, or insist with --insist".to_owned(),
            can_insist: true,
        }),
        _ => {}
    }
    refusals
}
