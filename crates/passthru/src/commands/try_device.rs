//! `passthru try`: boot a tiny guest with the device and report what it saw.

use std::fmt::Write as _;
use std::time::Duration;

use passthru_guest::attempt::{self, TryError, TryEvent, TryOptions, TryReport};
use passthru_guest::run::Launcher;

use super::guest::new::{accel, firmware};
use super::guest::places::qemu;
use crate::args::TryArguments;
use crate::context::Context;
use crate::exit::{Exit, Failure, chain};
use crate::hold::Hold;
use crate::printer::{self, FAINT, STRONG, plain};

/// Tries the named devices; the answer is no unless the guest saw all of each.
pub(crate) fn run(context: &Context, arguments: &TryArguments) -> Result<Exit, Failure> {
    context.only_live("try")?;
    let facts = context.facts()?;
    let options = TryOptions {
        kernel: arguments.kernel.clone(),
        firmware: firmware(arguments.firmware),
        accel: accel(arguments.accel),
        time_limit: arguments.timeout.map(Duration::from_secs),
    };
    let plan = if arguments.rehearse {
        attempt::rehearsal(&facts, &options)
    } else {
        attempt::prepare(&facts, &arguments.addresses, &options)
    };
    let plan = plan.map_err(|error| failure(&error))?;
    let init = std::fs::read("/proc/self/exe")
        .map_err(|error| Failure::no(format!("this program’s own file cannot be read: {error}")))?;
    let mut progress = |event: TryEvent| say(context, &event);
    // Without this, a Ctrl-C would leave the files of the trial behind.
    let hold = Hold::begin()?;
    let report = attempt::run(&plan, &init, &Launcher::new(qemu()?), hold.came(), &mut progress)
        .map_err(|error| failure(&error))?;
    if context.printer.json {
        context.printer.json_document(&report)?;
    } else {
        context.printer.data(&as_text(&report))?;
    }
    Ok(if report.ok { Exit::Done } else { Exit::No })
}

/// A trial that could not be made.
fn failure(error: &TryError) -> Failure {
    Failure::no(chain(error))
}

/// How far the trial is.
fn say(context: &Context, event: &TryEvent) {
    let text = match event {
        TryEvent::Starting { accel, firmware } => {
            format!("Starting a tiny guest ({firmware}, {})", accel.word())
        }
        TryEvent::Reached { stage, after } => format!("  {:>4} s  {}", after.as_secs(), stage.words()),
        TryEvent::Waiting { stage, after, limit } => format!(
            "  {FAINT}{:>4} s  {} (at most {} s){FAINT:#}",
            after.as_secs(),
            stage.words(),
            limit.as_secs()
        ),
        TryEvent::Note(note) => plain(note).into_owned(),
    };
    context.printer.say(&text);
}

/// The report as a person reads it.
fn as_text(report: &TryReport) -> String {
    let mut out = String::new();
    for device in &report.devices {
        let word = if device.ok { "yes" } else { "NO" };
        let guest =
            device.guest.map_or_else(|| "not seen".to_owned(), |address| format!("seen at {address}"));
        let _ = writeln!(
            out,
            "{STRONG}{} [{}]{STRONG:#} {}: {guest}, as on the host: {word}",
            device.host,
            device.id,
            device.class.name()
        );
        for bar in &device.bars {
            let kind = if bar.memory { "memory" } else { "ports" };
            let _ = writeln!(out, "    BAR {} {kind} {:#x} bytes at {:#x}", bar.index, bar.size, bar.start);
        }
        match &device.rom {
            Some(rom) => drop(writeln!(
                out,
                "    ROM {} bytes, {}",
                rom.size,
                if rom.signature { "begins as one (55 aa)" } else { "does not begin as one" }
            )),
            None => out.push_str("    no ROM\n"),
        }
        for line in device.reasons.iter().chain(&device.notes) {
            let _ = writeln!(out, "    {}", printer::wrap(&plain(line), printer::width(), 6));
        }
    }
    for line in report.reasons.iter().chain(&report.notes) {
        let _ = writeln!(out, "{}", printer::wrap(&plain(line), printer::width(), 2));
    }
    let word = if report.ok {
        "The guest saw every function as the host has it"
    } else {
        "The guest did not see what the host has"
    };
    let _ = writeln!(
        out,
        "\n{STRONG}{word}{STRONG:#} ({}, {}, kernel {}, {:.0} s)",
        report.firmware,
        report.accel.word(),
        plain(&report.kernel),
        report.seconds
    );
    out
}
