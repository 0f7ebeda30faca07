//! Whether the host is set up as `[host]` of the intent says: what the kernel shows, not what files say.

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::fact::Evidence;
use passthru_model::finding::{Finding, Remedy, Verdict};
use passthru_model::intent::Intent;

use super::finding;
use crate::planner::{HostReset, resets};
use crate::sriov;

const WHY_RESET: &str = "a device that is not reset between two guests may be dead for the second";
const WHY_MODULE: &str = "what the intent asks of a module happens only while it is loaded";
const WHY_MADE: &str = "a guest that is given a virtual function does not start while there is none";
const WHY_POWER: &str = "some devices do not come back once all power was taken from them";

/// One finding for each setting whose outcome the kernel shows.
pub(super) fn findings(facts: &HostFacts, intent: &Intent) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(
        intent.host.virtual_functions.iter().map(|(address, number)| made(facts, *address, number.get())),
    );
    if intent.isolate.is_empty() {
        return findings;
    }
    for (is_wanted, module) in
        [(intent.host.kvmfr.is_some(), "kvmfr"), (intent.host.vendor_reset, "vendor_reset")]
    {
        if is_wanted {
            findings.push(loaded(facts, module));
        }
    }
    findings.extend(resets(facts, intent).iter().filter_map(|wanted| reset(facts, wanted)));
    if intent.host.no_d3cold {
        findings.extend(powered(facts, intent));
    }
    findings
}

fn loaded(facts: &HostFacts, module: &str) -> Finding {
    let id = format!("module-{module}");
    let Some(modules) = facts.kernel.loaded.value() else {
        let because = facts.kernel.loaded.because().unwrap_or_default();
        return finding(
            id,
            Verdict::Unknown,
            format!("whether {module} is loaded is not known: {because}"),
            WHY_MODULE,
        );
    };
    let is_there = modules.iter().any(|name| name == module);
    let mut found = if is_there {
        finding(id, Verdict::Pass, format!("{module} is loaded"), WHY_MODULE)
    } else {
        let mut found = finding(id, Verdict::Fail, format!("{module} is not loaded"), WHY_MODULE);
        found.remedy = Some(Remedy::by_hand(
            "It is no part of Linux: install it for this kernel (DKMS), signed where Secure Boot is on, and reboot",
        ));
        found
    };
    found.evidence.push(Evidence::new("/proc/modules", if is_there { module } else { "no such line" }));
    found
}

/// Of a function that is there.
fn reset(facts: &HostFacts, wanted: &HostReset) -> Option<Finding> {
    let function = facts.function(wanted.address)?;
    let id = format!("reset-{}", wanted.address);
    let now = function.reset_methods.join(" ");
    let asked = wanted.methods.to_string();
    let mut found = if now == asked {
        finding(
            id,
            Verdict::Pass,
            format!("{} is reset as the intent says: {now}", wanted.address),
            WHY_RESET,
        )
    } else {
        let shown = if now.is_empty() { "in no way" } else { &now };
        let text = format!("{} is reset {shown}, where the intent says {asked}", wanted.address);
        let mut found = finding(id, Verdict::Fail, text, WHY_RESET);
        found.remedy = Some(Remedy::by_hand(
            "Reboot, if there was none since; else the kernel has no such reset for it, and its log says so",
        ));
        found
    };
    found.evidence.push(Evidence::new(function.attribute("reset_method"), now));
    Some(found)
}

/// Whether a physical function has its virtual ones.
fn made(facts: &HostFacts, physical: PciAddress, wanted: u16) -> Finding {
    let id = format!("virtual-functions-{physical}");
    let Some(function) = facts.function(physical) else {
        let mut found = finding(
            id,
            Verdict::Fail,
            format!("{physical} is to have virtual functions, and is not there"),
            WHY_MADE,
        );
        found.remedy = Some(Remedy::by_hand(
            "If the card was taken out or moved, change virtual-functions in /etc/passthru/passthru.toml",
        ));
        return found;
    };
    let Some(state) = sriov::of(facts, function) else {
        let text = format!("how many virtual functions {physical} has is not known");
        return finding(id, Verdict::Unknown, text, WHY_MADE);
    };
    let now = state.enabled;
    let mut found = if now == wanted {
        finding(id, Verdict::Pass, format!("{physical} has its virtual functions: {now}"), WHY_MADE)
    } else {
        let text = format!("{physical} has {now} virtual functions, where the intent says {wanted}");
        let mut found = finding(id, Verdict::Fail, text, WHY_MADE);
        found.remedy = Some(Remedy::by_hand(
            "Reboot, if there was none since it was set; else the kernel's log says why its driver makes no more",
        ));
        found
    };
    found.evidence.push(Evidence::new(function.attribute("sriov_numvfs"), now.to_string()));
    found
}

fn powered(facts: &HostFacts, intent: &Intent) -> Option<Finding> {
    let states = facts.device_states.value()?;
    let cut: Vec<String> = intent
        .isolate
        .iter()
        .filter(|device| states.get(&device.address).and_then(|state| state.d3cold_allowed) == Some(true))
        .map(|device| device.address.to_string())
        .collect();
    let id = "d3cold";
    if cut.is_empty() {
        return Some(finding(
            id,
            Verdict::Pass,
            "no isolated function may lose all power while idle",
            WHY_POWER,
        ));
    }
    let text = format!("all power may be taken from {} while idle", cut.join(", "));
    let mut found = finding(id, Verdict::Fail, text, WHY_POWER);
    found.remedy = Some(Remedy::by_hand("Reboot, if there was none since it was set"));
    Some(found)
}
