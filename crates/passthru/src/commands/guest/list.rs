//! `passthru guest list`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use passthru_guest::run::libvirt::state_by_libvirt;
use passthru_guest::run::{self, GuestState, StateError};
use passthru_guest::{GuestSpec, spec};
use passthru_model::backend::Backend;

use super::places::Places;
use crate::commands::change;
use crate::context::Context;
use crate::envelope;
use crate::exit::{Exit, Failure, chain};
use crate::printer::{STRONG, plain};

/// Lists the guests that have a specification or that run.
pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    context.only_live("guest list")?;
    let places = Places::of_this_user()?;
    let mut guests = BTreeMap::new();
    for name in spec::list(&places.specs).map_err(|error| Failure::no(chain(&error)))? {
        guests.insert(name, GuestState::Stopped);
    }
    for guest in change::left_behind(context, &places) {
        context.printer.say(&change::say_left_behind(&guest));
    }
    guests.extend(run::list(&places.run, &places.data).map_err(|error| Failure::no(chain(&error)))?);
    for spec in places.all().iter().filter(|spec| spec.backend == Backend::Libvirt) {
        guests
            .insert(spec.name.clone(), state_of(&places, spec).map_err(|error| Failure::no(chain(&error)))?);
    }
    if context.printer.json {
        let guests = guests
            .into_iter()
            .map(|(name, state)| envelope::GuestLine {
                path: places.specs.join(name.file_name()).display().to_string(),
                name: name.to_string(),
                pid: pid(&state),
                state: word(&state).to_owned(),
            })
            .collect();
        context.printer.json_document(&envelope::GuestList { schema: "passthru.guests/1", guests })?;
        return Ok(Exit::Done);
    }
    if guests.is_empty() {
        context.printer.say("There are no guests; ‘passthru guest new NAME’ makes one");
    }
    let mut out = String::new();
    for (name, state) in guests {
        let _ = write!(out, "{STRONG}{name}{STRONG:#}  {}", word(&state));
        match state {
            GuestState::Running { pid } => drop(writeln!(out, " (process {pid})")),
            GuestState::Dead { words: Some(words) } => drop(writeln!(out, ": {}", plain(words.trim()))),
            GuestState::Dead { words: None } | GuestState::Stopped => out.push('\n'),
        }
    }
    context.printer.data(&out)?;
    Ok(Exit::Done)
}

/// How a guest is, by whoever runs it.
pub(crate) fn state_of(places: &Places, spec: &GuestSpec) -> Result<GuestState, StateError> {
    match (spec.backend, run::state(&places.paths(&spec.name))?) {
        (Backend::Libvirt, GuestState::Stopped | GuestState::Dead { .. }) => Ok(state_by_libvirt(&spec.name)),
        (_, state) => Ok(state),
    }
}

/// The state in one word.
pub(crate) fn word(state: &GuestState) -> &'static str {
    match state {
        GuestState::Running { .. } => "running",
        GuestState::Stopped => "stopped",
        GuestState::Dead { .. } => "dead",
    }
}

/// The process, while it runs.
pub(crate) fn pid(state: &GuestState) -> Option<i32> {
    match state {
        GuestState::Running { pid } => Some(*pid),
        GuestState::Stopped | GuestState::Dead { .. } => None,
    }
}
