//! A plan as its reader sees it.

use std::fmt::Write as _;

use passthru_model::plan::{Action, Effect, Plan, Step};

use crate::printer::{self, FAINT, STRONG};

/// When a step takes effect, in words.
fn when(effect: Effect) -> &'static str {
    match effect {
        Effect::Now => "at once",
        Effect::Initramfs => "once the initramfs is rebuilt, at the next boot",
        Effect::Reboot => "at the next boot",
        Effect::GuestStart => "when a guest starts",
    }
}

/// The one line that says what a step does to what.
fn headline(step: &Step) -> String {
    match &step.action {
        Action::File { path, .. } => {
            let verb = match step.kind() {
                "file-create" => "create",
                "file-remove" => "remove",
                _ => "edit",
            };
            format!("{verb} {path}")
        }
        Action::Run { program, arguments, .. } => format!("run {}", program.command_line(arguments)),
        Action::Rebind { functions } => {
            let addresses: Vec<String> =
                functions.iter().map(|function| function.device.address.to_string()).collect();
            format!("change the driver of {}", addresses.join(", "))
        }
        Action::Tune { settings } => format!("change {} of the running kernel", values(settings.len())),
    }
}

/// How many values, in words.
fn values(count: usize) -> String {
    if count == 1 { "a value".to_owned() } else { format!("{count} values") }
}

/// The whole plan with every difference.
pub(crate) fn whole(plan: &Plan) -> String {
    let mut out = String::new();
    let steps = if plan.steps.len() == 1 { "step" } else { "steps" };
    let _ = writeln!(
        out,
        "{STRONG}Plan: {}{STRONG:#} ({} {steps})",
        printer::plain(&plan.title),
        plan.steps.len()
    );
    for (number, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(out, "\n{:>3}. {STRONG}{}{STRONG:#}", number + 1, printer::plain(&headline(step)));
        let _ = writeln!(out, "     {}", printer::wrap(&printer::plain(&step.what), printer::width(), 5));
        let _ = writeln!(out, "     {FAINT}takes effect {}{FAINT:#}", when(step.effect));
        match &step.action {
            Action::File { .. } => out.push_str(&printer::difference(&passthru_plan::diff::of_step(step))),
            Action::Rebind { .. } | Action::Tune { .. } => {
                for line in passthru_plan::diff::of_step(step).lines() {
                    let _ = writeln!(out, "      {}", printer::plain(line));
                }
            }
            Action::Run { .. } => {}
        }
        if let Action::Run { rewrites, .. } = &step.action {
            for path in rewrites {
                let _ = writeln!(out, "      rewrites {} (kept, and put back by undo)", printer::plain(path));
            }
        }
    }
    if !plan.notes.is_empty() {
        out.push('\n');
        for note in &plan.notes {
            let _ = writeln!(
                out,
                "{STRONG}Note:{STRONG:#} {}",
                printer::wrap(&printer::plain(note), printer::width(), 6)
            );
        }
    }
    out
}

/// Why each step is needed, and how it is taken back.
pub(crate) fn explanation(plan: &Plan) -> String {
    let mut out = String::new();
    for (number, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(out, "{:>3}. {}", number + 1, printer::plain(&headline(step)));
        let _ = writeln!(out, "     {}", printer::wrap(&printer::plain(&step.why), printer::width(), 5));
    }
    if plan.ends_with_boot() {
        out.push_str(
            "\nWho has what now is written down in /var/lib/passthru/journal first. If a step fails, each function goes back to\n\
             the driver that it had; `passthru undo` does the same later, and so does a reboot. A driver that does not let go\n\
             is waited for at most a minute, and is then left alone.",
        );
        return out;
    }
    out.push_str(
        "\nEverything that is there now is kept in /var/lib/passthru/journal before it is touched, as plain files with a\n\
         README. `passthru undo` puts it back; so does the next command after a crash or a power cut, if you ask it to.\n\
         If a program fails, what was done is taken back at once.",
    );
    out
}
