//! One screen: what is ready, what blocks, and the next step to take.

use passthru_model::HostFacts;
use passthru_model::finding::{Finding, Remedy, Verdict};
use passthru_model::intent::Intent;
use schemars::JsonSchema;
use serde::Serialize;

use crate::groups::listed;

/// What `passthru` without arguments says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// The whole in one line.
    pub headline: String,
    /// What is as it should be, a line each; what every guest with a device needs comes first.
    pub ready: Vec<String>,
    /// What stands in the way or wants attention, a line each, worst first.
    pub blocks: Vec<Block>,
    /// The next step to take; `None`: nothing is left to do.
    pub next: Option<Remedy>,
}

/// One thing that stands in the way or wants attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Block {
    /// The check that found it.
    pub id: String,
    /// How bad it is: fail, warn or unknown.
    pub verdict: Verdict,
    /// What was found.
    pub summary: String,
}

impl Block {
    fn of(finding: &Finding) -> Self {
        Self { id: finding.id.clone(), verdict: finding.verdict, summary: finding.summary.clone() }
    }
}

/// Sums up a system that does not run but is mounted: what its files and its last boot say. `undo` is the command that takes the
/// last change back.
pub fn summary_of_mounted(facts: &HostFacts, intent: Option<&Intent>, undo: String) -> Summary {
    let Some(intent) = intent else {
        let headline = "nothing is isolated in this system".to_owned();
        return Summary { headline, ready: Vec::new(), blocks: Vec::new(), next: None };
    };
    let mut findings = crate::verify_files(facts, intent);
    findings.extend(crate::diagnose(facts, &["last-boot"]).unwrap_or_default());
    let (bad, good): (Vec<&Finding>, Vec<&Finding>) = findings
        .iter()
        .filter(|one| one.verdict != Verdict::Skip)
        .partition(|one| one.verdict > Verdict::Pass);
    let addresses: Vec<_> = intent.isolate.iter().map(|device| device.address).collect();
    let what = "If it is this that keeps the system from coming up: take the last change back. Without that, the boot menu entry \
                without PCI passthrough starts the system once";
    Summary {
        headline: format!("at boot this system gives {} to guests", listed(&addresses)),
        ready: good.into_iter().map(|one| one.summary.clone()).collect(),
        blocks: bad.into_iter().map(Block::of).collect(),
        next: Some(Remedy::by_command(what, undo)),
    }
}

/// The checks without which there is no passthrough at all.
const NEEDED: &[&str] = &[
    "cpu-virtualization",
    "kvm",
    "iommu-enabled",
    "iommu-groups",
    "interrupt-remapping",
    "isolation-state",
    "vfio-pci",
    "qemu",
    "ovmf",
];

/// Sums up a host for one screen. `findings` are those of [`crate::diagnose`]; `intent` is the host's, `None` where it
/// has none.
pub fn summary(facts: &HostFacts, intent: Option<&Intent>, findings: &[Finding]) -> Summary {
    let mut passed: Vec<&Finding> = findings.iter().filter(|one| one.verdict == Verdict::Pass).collect();
    // Stable as well: what every guest with a device needs comes first.
    passed.sort_by_key(|one| !NEEDED.contains(&one.id.as_str()));
    let ready = passed.iter().map(|one| one.summary.clone()).collect();
    let mut bad: Vec<&Finding> = findings.iter().filter(|one| one.verdict > Verdict::Pass).collect();
    // Stable: among equals the order of the checks stays, in which causes come ahead of their effects.
    bad.sort_by_key(|one| std::cmp::Reverse(one.verdict));
    let blocks = bad.iter().copied().map(Block::of).collect();
    let chosen = intent.map(|intent| &intent.isolate).filter(|isolate| !isolate.is_empty());
    let stops: Vec<&&Finding> = bad.iter().filter(|one| one.verdict == Verdict::Fail).collect();
    let headline = match (chosen, stops.len()) {
        (None, 0) => "this host is ready: choose the device that a guest is to have".to_owned(),
        (None, _) if only_curable(&stops) => "this host can do passthrough once it is set up".to_owned(),
        (Some(devices), 0) => {
            let addresses: Vec<_> = devices.iter().map(|device| device.address).collect();
            format!("ready for guests: {}", listed(&addresses))
        }
        (_, 1) => "one thing stands in the way".to_owned(),
        (_, number) => format!("{number} things stand in the way"),
    };
    Summary { headline, ready, blocks, next: next(facts, chosen.is_some(), intent, &stops) }
}

/// Whether `passthru isolate` itself mends all that is wrong.
fn only_curable(stops: &[&&Finding]) -> bool {
    let by_isolating = |one: &&Finding| {
        let command = one.remedy.as_ref().and_then(|remedy| remedy.command.as_deref());
        command == Some("passthru isolate ADDRESS")
            // These follow from an IOMMU that is off.
            || matches!(one.id.as_str(), "iommu-groups" | "kernel-parameters")
    };
    stops.iter().all(|one| by_isolating(one))
}

fn next(facts: &HostFacts, chosen: bool, intent: Option<&Intent>, stops: &[&&Finding]) -> Option<Remedy> {
    if !chosen && only_curable(stops) {
        return Some(Remedy::by_command(
            "Choose a device from `passthru groups`, and see the plan that sets it apart for guests",
            "passthru isolate ADDRESS",
        ));
    }
    if let Some(remedy) = stops.iter().find_map(|one| one.remedy.clone()) {
        return Some(remedy);
    }
    let first = intent?
        .isolate
        .iter()
        .find(|device| facts.function(device.address).is_some_and(|f| f.class.is_display()));
    let first = first.or(intent?.isolate.first())?;
    Some(Remedy::by_command(
        "Prove it: a tiny guest is started with the device and says what it saw",
        format!("passthru try {}", first.address),
    ))
}
