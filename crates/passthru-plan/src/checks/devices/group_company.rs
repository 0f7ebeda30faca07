//! What else is in the group of each display device.

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;

use crate::checks::{Check, Outcome, displays};
use crate::groups::company;
use crate::stake::{Stake, Stakes};

pub(super) const CHECK: Check = Check {
    id: "group-company",
    title: "what goes to the guest with each display device",
    section: "Ensuring that the groups are valid",
    why: "all devices of a group go to the guest together, or none does",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    if let Some(because) = facts.pci.because().or(facts.iommu.groups.because()) {
        return Outcome::unknown("who shares a group", because);
    }
    let displays = displays(facts);
    if displays.is_empty() {
        return Outcome::skip("this host has no display device");
    }
    let mut outcome = Outcome::pass(String::new());
    let mut lines = Vec::new();
    let stakes = Stakes::of(facts);
    for display in displays {
        let groups = facts.iommu.groups.value();
        let Some(group) = display.group.and_then(|id| groups.and_then(|groups| groups.get(&id))) else {
            continue;
        };
        let company = company(facts, group);
        let leaving = stakes.leaving(company.iter().map(|member| member.address));
        let strangers: Vec<String> = company
            .iter()
            .filter(|member| member.address.slot() != display.address.slot())
            .map(|member| {
                let stake = stakes.of_taking(member, &leaving).into_iter().find(Stake::is_loss);
                let loss = stake.map_or_else(String::new, |stake| format!(": {}", stake.sentence()));
                format!("{} ({}){loss}", member.address, facts.name_of(member))
            })
            .collect();
        let lost = company
            .iter()
            .filter(|member| member.address.slot() != display.address.slot())
            .any(|member| stakes.of_taking(member, &leaving).iter().any(Stake::is_loss));
        outcome = outcome.evidence(
            format!("/sys/kernel/iommu_groups/{}/devices", group.id),
            crate::groups::listed(&group.members),
        );
        if strangers.is_empty() {
            lines
                .push(format!("{} shares group {} with nothing but its own card", display.address, group.id));
        } else {
            let worse = if lost { Verdict::Fail } else { Verdict::Warn };
            outcome.verdict = outcome.verdict.max(worse);
            lines.push(format!(
                "{} shares group {} with {}",
                display.address,
                group.id,
                strangers.join(", ")
            ));
        }
    }
    if lines.is_empty() {
        return Outcome::skip("no display device is in a group");
    }
    outcome.summary = lines.join("; ");
    if outcome.verdict > Verdict::Pass {
        return outcome.by_command(
            "Another slot for the card, a firmware update, or a firmware option named ACS may part them",
            "passthru groups",
        );
    }
    outcome
}
