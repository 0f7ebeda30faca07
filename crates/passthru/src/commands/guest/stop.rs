//! `passthru guest stop`.

use std::time::Duration;

use passthru_guest::GuestName;
use passthru_guest::run::{self, HowStopped, StopOptions};
use passthru_model::backend::Backend;

use super::libvirt;
use super::places::{Places, name};
use crate::args::GuestStopArguments;
use crate::commands::change;
use crate::context::Context;
use crate::exit::{Exit, Failure, chain};

/// Asks the guest to shut down and waits; ends it only where that was asked for.
pub(crate) fn run(context: &Context, arguments: &GuestStopArguments) -> Result<Exit, Failure> {
    context.only_live("guest stop")?;
    let places = Places::of_this_user()?;
    let name = name(&arguments.name)?;
    let options = StopOptions { patience: Duration::from_secs(arguments.timeout), force: arguments.force };
    let paths = places.paths(&name);
    // What is left of a run counts more than a specification, which may have been changed since, or be gone.
    let by_libvirt = match run::held_by_libvirt(&paths).map_err(|error| Failure::no(chain(&error)))? {
        Some(_) => true,
        None if run::in_use(&paths).unwrap_or(true) => false,
        None => places.load(&name).is_ok_and(|spec| spec.backend == Backend::Libvirt),
    };
    if by_libvirt {
        return libvirt::stop(context, &name, &paths, options);
    }
    context.printer.say(&format!("Asking ‘{name}’ to shut down; waiting up to {} s", arguments.timeout));
    let how = run::stop(&paths, options).map_err(|error| Failure::no(chain(&error)))?;
    change::put_back(context, &name)?;
    context.printer.say(&ended(&name, how));
    Ok(Exit::Done)
}

/// How a guest has ended, in words.
pub(super) fn ended(name: &GuestName, how: HowStopped) -> String {
    match how {
        HowStopped::NotRunning => format!("‘{name}’ did not run"),
        HowStopped::ShutDown => format!("‘{name}’ shut down"),
        HowStopped::Quit => format!("‘{name}’ did not shut down in time and was ended (--force)"),
        HowStopped::Killed => format!("‘{name}’ did not answer and was killed (--force)"),
    }
}
