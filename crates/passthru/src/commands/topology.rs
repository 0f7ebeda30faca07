//! `passthru topology`: how the processors are built, where devices hang, and the pinning that a guest would get.

mod document;
mod draw;
mod memory;
mod pinned;

use passthru_host::{Subject, Subjects};
use passthru_model::HostFacts;
use passthru_model::pci::PciFunction;
use passthru_plan::pinning::{self, Near, Pinning, Request};

use crate::args::TopologyArguments;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// The processors and memory, and the devices that hang on them.
const SUBJECTS: Subjects =
    Subjects::of(&[Subject::Topology, Subject::Memory, Subject::Pci, Subject::PciDetails, Subject::Names]);

/// Draws the processors; with a number of vCPUs, says where these would run.
pub(crate) fn run(context: &Context, arguments: &TopologyArguments) -> Result<Exit, Failure> {
    let facts = context.facts_of(SUBJECTS)?;
    let near = near(&facts, arguments)?;
    let topology = match (facts.topology.value(), facts.topology.because()) {
        (Some(topology), _) => topology,
        (None, because) => {
            let because = because.unwrap_or_default();
            return Err(Failure::no(format!("the processors of this host are unknown, because {because}")));
        }
    };
    let request = arguments.vcpus.map(|vcpus| Request {
        vcpus,
        threads: arguments.threads.into(),
        prefer: arguments.prefer.into(),
        near,
    });
    let pinning = match &request {
        Some(request) => {
            Some(pinning::pin(topology, request).map_err(|refusal| Failure::no(refusal.to_string()))?)
        }
        None => None,
    };
    if context.printer.json {
        context.printer.json_document(&document::of(&facts, topology, pinning))?;
    } else {
        context.printer.data(&as_text(&facts, topology, pinning.as_ref()))?;
    }
    Ok(Exit::Done)
}

/// The device to be near to.
fn near(facts: &HostFacts, arguments: &TopologyArguments) -> Result<Option<Near>, Failure> {
    let Some(address) = arguments.device else { return Ok(None) };
    let Some(function) = facts.function(address) else {
        return Err(
            Failure::no(format!("{address} is not on this host")).hint("‘passthru groups’ lists what is")
        );
    };
    Ok(Some(Near { address, node: function.numa_node }))
}

fn as_text(facts: &HostFacts, topology: &passthru_model::Topology, pinning: Option<&Pinning>) -> String {
    let mut out = draw::processors(topology, pinning);
    out.push_str(&draw::devices(facts, topology));
    out.push_str(&memory::lines(facts));
    match pinning {
        Some(pinning) => out.push_str(&pinned::lines(topology, pinning)),
        None => out.push_str(&pinned::invitation(topology)),
    }
    out
}

/// Functions that guests are given: display, storage, network, USB, sound and accelerators.
fn worth_showing(function: &PciFunction) -> bool {
    let class = function.class.base_and_sub();
    let by_base = matches!(class >> 8, 0x01 | 0x02 | 0x03 | 0x12);
    (by_base || matches!(class, 0x0403 | 0x0c03))
        && !function.is_bridge()
        && function.physical_function.is_none()
}
