//! `passthru groups`: what can be passed, what must go with it, and why.

mod predicted;
mod why;

use std::fmt::Write as _;

use passthru_host::{Subject, Subjects};
use passthru_model::{HostFacts, PciAddress};
use passthru_plan::predict::{self, Assumptions, SlotAdvice};
use passthru_plan::{DeviceView, GroupView, GroupsView};

use crate::args::GroupsArguments;
use crate::context::Context;
use crate::envelope;
use crate::exit::{Exit, Failure};
use crate::printer::{self, FAINT, STRONG, plain};

/// What the verdicts on groups are made of.
pub(super) const SUBJECTS: Subjects =
    Subjects::of(&[Subject::Pci, Subject::Names, Subject::Groups, Subject::InUse]);

/// What groups are foretold and explained from besides.
const EXPLAINED: Subjects = SUBJECTS.with(&[
    Subject::PciConfig,
    Subject::PciDetails,
    Subject::Kernel,
    Subject::BootChain,
    Subject::Surroundings,
]);

/// Prints the groups, or those of the named functions.
pub(crate) fn run(context: &Context, arguments: &GroupsArguments) -> Result<Exit, Failure> {
    // Of functions that are named, all is told: why they share a group, and which slot would do better.
    let explains = arguments.predict || arguments.why.is_some() || !arguments.addresses.is_empty();
    let facts = context.facts_of(if explains { EXPLAINED } else { SUBJECTS })?;
    for address in arguments.addresses.iter().chain(&arguments.why) {
        must_be_there(&facts, *address)?;
    }
    if let Some(address) = arguments.why {
        return why::run(context, &facts, address, arguments);
    }
    if arguments.predict {
        return predicted::run(context, &facts, arguments);
    }
    let mut view = passthru_plan::groups::view(&facts);
    keep(&mut view, &arguments.addresses);
    let advice = |group: &GroupView| advice(&facts, group, &arguments.addresses);
    if context.printer.json {
        context.printer.json_document(&as_envelope(view, &advice))?;
    } else {
        context.printer.data(&as_text(&view, &advice))?;
    }
    Ok(Exit::Done)
}

/// Refuses an address that is not on the host. Where the functions are not known, that they are not is the answer.
fn must_be_there(facts: &HostFacts, address: PciAddress) -> Result<(), Failure> {
    if facts.function(address).is_some() {
        return Ok(());
    }
    Err(Failure::no(format!("{address} is not on this host"))
        .hint("‘passthru groups’ without an address lists what is"))
}

/// Keeps the groups of the named functions, where any are named.
fn keep(view: &mut GroupsView, addresses: &[PciAddress]) {
    if addresses.is_empty() {
        return;
    }
    let named = |device: &DeviceView| addresses.contains(&device.address);
    view.groups.retain(|group| group.devices.iter().any(named));
    view.ungrouped.retain(named);
}

/// Where the named functions of a group would do better.
fn advice(facts: &HostFacts, group: &GroupView, named: &[PciAddress]) -> Vec<String> {
    let devices = group.devices.iter().filter(|device| !device.is_bridge && named.contains(&device.address));
    // The functions of a card move together.
    let mut slots: Vec<PciAddress> = devices.map(|device| device.address).collect();
    slots.dedup_by_key(|address| address.slot());
    let of_slot = |address| predict::slots(facts, &Assumptions::default(), address);
    slots.into_iter().filter_map(of_slot).flat_map(SlotAdvice::sentences).collect()
}

/// The JSON envelope.
fn as_envelope(view: GroupsView, advice: &dyn Fn(&GroupView) -> Vec<String>) -> envelope::Groups {
    envelope::Groups {
        schema: "passthru.groups/1",
        groups: view
            .groups
            .into_iter()
            .map(|view| envelope::Group { foretold: None, advice: advice(&view), view })
            .collect(),
        ungrouped: view.ungrouped,
        unknown: view.unknown,
        predicted: None,
        unseen: None,
        differences: None,
        acs_override: None,
    }
}

/// The groups as a person reads them; `more` has further reasons for a group.
fn as_text(view: &GroupsView, more: &dyn Fn(&GroupView) -> Vec<String>) -> String {
    let width = printer::width();
    let mut out = String::new();
    for group in &view.groups {
        let _ = writeln!(out, "{} {STRONG}group {}{STRONG:#}", printer::verdict(group.verdict), group.id);
        for device in &group.devices {
            line(&mut out, device, width);
        }
        for reason in group.reasons.iter().chain(&more(group)) {
            let _ = writeln!(out, "        {}", printer::wrap(&plain(reason), width, 8));
        }
    }
    if !view.ungrouped.is_empty() {
        let _ = writeln!(
            out,
            "        {STRONG}in no group{STRONG:#}: their DMA is not translated, so no guest can have them"
        );
        for device in &view.ungrouped {
            line(&mut out, device, width);
        }
    }
    if let Some(because) = &view.unknown {
        let _ = writeln!(out, "unknown, because {}", plain(because));
    } else if view.groups.is_empty() {
        let _ = writeln!(out, "\nThis host has no IOMMU groups; ‘passthru doctor’ says why");
    }
    out
}

/// As the page marks what can be reset, with the methods where the kernel says them.
pub(super) fn reset_mark(can: Option<bool>, methods: &[String]) -> String {
    match (can, methods) {
        (Some(true), []) => " [RESET]".to_owned(),
        (Some(true), methods) => format!(" [RESET: {}]", plain(&methods.join(", "))),
        (Some(false) | None, _) => String::new(),
    }
}

/// One function: address, ids, driver, marks, name, and what can be done with it.
fn line(out: &mut String, device: &DeviceView, width: usize) {
    let boot_vga = if device.boot_vga == Some(true) { " [boot VGA]" } else { "" };
    let _ = writeln!(
        out,
        "        {STRONG}{}{STRONG:#} [{}:{}] {} ({}){boot_vga}{}",
        device.address,
        device.vendor,
        device.device,
        plain(&device.name),
        plain(device.driver.as_deref().unwrap_or("no driver")),
        reset_mark(device.reset, &device.reset_methods),
    );
    if !device.is_bridge {
        let _ =
            writeln!(out, "          {FAINT}{}{FAINT:#}", printer::wrap(&plain(&device.outlook), width, 10));
    }
}
