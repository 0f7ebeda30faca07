//! `passthru guest …`: one file a verb.

mod check;
mod check_file;
mod edit;
mod export;
mod hook;
mod import;
mod libvirt;
mod list;
pub(crate) mod new;
pub(crate) mod places;
mod promote;
mod show;
pub(crate) mod start;
mod stop;

use crate::args::GuestCommand;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Calls the verb's own file.
pub(crate) fn run(context: &Context, command: GuestCommand) -> Result<Exit, Failure> {
    match command {
        GuestCommand::New(arguments) => new::run(context, &arguments),
        GuestCommand::List => list::run(context),
        GuestCommand::Show(arguments) => show::run(context, &arguments),
        GuestCommand::Check(arguments) => check::run(context, &arguments),
        GuestCommand::Export(arguments) => export::run(context, &arguments),
        GuestCommand::Import(arguments) => import::run(context, &arguments),
        GuestCommand::Edit(arguments) => edit::run(context, &arguments),
        GuestCommand::Promote(arguments) => promote::run(context, &arguments),
        GuestCommand::Hook(arguments) => hook::run(context, &arguments),
        GuestCommand::Start(arguments) => start::run(context, &arguments),
        GuestCommand::Stop(arguments) => stop::run(context, &arguments),
    }
}
