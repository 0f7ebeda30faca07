//! `passthru rom dump`: a device's ROM into a new file.

use std::path::Path;

use passthru_apply::rom::RomReader;
use passthru_formats::option_rom::{self, Flaw};
use passthru_host::Host;
use passthru_model::PciFunction;
use passthru_plan::rom::{self, PowerAndUse, may_dump};

use super::check::known;
use super::print;
use crate::args::RomDumpArguments;
use crate::commands::plan;
use crate::context::Context;
use crate::envelope::rom::Rom;
use crate::exit::{Exit, Failure, chain};

/// Reads the ROM while nobody minds, and writes it down. Done once it is written, whatever OVMF will make of it.
pub(crate) fn run(context: &Context, arguments: &RomDumpArguments) -> Result<Exit, Failure> {
    context.only_live("rom dump")?;
    let host = context.open()?;
    let facts = context.gather(&host, super::SUBJECTS);
    let function = known(&facts, arguments.address)?;
    if !function.has_rom {
        return Err(Failure::no(format!("{}: the device shows no ROM", function.address))
            .hint("that of a GPU in the processor is a part of the machine’s firmware"));
    }
    refuse(function, &state(&host, function), arguments.insist)?;
    if !rustix::process::geteuid().is_root() {
        return Err(
            Failure::refused("to read a device’s ROM needs root").hint("run the same command with sudo")
        );
    }
    if arguments.output.symlink_metadata().is_ok() {
        return Err(Failure::no(format!("{} is there already", arguments.output.display())));
    }
    let directory = format!("/sys/bus/pci/devices/{}", function.address);
    let bytes = RomReader::default()
        .read(Path::new(&directory))
        .map_err(|error| Failure::no(format!("{}: {}", function.address, chain(&error))))?;
    let parsed = option_rom::parse(&bytes);
    if let Some(error) = parsed.flaw.filter(|error| matches!(error.flaw, Flaw::Blank(_))) {
        return Err(Failure::no(format!(
            "{}: {error}; the device is asleep, or does not show its ROM. Nothing was written",
            function.address
        ))
        .hint(
            "a card that no firmware has started often shows its ROM only after a cold start of the machine",
        ));
    }
    plan::save(&arguments.output, &bytes)?;
    let shadow = rom::is_shadow(function, Some(&parsed));
    print(
        context,
        &Rom {
            file: Some(arguments.output.display().to_string()),
            address: Some(function.address),
            shadow: Some(shadow),
            ..Rom::of(rom::of_device(function, Ok(&parsed)), Some(&parsed))
        },
    )?;
    if shadow {
        context.printer.say("Saved, but it is the firmware’s shadow copy: a guest needs the card’s own ROM");
    } else {
        context.printer.say(&format!("Saved {}", arguments.output.display()));
    }
    Ok(Exit::Done)
}

/// What only the live host says of a function.
fn state(host: &Host, function: &PciFunction) -> PowerAndUse {
    let attribute = |name: &str| host.read_text(&function.attribute(name)).ok();
    PowerAndUse {
        power_state: attribute("power_state").map(|word| word.trim().to_owned()),
        users: attribute("enable").and_then(|count| count.trim().parse().ok()),
    }
}

fn refuse(function: &PciFunction, state: &PowerAndUse, insist: bool) -> Result<(), Failure> {
    let refusals = may_dump(function, state, insist);
    if refusals.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = refusals.iter().map(|refusal| refusal.reason.clone()).collect();
    let failure = Failure::refused(format!("{}: {}", function.address, reasons.join("; ")));
    Err(refusals.into_iter().fold(failure, |failure, refusal| failure.hint(refusal.remedy)))
}
