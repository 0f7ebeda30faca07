//! The command line of passthru: arguments in, results out. It knows nothing of hosts itself; every command asks the rooms
//! that do (ARCHITECTURE.md) and prints what they say.
//!
//! It is a library so that the generator of man pages, completions and schemas can see the same arguments and envelopes.

use std::process::ExitCode;

use clap::Parser as _;

pub mod args;
mod ask;
mod commands;
mod context;
pub mod envelope;
mod exit;
mod hold;
mod printer;
mod runner;
mod show_plan;

use args::{Arguments, Command};
use context::Context;
use exit::{Exit, Failure};
use printer::Printer;

/// Runs the program and says how it ended.
pub fn main() -> ExitCode {
    let child = passthru_guest::entry::enter()
        .or_else(|| passthru_guest::run::supervisor::enter(&mut runner::HostRunner))
        .or_else(passthru_apply::rom::enter)
        .or_else(passthru_apply::attribute::enter)
        .or_else(passthru_host::inside::enter);
    if let Some(code) = child {
        return code;
    }
    explain_bugs();
    let arguments = Arguments::parse();
    let printer = Printer::new(arguments.color, arguments.json);
    let mut context = Context::new(printer, arguments.host);
    let command = arguments.command.unwrap_or_default();
    let exit = match context.in_root(command.root()).and_then(|()| run(&context, command)) {
        Ok(exit) => exit,
        Err(failure) => {
            context.printer.failure(&failure);
            failure.exit
        }
    };
    ExitCode::from(exit.code())
}

/// Calls the command's own file, after a word about a change that was not brought to its end.
fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    commands::change::refuse_to_hang(context, &command)?;
    if !matches!(
        command,
        Command::Status(_)
            | Command::Apply(_)
            | Command::Undo(_)
            | Command::Completions(_)
            | Command::LibvirtHook(_)
    ) && let Some(interrupted) = commands::change::interruption(context)
    {
        context.printer.say(&printer::plain(&interrupted));
    }
    match command {
        Command::Status(_) => commands::status::run(context),
        Command::Doctor(arguments) => commands::doctor::run(context, &arguments),
        Command::Groups(arguments) => commands::groups::run(context, &arguments),
        Command::Usb => commands::usb::run(context),
        Command::Topology(arguments) => commands::topology::run(context, &arguments),
        Command::Rom(command) => commands::rom::run(context, &command),
        Command::Isolate(arguments) => commands::isolate::run(context, &arguments),
        Command::Release(arguments) => commands::release::run(context, &arguments),
        Command::Bind(arguments) => commands::bind::run(context, &arguments),
        Command::Unbind(arguments) => commands::unbind::run(context, &arguments),
        Command::Plan(arguments) => commands::plan::run(context, &arguments),
        Command::Apply(arguments) => commands::apply::run(context, &arguments),
        Command::Undo(arguments) => commands::undo::run(context, &arguments),
        Command::History(_) => commands::history::run(context),
        Command::Verify(arguments) => commands::verify::run(context, &arguments),
        Command::Try(arguments) => commands::try_device::run(context, &arguments),
        Command::Guest(command) => commands::guest::run(context, command),
        Command::LibvirtHook(arguments) => commands::libvirt_hook::run(context, &arguments),
        Command::Capture(arguments) => commands::capture::run(context, &arguments),
        Command::Completions(arguments) => commands::completions::run(context, &arguments),
    }
}

/// A panic is a bug of ours: say so, and how to report it, instead of a bare trace.
fn explain_bugs() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        Printer::new(args::ColorWhen::Auto, false).say(
            "This is a bug in passthru. Please report it with the lines above and a capture of this host:\n  \
             passthru capture -o bug.tar.gz\nIf a change was being made, `passthru status` says where it stands",
        );
    }));
}
