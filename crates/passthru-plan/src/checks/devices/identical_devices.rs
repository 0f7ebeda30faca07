//! Devices with the same PCI ID, of which only one is to go.

use std::collections::BTreeSet;

use passthru_formats::cmdline::CommandLine;
use passthru_formats::vfio_ids::{self, IdEntry};
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::finding::Verdict;
use passthru_model::pci::PciFunction;

use super::subjects::{cards, judged, subjects};
use crate::checks::{Check, Outcome};
use crate::groups::listed;
use crate::stake::Stakes;

pub(super) const CHECK: Check = Check {
    id: "identical-devices",
    title: "what a guest gets is told apart from its twins",
    section: "Using identical guest and host GPUs",
    why: "vfio-pci's ids= takes every device with that PCI ID, the host's own among them; twins must be told apart by their \
          address or by their board maker's ids",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let intent = crate::intent::of(facts).ok().flatten().unwrap_or_default();
    let line = facts.kernel.cmdline.value().map(|text| CommandLine::new(text));
    let ids: Vec<&str> = line.map(|line| line.items("vfio-pci.ids").collect()).unwrap_or_default();
    let entries: Vec<IdEntry> = ids.iter().flat_map(|word| vfio_ids::parse(word)).flatten().collect();
    let stakes = Stakes::of(facts);
    let going: BTreeSet<PciAddress> = subjects.functions.iter().map(|one| one.address).collect();
    let mut remarks = Vec::new();
    let mut evidence = Vec::new();
    // The display stands for its card: where it has a twin, its audio function has one as well.
    let card = cards(facts, &subjects.functions);
    let of_interest = card.iter().filter(|function| {
        function.class.is_display()
            || !card
                .iter()
                .any(|other| other.class.is_display() && other.address.is_sibling_of(function.address))
    });
    for function in of_interest {
        let twins: Vec<_> = stakes.twins(function).filter(|twin| !going.contains(twin)).collect();
        if twins.is_empty() {
            continue;
        }
        evidence.push((function.attribute("device"), format!("{}, as {}", function.id, listed(&twins))));
        let entry = entries.iter().find(|entry| takes(entry, function));
        let same = |twin: &&PciFunction| twin.subsystem == function.subsystem;
        let boards = twins.iter().filter_map(|twin| facts.function(*twin)).filter(same).count();
        let told = if boards == 0 { "its board maker's ids differ" } else { "only its address tells it" };
        let both = format!("{} has the PCI ID {} of {}", function.address, function.id, listed(&twins));
        let by_ids = entry.is_some_and(|entry| {
            twins.iter().filter_map(|twin| facts.function(*twin)).any(|twin| takes(entry, twin))
        });
        remarks.push(if by_ids {
            (Verdict::Fail, format!("{both}, and ‘vfio-pci.ids={}’ takes them all", ids.join(",")))
        } else if subjects.chosen
            && intent.method.ids_parameter().is_some()
            && !intent.isolate.is_empty()
            && boards > 0
        {
            (Verdict::Fail, format!("{both}, and the intent binds by PCI ID"))
        } else {
            (Verdict::Pass, format!("{both}; {told}, by which ‘passthru isolate’ goes"))
        });
    }
    if remarks.is_empty() {
        return Outcome::pass("no device that a guest could have has a twin that stays with the host")
            .seen(&facts.pci);
    }
    let outcome = judged(&remarks).all_evidence(evidence);
    if outcome.verdict > Verdict::Pass {
        return outcome.seen(&facts.kernel.cmdline).by_command(
            "Take ids= out of the kernel command line and choose the device by its address",
            format!(
                "passthru isolate {}",
                subjects
                    .functions
                    .first()
                    .map_or_else(|| "ADDRESS".to_owned(), |one| one.address.to_string())
            ),
        );
    }
    outcome
}

fn takes(entry: &IdEntry, function: &PciFunction) -> bool {
    entry.matches(function.id, function.subsystem, function.class)
}
