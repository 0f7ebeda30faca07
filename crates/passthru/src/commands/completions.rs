//! `passthru completions`.

use clap::CommandFactory as _;

use crate::args::{Arguments, CompletionsArguments};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Prints the script.
pub(crate) fn run(context: &Context, arguments: &CompletionsArguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "passthru", &mut script);
    context.printer.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
