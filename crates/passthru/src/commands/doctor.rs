//! `passthru doctor`: every check, with evidence and remedy.

use std::fmt::Write as _;

use passthru_host::{Subject, Subjects};
use passthru_model::{Finding, Verdict};

use crate::args::DoctorArguments;
use crate::context::Context;
use crate::envelope;
use crate::exit::{Exit, Failure};
use crate::printer::{self, FAINT, STRONG, plain};

/// Runs the checks and prints their findings; the answer is no if one fails.
pub(crate) fn run(context: &Context, arguments: &DoctorArguments) -> Result<Exit, Failure> {
    if arguments.list {
        return list(context);
    }
    // Every process is looked into only for the check that is about them.
    let asks_for_holders = arguments.checks.iter().any(|name| name == "device-holders");
    let more = if asks_for_holders { Subjects::of(&[Subject::Holders]) } else { Subjects::NONE };
    let facts = context.facts_of(Subjects::USUAL | more)?;
    let findings = passthru_plan::diagnose(&facts, &arguments.checks)
        .map_err(|error| Failure::usage(error.to_string()).hint("‘passthru doctor --list’ names them all"))?;
    if arguments.checks.is_empty() && !context.printer.json {
        context.printer.data(&overview(&findings))?;
        return Ok(exit(&findings));
    }
    print(context, "passthru.doctor/1", findings)
}

/// The answer is no if a check fails.
pub(super) fn exit(findings: &[Finding]) -> Exit {
    if findings.iter().any(|finding| finding.verdict == Verdict::Fail) { Exit::No } else { Exit::Done }
}

/// Prints findings, for `doctor` and `verify` alike.
pub(crate) fn print(
    context: &Context,
    schema: &'static str,
    findings: Vec<Finding>,
) -> Result<Exit, Failure> {
    let exit = exit(&findings);
    if context.printer.json {
        context.printer.json_document(&envelope::Findings { schema, findings })?;
    } else {
        context.printer.data(&as_text(&findings))?;
    }
    Ok(exit)
}

/// All findings by what they look at: what is well in a line, what is not with all there is to know of it, and what does not
/// apply by name alone.
fn overview(findings: &[Finding]) -> String {
    let mut out = String::new();
    for area in passthru_plan::areas() {
        let _ = writeln!(out, "{STRONG}{}{STRONG:#}", area.title);
        let here = |finding: &&Finding| area.checks.iter().any(|check| check.id == finding.id);
        section(&mut out, findings.iter().filter(here));
        out.push('\n');
    }
    close(&mut out, findings);
    if findings.iter().any(|finding| finding.verdict == Verdict::Skip) {
        out.push_str(
            "‘passthru doctor NAME’ says of one check why it does not apply, and what a pass is based on\n",
        );
    }
    out
}

/// Findings about one thing: the same, without a heading.
pub(super) fn section<'a>(out: &mut String, findings: impl Iterator<Item = &'a Finding>) {
    let width = printer::width();
    let mut skipped = Vec::new();
    for finding in findings {
        match finding.verdict {
            Verdict::Skip => skipped.push(finding.id.as_str()),
            Verdict::Pass => {
                let line = format!("{}: {}", finding.id, plain(&finding.summary));
                let _ =
                    writeln!(out, "{} {}", printer::verdict(finding.verdict), printer::wrap(&line, width, 8));
            }
            _ => whole(out, finding),
        }
    }
    if !skipped.is_empty() {
        let line = format!("does not apply: {}", skipped.join(", "));
        let _ = writeln!(
            out,
            "{} {FAINT}{}{FAINT:#}",
            printer::verdict(Verdict::Skip),
            printer::wrap(&line, width, 8)
        );
    }
}

/// Each finding whole, closed by a count.
fn as_text(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        whole(&mut out, finding);
    }
    out.push('\n');
    close(&mut out, findings);
    out
}

/// One finding with why it matters, what was seen, and what to do.
fn whole(out: &mut String, finding: &Finding) {
    let width = printer::width();
    let _ = writeln!(
        out,
        "{} {STRONG}{}{STRONG:#}\n        {}",
        printer::verdict(finding.verdict),
        finding.id,
        printer::wrap(&plain(&finding.summary), width, 8)
    );
    if !matches!(finding.verdict, Verdict::Pass | Verdict::Skip) {
        let _ =
            writeln!(out, "        {FAINT}why{FAINT:#}  {}", printer::wrap(&plain(&finding.why), width, 13));
    }
    for evidence in &finding.evidence {
        let _ = writeln!(
            out,
            "        {FAINT}seen{FAINT:#} {}: {}",
            plain(&evidence.path),
            plain(&evidence.value)
        );
    }
    if let Some(remedy) = &finding.remedy {
        let _ = writeln!(
            out,
            "        {STRONG}do{STRONG:#}   {}",
            printer::wrap(&plain(&remedy.what), width, 13)
        );
        if let Some(command) = &remedy.command {
            let _ = writeln!(out, "             {STRONG}{}{STRONG:#}", plain(command));
        }
    }
}

/// How many there are of each verdict.
pub(super) fn close(out: &mut String, findings: &[Finding]) {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let _ = writeln!(
        out,
        "{} pass, {} warn, {} fail, {} unknown, {} skip",
        count(Verdict::Pass),
        count(Verdict::Warn),
        count(Verdict::Fail),
        count(Verdict::Unknown),
        count(Verdict::Skip)
    );
}

/// Lists the checks.
fn list(context: &Context) -> Result<Exit, Failure> {
    let checks = passthru_plan::checks();
    if context.printer.json {
        let checks = checks
            .map(|check| envelope::CheckLine {
                id: check.id.to_owned(),
                title: check.title.to_owned(),
                section: check.section.to_owned(),
                why: check.why.to_owned(),
            })
            .collect();
        context.printer.json_document(&envelope::Checks { schema: "passthru.checks/1", checks })?;
    } else {
        let width = printer::width();
        let mut out = String::new();
        for area in passthru_plan::areas() {
            let _ = writeln!(out, "{STRONG}{}{STRONG:#}\n", area.title);
            for check in area.checks {
                let _ = writeln!(
                    out,
                    "{STRONG}{}{STRONG:#}: {}\n    {}",
                    check.id,
                    check.title,
                    printer::wrap(check.why, width, 4)
                );
            }
            out.push('\n');
        }
        context.printer.data(&out)?;
    }
    Ok(Exit::Done)
}
