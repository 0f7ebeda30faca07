//! `passthru guest show`: the guest, its QEMU arguments, and where it has its devices while it runs.

use std::fmt::Write as _;

use passthru_guest::choice::Choice;
use passthru_guest::look::Looked;
use passthru_guest::{Guest, render, run, script};
use passthru_model::backend::Backend;

use super::list::{pid, state_of, word};
use super::places::{Places, name};
use crate::args::GuestShowArguments;
use crate::context::Context;
use crate::envelope;
use crate::exit::{Exit, Failure, chain};
use crate::printer::{self, STRONG, plain};

/// Shows one guest.
pub(crate) fn run(context: &Context, arguments: &GuestShowArguments) -> Result<Exit, Failure> {
    context.only_live("guest show")?;
    let places = Places::of_this_user()?;
    let name = name(&arguments.name)?;
    let spec = places.load(&name)?;
    let paths = places.paths(&name);
    let facts = context.facts()?;
    let guest = Guest::build(&spec, &facts, &Looked::here(&spec).by_this_user()).map_err(|errors| {
        Failure::no(errors.to_string()).hint(format!("‘passthru guest check {name}’ says what to do"))
    })?;
    let state = state_of(&places, &spec).map_err(|error| Failure::no(chain(&error)))?;
    let host: Vec<_> = guest.host_functions().collect();
    let devices = match pid(&state) {
        // libvirt has QEMU's control socket for itself.
        Some(_) if spec.backend == Backend::Qemu => {
            run::devices(&paths, &host).map_err(|error| Failure::no(chain(&error)))?
        }
        _ => Vec::new(),
    };
    let command: Vec<String> = std::iter::once("qemu-system-x86_64".to_owned())
        .chain(render::arguments(&guest.machine(&paths)))
        .collect();
    if context.printer.json {
        context.printer.json_document(&envelope::GuestShow {
            schema: "passthru.guest/1",
            name: name.to_string(),
            state: word(&state).to_owned(),
            pid: pid(&state),
            path: places.specs.join(name.file_name()).display().to_string(),
            command,
            devices,
            choices: arguments.explain.then(|| guest.choices().to_vec()),
        })?;
        return Ok(Exit::Done);
    }
    let mut out = format!(
        "{STRONG}{name}{STRONG:#}  {}\n  specification {}\n  {} vCPUs, {}, run by {}{}\n",
        word(&state),
        places.specs.join(name.file_name()).display(),
        spec.cpus,
        spec.memory,
        guest.accel().word(),
        if spec.backend == Backend::Libvirt { " under libvirt" } else { "" },
    );
    for address in &host {
        let description =
            facts.function(*address).map(|function| facts.name_of(function)).unwrap_or_default();
        let _ = writeln!(out, "  {STRONG}{address}{STRONG:#} {}", plain(&description));
        if let Some(seen) = devices.iter().find(|device| device.host == *address) {
            let assigned = seen.bars.iter().filter(|bar| bar.start != 0).count();
            let _ = writeln!(
                out,
                "    in the guest at {}, {assigned} of {} BARs assigned",
                seen.guest,
                seen.bars.len()
            );
        }
    }
    if arguments.explain {
        out.push_str(&reasons(guest.choices()));
    }
    let _ = writeln!(out, "\n{STRONG}QEMU{STRONG:#}");
    out.push_str("  ");
    out.push_str(&plain(&script::command(&command)));
    context.printer.data(&out)?;
    Ok(Exit::Done)
}

/// What was chosen and why, a heading a topic.
fn reasons(choices: &[Choice]) -> String {
    let width = printer::width().min(100);
    let mut out = String::new();
    for topic in choices.chunk_by(|one, next| one.about == next.about) {
        if let Some(first) = topic.first() {
            let _ = writeln!(out, "\n{STRONG}{}{STRONG:#}", first.about.word());
        }
        for choice in topic {
            let _ = writeln!(out, "  - {}", printer::wrap(&plain(&choice.why), width, 4));
        }
    }
    out
}
