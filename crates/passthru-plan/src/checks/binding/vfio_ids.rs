//! Whether the ids given to vfio-pci take what was meant, and nothing else.

use std::collections::BTreeMap;

use passthru_formats::vfio_ids::MOST_BYTES;
use passthru_model::HostFacts;

use crate::binding::{effective_ids, taken};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};
use crate::groups::listed;
use crate::stake::{Stake, Stakes};

pub(super) const CHECK: Check = Check {
    id: "vfio-ids",
    title: "the ids given to vfio-pci take the devices that were meant, and no others",
    section: "Using vfio-pci",
    why: "ids name a kind of device: every function of that kind goes to vfio-pci, the host's own among them",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let unseen = facts.binding.modprobe.because().or(facts.kernel.cmdline.because());
    let Some(setting) = effective_ids(facts, "vfio_pci") else {
        return match unseen {
            Some(because) => Outcome::unknown("which ids vfio-pci is given", because),
            None => Outcome::skip("no ids are given to vfio-pci"),
        };
    };
    let mut remarks = Remarks::default();
    remarks.seen(setting.place.clone(), format!("ids={}", setting.value));
    for entry in setting.refused() {
        remarks.fail(format!("the kernel passes over ‘{entry}’, which is no vendor:device")).by_hand(
            format!("Write ids such as 10de:13c2 in {}; ‘passthru groups’ shows them", setting.place),
        );
    }
    if setting.value.len() > MOST_BYTES {
        remarks
            .fail(format!("the list is longer than the {MOST_BYTES} bytes that the kernel keeps"))
            .by_hand("Bind by address with ‘passthru isolate’ instead");
    }
    if let Some(because) = facts.pci.because() {
        return match remarks.outcome(String::new()) {
            outcome if outcome.summary.is_empty() => Outcome::unknown("which devices there are", because),
            outcome => outcome,
        };
    }
    strangers(facts, &setting, &mut remarks);
    let taken = taken(facts, &setting);
    let addresses: Vec<_> = taken.iter().map(|function| function.address).collect();
    let stakes = Stakes::of(facts);
    let leaving = stakes.leaving(addresses.iter().copied());
    for function in &taken {
        if function.is_bridge() {
            remarks
                .fail(format!(
                    "they take {} ({}), a bridge, which vfio-pci refuses",
                    function.address, function.id
                ))
                .by_hand(format!("Leave the ids of bridges out of {}", setting.place));
        }
        // What vfio-pci has already is not the host's any more; what the host still uses would be lost.
        let lost = stakes.of_taking(function, &leaving).into_iter().find(Stake::is_loss);
        if let Some(stake) = lost.filter(|_| !function.is_on_vfio()) {
            remarks
                .fail(format!("they take {}: {}", function.address, stake.sentence()))
                .by_command("Bind by address instead of by id", "passthru isolate ADDRESS");
        }
    }
    remarks.outcome(format!("they take {} ({})", count(taken.len(), "function"), listed(&addresses)))
}

/// Entries that match nothing, and entries that match more than one card.
fn strangers(facts: &HostFacts, setting: &crate::binding::IdsSetting, remarks: &mut Remarks) {
    for entry in setting.entries() {
        let mut slots: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for function in facts.functions() {
            if entry.matches(function.id, function.subsystem, function.class) {
                slots.entry(function.address.slot()).or_default().push(function.address);
            }
        }
        if slots.is_empty() {
            remarks.warn(format!("no device of this host has the id {}", entry.text)).by_hand(format!(
                "Take it out of {}, or put in the id that ‘passthru groups’ shows",
                setting.place
            ));
        } else if slots.len() > 1 {
            let all: Vec<_> = slots.into_values().flatten().collect();
            let remark = format!("{} takes all of {}, which have the same ids", entry.text, listed(&all));
            let on_host =
                all.iter().filter_map(|address| facts.function(*address)).any(|one| !one.is_on_vfio());
            if on_host { remarks.fail(remark) } else { remarks.warn(remark) }.by_command(
                "Where one of them is to stay on the host, bind by address",
                "passthru isolate ADDRESS",
            );
        }
    }
}
