//! `passthru doctor`: every check, with evidence and remedy.

use std::fmt::Write as _;

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
    let facts = context.facts()?;
    let findings = passthru_plan::diagnose(&facts, &arguments.checks)
        .map_err(|error| Failure::usage(error.to_string()).hint("‘passthru doctor --list’ names them all"))?;
    print(context, "passthru.doctor/1", findings)
}

/// Prints findings, for `doctor` and `verify` alike.
pub(crate) fn print(
    context: &Context,
    schema: &'static str,
    findings: Vec<Finding>,
) -> Result<Exit, Failure> {
    let exit =
        if findings.iter().any(|finding| finding.verdict == Verdict::Fail) { Exit::No } else { Exit::Done };
    if context.printer.json {
        context.printer.json_document(&envelope::Findings { schema, findings })?;
    } else {
        context.printer.data(&as_text(&findings))?;
    }
    Ok(exit)
}

/// The findings as a person reads them, closed by a count.
fn as_text(findings: &[Finding]) -> String {
    let width = printer::width();
    let mut out = String::new();
    for finding in findings {
        let _ = writeln!(
            out,
            "{} {STRONG}{}{STRONG:#}\n        {}",
            printer::verdict(finding.verdict),
            finding.id,
            printer::wrap(&plain(&finding.summary), width, 8)
        );
        if !matches!(finding.verdict, Verdict::Pass | Verdict::Skip) {
            let _ = writeln!(
                out,
                "        {FAINT}why{FAINT:#}  {}",
                printer::wrap(&plain(&finding.why), width, 13)
            );
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
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let _ = writeln!(
        out,
        "\n{} pass, {} warn, {} fail, {} unknown, {} skip",
        count(Verdict::Pass),
        count(Verdict::Warn),
        count(Verdict::Fail),
        count(Verdict::Unknown),
        count(Verdict::Skip)
    );
    out
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
        for check in checks {
            let _ = writeln!(
                out,
                "{STRONG}{}{STRONG:#}: {}\n    {}",
                check.id,
                check.title,
                printer::wrap(check.why, width, 4)
            );
        }
        context.printer.data(&out)?;
    }
    Ok(Exit::Done)
}
