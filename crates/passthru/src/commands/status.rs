//! `passthru status`: one screen.

use std::fmt::Write as _;

use passthru_host::{Subject, Subjects};
use passthru_model::Verdict;

use passthru_plan::status::Block;

use crate::commands::change;
use crate::commands::guest::places::Places;
use crate::context::Context;
use crate::envelope;
use crate::exit::{Exit, Failure};
use crate::printer::{self, STRONG, plain};

/// Says what is ready, what blocks, and the next step to take.
pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    let facts = match context.root() {
        None => context.facts()?,
        Some(_) => context.facts_of(Subjects::USUAL | Subjects::of(&[Subject::OwnImages]))?,
    };
    let no_checks: [&str; 0] = [];
    let findings =
        passthru_plan::diagnose(&facts, &no_checks).map_err(|error| Failure::no(error.to_string()))?;
    let intent = passthru_plan::intent::of(&facts);
    let intent_problem = intent.as_ref().err().map(ToString::to_string);
    let intent = intent.ok().flatten();
    let summary = if context.root().is_some() {
        let undo = format!("passthru undo{}", context.target()?.option());
        passthru_plan::summary_of_mounted(&facts, intent.as_ref(), undo)
    } else {
        passthru_plan::summary(&facts, intent.as_ref(), &findings)
    };
    let mut blocks = summary.blocks;
    if let Some(problem) = intent_problem {
        blocks.insert(0, Block { id: "intent".to_owned(), verdict: Verdict::Fail, summary: problem });
    }
    let interrupted = change::interruption(context);
    let until_boot = change::until_boot(context);
    let left = Places::of_this_user().map(|places| change::left_behind(context, &places)).unwrap_or_default();
    let left: Vec<String> = left.iter().map(change::say_left_behind).collect();
    if context.printer.json {
        context.printer.json_document(&envelope::Status {
            schema: "passthru.status/1",
            headline: summary.headline,
            ready: summary.ready,
            blocks,
            next: summary.next,
            interrupted,
            until_boot,
            left_behind: left,
        })?;
        return Ok(Exit::Done);
    }
    let width = printer::width();
    let mut out = String::new();
    if let Some(interrupted) = &interrupted {
        let _ =
            writeln!(out, "{STRONG}Unfinished:{STRONG:#} {}\n", printer::wrap(&plain(interrupted), width, 2));
    }
    for line in &left {
        let _ = writeln!(out, "{STRONG}Not put back:{STRONG:#} {}\n", printer::wrap(&plain(line), width, 2));
    }
    let _ = writeln!(out, "{STRONG}{}{STRONG:#}", plain(&summary.headline));
    if !summary.ready.is_empty() {
        let _ = writeln!(out, "\n{STRONG}Ready{STRONG:#}");
        for line in summary.ready.iter().take(SHOWN) {
            let _ = writeln!(out, "  {}", printer::wrap(&plain(line), width, 4));
        }
        more(&mut out, summary.ready.len());
    }
    if !blocks.is_empty() {
        let _ = writeln!(out, "\n{STRONG}In the way, or not known{STRONG:#}");
        for block in blocks.iter().take(SHOWN) {
            let summary = plain(&block.summary);
            let summary = printer::wrap(&summary, width, 10);
            let _ = writeln!(out, "  {} {summary}", printer::verdict(block.verdict));
        }
        more(&mut out, blocks.len());
    }
    if let Some(next) = &summary.next {
        let _ = writeln!(out, "\n{STRONG}Next{STRONG:#}\n  {}", printer::wrap(&plain(&next.what), width, 2));
        if let Some(command) = &next.command {
            let _ = writeln!(out, "  {STRONG}{}{STRONG:#}", plain(command));
        }
    }
    if !until_boot.is_empty() {
        let _ =
            writeln!(out, "\n{STRONG}Until the next boot{STRONG:#} (‘passthru undo’ takes back the last)");
        for title in &until_boot {
            let _ = writeln!(out, "  {}", printer::wrap(&plain(title), width, 4));
        }
    }
    context.printer.data(&out)?;
    Ok(Exit::Done)
}

/// Lines of each kind that fit on one screen. What matters most comes first in both lists.
const SHOWN: usize = 8;

/// Says how many lines were left out.
fn more(out: &mut String, all: usize) {
    if all > SHOWN {
        let _ = writeln!(out, "  and {} more; ‘passthru doctor’ shows all", all - SHOWN);
    }
}
