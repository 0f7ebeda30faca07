//! `passthru guest check`: can this guest run on this host?

use passthru_guest::check::check;
use passthru_guest::look::Looked;

use super::places::{Places, name};
use crate::args::GuestName;
use crate::commands::doctor;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Prints the findings; the answer is no if one fails.
pub(crate) fn run(context: &Context, arguments: &GuestName) -> Result<Exit, Failure> {
    let places = Places::of_this_user()?;
    let spec = places.load(&name(&arguments.name)?)?;
    let facts = context.facts()?;
    // Disks and memory are those of the machine we run on: a captured host is judged without them.
    let looked = if context.is_live() { Looked::here(&spec) } else { Looked::default() };
    doctor::print(context, "passthru.guest-check/1", check(&spec, &facts, &looked))
}
