//! Asking before anything is changed: yes, no, or explain.

use std::io::BufRead as _;

use crate::args::Agreement;
use crate::context::Context;
use crate::exit::Failure;
use crate::printer;

/// What the user said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Go on.
    Yes,
    /// Stop here; nothing has been done.
    No,
}

/// Asks whether to carry on, unless the user agreed in advance or only wanted to look. `explanation` is shown on request.
pub(crate) fn agree(
    context: &Context,
    agreement: Agreement,
    question: &str,
    explanation: &dyn Fn() -> String,
) -> Result<Answer, Failure> {
    if agreement.dry_run {
        context.printer.say("Nothing was changed (--dry-run)");
        return Ok(Answer::No);
    }
    if agreement.yes {
        return Ok(Answer::Yes);
    }
    if !printer::can_ask() {
        return Err(Failure::refused("there is no terminal to ask at, so nothing was changed")
            .hint("add --yes to agree in advance, or --dry-run to look only"));
    }
    loop {
        context.printer.say(&format!("{question} [y]es / [n]o / [e]xplain"));
        let mut line = String::new();
        let read = std::io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| Failure::refused(format!("the answer cannot be read: {error}")))?;
        match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(Answer::Yes),
            "e" | "explain" => context.printer.say(&explanation()),
            "n" | "no" => return Ok(Answer::No),
            _ if read == 0 => return Ok(Answer::No),
            _ => context.printer.say("Please answer y, n or e"),
        }
    }
}
