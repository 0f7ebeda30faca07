//! `passthru guest export`: one specification, in the words of libvirt or of QEMU.

use passthru_guest::look::Looked;
use passthru_guest::{Guest, libvirt, script};

use super::places::{Places, name};
use crate::args::{GuestExportArguments, GuestFormat};
use crate::commands::plan;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::printer::plain;

/// Builds the guest for this host and writes it down.
pub(crate) fn run(context: &Context, arguments: &GuestExportArguments) -> Result<Exit, Failure> {
    let places = Places::of_this_user()?;
    let name = name(&arguments.name)?;
    let spec = places.load(&name)?;
    let paths = places.paths(&name);
    let facts = context.facts()?;
    // Disks and memory are those of the machine we run on: for a captured host the guest is built without them.
    let looked = if context.is_live() { Looked::here(&spec) } else { Looked::default() };
    let guest = Guest::build(&spec, &facts, &looked).map_err(|errors| {
        Failure::no(errors.to_string()).hint(format!("‘passthru guest check {name}’ says what to do"))
    })?;
    let text = match arguments.format {
        GuestFormat::Libvirt => {
            let mut machine = guest.machine(&paths);
            machine.binder = places.binder(&facts);
            libvirt::xml(&machine)
        }
        GuestFormat::Qemu => script::script(&guest, &paths),
    };
    match &arguments.output {
        Some(file) => {
            plan::save(file, text.as_bytes())?;
            context.printer.say(&format!("Wrote {}", plain(&file.to_string_lossy())));
        }
        // Another program reads it, so it goes out as it is, and a terminal is shown nothing that it would obey: no guest can
        // be built with control characters.
        None => context.printer.data(&text)?,
    }
    if arguments.format == GuestFormat::Libvirt && guest.uefi().is_some() {
        context
            .printer
            .say("libvirt keeps UEFI variables of its own, which begin as a copy of the firmware's");
    }
    Ok(Exit::Done)
}
