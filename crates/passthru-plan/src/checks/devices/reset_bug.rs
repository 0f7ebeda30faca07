//! GPUs that are known not to come back from a reset.

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;
use passthru_model::pci::PciFunction;

use super::subjects::{judged, subjects};
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "reset-bug",
    title: "a guest's GPU is not of a family with a broken reset",
    section: "Passing through a device that does not support resetting",
    why: "some families of GPUs list a reset and do not come back from it; the first guest works, and the next one gets a \
          dead card until the host is started anew",
    run,
};

/// Who makes the GPUs of the table.
const ATI: u16 = 0x1002;

/// What helps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// The module `vendor_reset`, which is not a part of Linux, has a reset for it.
    VendorReset,
    /// Nothing that is known for certain.
    None,
}

/// One family, by its device ids.
struct Family {
    name: &'static str,
    ids: &'static [(u16, u16)],
    cure: Cure,
}

/// Ranges of device ids, first and last. Those with a cure are the ones that vendor-reset names; that those without are
/// unreliable is what their owners report (vendor-reset issues 107 and others; PRACTICE 8.5).
static FAMILIES: &[Family] = &[
    Family { name: "Polaris 10 or 20", ids: &[(0x67c0, 0x67df), (0x6fdf, 0x6fdf)], cure: Cure::VendorReset },
    Family { name: "Polaris 11 or 21", ids: &[(0x67e0, 0x67ff)], cure: Cure::VendorReset },
    Family { name: "Polaris 12", ids: &[(0x6980, 0x699f)], cure: Cure::VendorReset },
    Family { name: "Vega 10", ids: &[(0x6860, 0x687f)], cure: Cure::VendorReset },
    Family { name: "Vega 20", ids: &[(0x66a0, 0x66af)], cure: Cure::VendorReset },
    Family { name: "Navi 10", ids: &[(0x7310, 0x731f)], cure: Cure::VendorReset },
    Family { name: "Navi 14", ids: &[(0x7340, 0x734f)], cure: Cure::VendorReset },
    Family { name: "Navi 12", ids: &[(0x7360, 0x7362)], cure: Cure::VendorReset },
    Family { name: "Navi 31", ids: &[(0x7448, 0x745f)], cure: Cure::None },
    Family { name: "Navi 44 or 48", ids: &[(0x7550, 0x7551), (0x7590, 0x7590)], cure: Cure::None },
];

/// Whether the module vendor-reset has a reset for a function.
pub(crate) fn has_vendor_reset(function: &PciFunction) -> bool {
    family(function).is_some_and(|family| family.cure == Cure::VendorReset)
}

fn family(function: &PciFunction) -> Option<&'static Family> {
    if function.id.vendor.0 != ATI || !function.class.is_display() {
        return None;
    }
    let id = function.id.device.0;
    FAMILIES.iter().find(|family| family.ids.iter().any(|(first, last)| (*first..=*last).contains(&id)))
}

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let displays: Vec<&PciFunction> = subjects.displays().collect();
    if displays.is_empty() {
        return Outcome::skip("no display is chosen for guests");
    }
    let loaded =
        facts.kernel.loaded.value().is_some_and(|modules| modules.iter().any(|name| name == "vendor_reset"));
    let mut remarks = Vec::new();
    let mut evidence = Vec::new();
    let mut command = None;
    for function in displays {
        let Some(family) = family(function) else {
            remarks.push((Verdict::Pass, format!("no family with a known fault: {}", function.address)));
            continue;
        };
        let first = function.reset_methods.first().map_or("", String::as_str);
        evidence.push((function.attribute("device"), function.id.to_string()));
        remarks.push(match family.cure {
            Cure::VendorReset if first == "device_specific" => (
                Verdict::Pass,
                format!("{} is a {}, and is reset by vendor-reset", function.address, family.name),
            ),
            Cure::VendorReset if loaded => {
                command = Some(format!("echo device_specific > {}", function.attribute("reset_method")));
                (
                    Verdict::Warn,
                    format!(
                        "{} is a {}: the module vendor_reset is loaded, and the kernel does not use its reset first",
                        function.address, family.name
                    ),
                )
            }
            Cure::VendorReset => (
                Verdict::Warn,
                format!(
                    "{} is a {}, which often does not come back from the kernel's resets",
                    function.address, family.name
                ),
            ),
            Cure::None => (
                Verdict::Warn,
                format!("{} is a {}, of which failing resets are reported", function.address, family.name),
            ),
        });
    }
    let outcome = judged(&remarks).all_evidence(evidence);
    match command {
        _ if outcome.verdict <= Verdict::Pass => outcome,
        Some(command) => outcome.by_command("Let the kernel try that reset first", command),
        None => outcome.by_hand(
            "Start the guest twice in a row to see whether yours comes back. The module vendor-reset has resets for Polaris, Vega and \
             Navi 10 to 14 (`passthru isolate --vendor-reset yes`); of others, some come back after the host was suspended and resumed between two guests",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::FAMILIES;

    #[test]
    fn no_id_is_of_two_families() {
        for (index, one) in FAMILIES.iter().enumerate() {
            for other in FAMILIES.iter().skip(index + 1) {
                for (first, last) in one.ids {
                    assert!(first <= last, "{}", one.name);
                    let apart = |(start, end): &(u16, u16)| end < first || start > last;
                    assert!(other.ids.iter().all(apart), "{} and {}", one.name, other.name);
                }
            }
        }
    }
}
