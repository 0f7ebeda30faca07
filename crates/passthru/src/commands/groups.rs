//! `passthru groups`: what can be passed, what must go with it, and why.

mod predicted;
mod why;

use std::fmt::Write as _;

use passthru_host::{Subject, Subjects, side_by_side};
use passthru_model::iommu::IommuGroup;
use passthru_model::{HostFacts, PciAddress};
use passthru_plan::groups::Viewer;
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
    let named = &arguments.addresses;
    let advice = |group: &GroupView| advice(&facts, group, named);
    if context.printer.json {
        context.printer.json_document(&as_envelope(view(&facts, named), &advice))?;
    } else {
        let texts = as_text(&facts, named, &advice);
        context.printer.pieces(texts.iter().map(String::as_str))?;
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

/// The groups of the named functions; all where none is named.
fn view(facts: &HostFacts, named: &[PciAddress]) -> GroupsView {
    let mut view = passthru_plan::groups::view(facts);
    view.groups.retain(|group| is_meant(group.devices.iter().map(|device| device.address), named));
    view.ungrouped.retain(|device| is_meant([device.address], named));
    view
}

/// Whether one of some functions is named, or none is.
fn is_meant(functions: impl IntoIterator<Item = PciAddress>, named: &[PciAddress]) -> bool {
    named.is_empty() || functions.into_iter().any(|address| named.contains(&address))
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

/// The groups as a person reads them, or those of the named functions, in pieces; `more` has further reasons for a group.
fn as_text(
    facts: &HostFacts,
    named: &[PciAddress],
    more: &(dyn Fn(&GroupView) -> Vec<String> + Sync),
) -> Vec<String> {
    let width = printer::width();
    let viewer = Viewer::of(facts);
    let meant = |group: &&IommuGroup| is_meant(group.members.iter().copied(), named);
    let groups: Vec<&IommuGroup> = viewer.groups().filter(meant).collect();
    let texts = side_by_side(&groups, |group| {
        let view = viewer.group(group);
        group_as_text(&view, &more(&view), width)
    });
    let mut out = String::new();
    let mut ungrouped = viewer.ungrouped();
    ungrouped.retain(|device| is_meant([device.address], named));
    if !ungrouped.is_empty() {
        let _ = writeln!(
            out,
            "        {STRONG}in no group{STRONG:#}: their DMA is not translated, so no guest can have them"
        );
        for device in &ungrouped {
            line(&mut out, device, width);
        }
    }
    if let Some(because) = viewer.unknown() {
        let _ = writeln!(out, "unknown, because {}", plain(&because));
    } else if groups.is_empty() {
        let _ = writeln!(out, "\nThis host has no IOMMU groups; ‘passthru doctor’ says why");
    }
    texts.into_iter().map(|(_, text)| text).chain([out]).collect()
}

/// One group with its functions and its reasons.
fn group_as_text(view: &GroupView, more: &[String], width: usize) -> String {
    const USUAL_BYTES: usize = 512;
    let mut out = String::with_capacity(USUAL_BYTES);
    let _ = writeln!(out, "{} {STRONG}group {}{STRONG:#}", printer::verdict(view.verdict), view.id);
    for device in &view.devices {
        line(&mut out, device, width);
    }
    for reason in view.reasons.iter().chain(more) {
        let _ = writeln!(out, "        {}", printer::wrap(&plain(reason), width, 8));
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
