//! `passthru groups --why`: the way of one function to the root complex.

use std::fmt::Write as _;

use passthru_model::{HostFacts, PciAddress};
use passthru_plan::predict::{self, Assumptions, Hop, Service, Why};

use crate::args::GroupsArguments;
use crate::context::Context;
use crate::envelope;
use crate::exit::{Exit, Failure};
use crate::printer::{self, FAINT, STRONG, plain};

/// Prints the explanation.
pub(super) fn run(
    context: &Context,
    facts: &HostFacts,
    address: PciAddress,
    arguments: &GroupsArguments,
) -> Result<Exit, Failure> {
    let assumptions = Assumptions { acs_override: arguments.acs_override.clone() };
    let Some(why) = predict::why(facts, address, &assumptions) else {
        return Err(Failure::no(format!("{address} is not on this host")));
    };
    if context.printer.json {
        context.printer.json_document(&envelope::GroupsWhy { schema: "passthru.groups-why/1", why })?;
    } else {
        context.printer.data(&as_text(&why))?;
    }
    Ok(Exit::Done)
}

/// The explanation as a person reads it: from the function up.
fn as_text(why: &Why) -> String {
    let width = printer::width();
    let mut out = String::new();
    let wrapped = |text: &str, indent: usize| printer::wrap(&plain(text), width, indent).into_owned();
    for (number, hop) in why.path.iter().enumerate() {
        let arrow = if number == 0 { "  " } else { "↑ " };
        let several = if hop.multifunction { ", one of several functions" } else { "" };
        let _ = writeln!(
            out,
            "{arrow}{STRONG}{}{STRONG:#} {} ({}{several})",
            hop.address,
            plain(&hop.name),
            hop.kind
        );
        if let Some(services) = services(hop) {
            let _ = writeln!(out, "    {FAINT}{}{FAINT:#}", wrapped(&services, 4));
        }
        let mark = match hop.isolates {
            Some(true) => "apart: ",
            Some(false) => "not apart: ",
            None => "unknown: ",
        };
        let _ = writeln!(out, "    {}", wrapped(&format!("{mark}it {}", hop.because), 4));
    }
    out.push_str("↑ root complex\n\n");
    let real = why.group.map_or("it has no group now".to_owned(), |id| format!("it is in group {id} now"));
    let _ = writeln!(out, "{STRONG}{}{STRONG:#}; {real}", wrapped(&why.verdict, 0));
    for reason in &why.reasons {
        let _ = writeln!(out, "  {}", wrapped(reason, 2));
    }
    if !why.advice.is_empty() {
        out.push_str("slots\n");
    }
    for advice in &why.advice {
        let _ = writeln!(out, "  {}", wrapped(advice, 2));
    }
    out
}

/// Which services a function has, which of them are on, and which it lacks; nothing where it has none.
fn services(hop: &Hop) -> Option<String> {
    let words = |list: &[Service]| list.iter().map(|service| service.words()).collect::<Vec<_>>().join(", ");
    let (has, on, lacks) = (hop.has.as_ref()?, hop.on.as_ref()?, hop.lacks.as_ref()?);
    if has.is_empty() {
        return None;
    }
    let mut text = format!("ACS has {}", words(has));
    let off: Vec<Service> = has.iter().copied().filter(|service| !on.contains(service)).collect();
    if off.is_empty() {
        text.push_str(", all on");
    } else {
        let _ = write!(text, "; off now: {} (the kernel turns them on with the IOMMU)", words(&off));
    }
    if !lacks.is_empty() {
        let _ = write!(text, "; without {}, which counts as built in", words(lacks));
    }
    Some(text)
}
