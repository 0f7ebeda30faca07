//! `passthru capture`: one archive of the files that the facts come from.

use passthru_host::Subjects;

use crate::args::CaptureArguments;
use crate::commands::plan;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Reads the host with a recorder in the door, and writes down what it recorded.
pub(crate) fn run(context: &Context, arguments: &CaptureArguments) -> Result<Exit, Failure> {
    let host = context.open()?.recording();
    let _facts = context.gather(&host, Subjects::USUAL);
    let mut archive = Vec::new();
    passthru_host::capture::archive(&host, !arguments.no_redact, &mut archive)
        .map_err(|error| Failure::no(format!("the archive cannot be made: {error}")))?;
    plan::save(&arguments.output, &archive)?;
    let kept = if arguments.no_redact {
        "Serial numbers, addresses and names are in it"
    } else {
        "Serial numbers, MAC addresses, UUIDs, host and user names are replaced; look before you publish it"
    };
    context.printer.say(&format!(
        "Saved {} ({} KiB). {kept}",
        arguments.output.display(),
        archive.len() / 1024
    ));
    Ok(Exit::Done)
}
