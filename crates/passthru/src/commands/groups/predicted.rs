//! `passthru groups --predict`: the groups that the kernel would form, and where the real ones differ.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use passthru_model::facts::HostKind;
use passthru_model::{HostFacts, PciAddress};
use passthru_plan::predict::{self, AcsOverride, Assumptions, Difference, Prediction};

use super::{as_envelope, as_text, view};
use crate::args::GroupsArguments;
use crate::context::Context;
use crate::envelope;
use crate::exit::{Exit, Failure};
use crate::printer::{self, plain};

const RISK: &str = "the override does not keep devices apart, it only makes the kernel believe that they are: a guest that \
                    has one of them can reach the memory and the registers of the others past the IOMMU. Another slot, or \
                    a firmware option named ACS, is better";

/// Prints the foretold groups, or those of the named functions.
pub(super) fn run(
    context: &Context,
    facts: &HostFacts,
    arguments: &GroupsArguments,
) -> Result<Exit, Failure> {
    let assumptions = Assumptions { acs_override: arguments.acs_override.clone() };
    let prediction = predict::predict(facts, &assumptions);
    // With the override, the groups are those of another kernel: to compare them would explain nothing.
    let differences = match arguments.acs_override {
        None => predict::compare(facts, &prediction),
        Some(_) => None,
    };
    let differences = differences.map(|all| named(all, &arguments.addresses));
    let overridden = arguments.acs_override.as_ref().map(|words| overridden(facts, words, &prediction));
    let foretold_facts = predict::with_groups(facts, &prediction);
    if context.printer.json {
        let mut document = as_envelope(view(&foretold_facts, &arguments.addresses), &|_| Vec::new());
        for group in &mut document.groups {
            group.foretold = foretold(&prediction, group.view.id);
        }
        document.predicted = Some(true);
        document.unseen = Some(prediction.unseen.clone());
        document.differences = differences;
        document.acs_override = overridden;
        context.printer.json_document(&document)?;
        return Ok(Exit::Done);
    }
    let mut texts = as_text(&foretold_facts, &arguments.addresses, &|group| reasons(&prediction, group.id));
    let mut after = String::new();
    foot(&mut after, facts, &prediction, differences.as_deref(), overridden.as_ref());
    texts.push(after);
    context.printer.pieces(texts.iter().map(String::as_str))?;
    Ok(Exit::Done)
}

/// The differences that named functions have a part in; all where none is named.
fn named(differences: Vec<Difference>, addresses: &[PciAddress]) -> Vec<Difference> {
    let concerns = |difference: &Difference| {
        addresses.is_empty() || difference.functions.iter().any(|function| addresses.contains(function))
    };
    differences.into_iter().filter(concerns).collect()
}

fn foretold(prediction: &Prediction, id: u32) -> Option<envelope::Foretold> {
    let group = prediction.group(id)?;
    let member = |member: &predict::Member| envelope::ForetoldMember {
        address: member.address,
        joined: member.joined.clone(),
        because: member.because.clone(),
    };
    Some(envelope::Foretold {
        certain: group.certain,
        at_best: group.at_best.clone(),
        members: group.members.iter().map(member).collect(),
    })
}

/// Why the functions of a group are together, and how sure that is.
fn reasons(prediction: &Prediction, id: u32) -> Vec<String> {
    let Some(group) = prediction.group(id) else { return Vec::new() };
    let mut found = group.reasons.clone();
    if !group.certain {
        let best: Vec<String> = group.at_best.iter().map(|set| format!("[{}]", listed(set))).collect();
        found.push(format!("uncertain; at best the groups are {}", best.join(" ")));
    }
    found
}

/// What the override takes apart.
fn overridden(facts: &HostFacts, words: &AcsOverride, with: &Prediction) -> envelope::Overridden {
    let without = predict::predict(facts, &Assumptions::default());
    let with: BTreeSet<Vec<PciAddress>> =
        with.groups.iter().map(predict::PredictedGroup::addresses).collect();
    let parted =
        without.groups.iter().map(predict::PredictedGroup::addresses).filter(|group| !with.contains(group));
    envelope::Overridden { words: words.to_string(), parted: parted.collect(), risk: RISK.to_owned() }
}

/// What follows the groups: differences from the real ones, what was not seen, what the override would do.
fn foot(
    out: &mut String,
    facts: &HostFacts,
    prediction: &Prediction,
    differences: Option<&[Difference]>,
    overridden: Option<&envelope::Overridden>,
) {
    let width = printer::width();
    let mut line = |indent: usize, text: &str| {
        let _ = writeln!(out, "{:indent$}{}", "", printer::wrap(&plain(text), width, indent));
    };
    line(0, "");
    if let Some(overridden) = overridden {
        line(
            0,
            &format!(
                "as a kernel with the ACS override patch and pcie_acs_override={} has it",
                overridden.words
            ),
        );
        if overridden.parted.is_empty() {
            line(2, "it would change nothing");
        }
        for group in &overridden.parted {
            line(2, &format!("it would take apart {}", listed(group)));
        }
        if !overridden.parted.is_empty() {
            line(2, &format!("risk: {}", overridden.risk));
        }
        line(2, "kernels without the patch ignore the parameter");
    } else {
        match differences {
            None => line(0, "foretold; this host has no groups to compare with"),
            Some([]) => line(0, "foretold, and the real groups are the same"),
            Some(all) => {
                line(0, "foretold; the real groups differ:");
                for difference in all {
                    show(&mut line, difference);
                }
            }
        }
    }
    for unseen in &prediction.unseen {
        line(0, &format!("not seen: {unseen}"));
    }
    if !prediction.unseen.is_empty() && facts.surroundings.kind == HostKind::Live && !facts.surroundings.root
    {
        line(0, "only root may read all of configuration space");
    }
}

/// One difference.
fn show(line: &mut dyn FnMut(usize, &str), difference: &Difference) {
    let sets = |sets: &[Vec<PciAddress>]| {
        let all: Vec<String> = sets.iter().map(|set| format!("[{}]", listed(set))).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(" ") }
    };
    line(2, &format!("real {}; foretold {}", sets(&difference.real), sets(&difference.predicted)));
    for because in &difference.because {
        line(4, &format!("because {because}"));
    }
    if difference.because.is_empty() {
        line(4, "nothing known explains it: please report it with ‘passthru capture’");
    }
}

fn listed(addresses: &[PciAddress]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
