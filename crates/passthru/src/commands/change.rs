//! What every command that changes the host shares: show the plan, agree, carry it out, say what comes next.

use passthru_apply::{Error, Event, Interrupted, JournalState};
use passthru_guest::GuestName;
use passthru_host::{Subject, Subjects};
use passthru_model::HostFacts;
use passthru_model::plan::Plan;
use passthru_plan::{Consent, Refusal};

use crate::args::{Agreement, BootChain, Command, Insist};
use crate::ask::{self, Answer};
use crate::commands::guest::places::Places;
use crate::context::{Context, only_root};
use crate::envelope::PlanEnvelope;
use crate::exit::{Exit, Failure, chain};
use crate::hold::Hold;
use crate::printer::{FAINT, plain};
use crate::runner::HostRunner;
use crate::show_plan;

/// The planner's consent, from the flags.
pub(crate) fn consent(insist: Insist, boot: BootChain) -> Consent {
    Consent {
        only_named: insist.only_named,
        take_only_display: insist.take_only_display,
        take_in_use: insist.take_in_use,
        take_last_keyboard: insist.take_last_keyboard,
        holders_end: false,
        adopt: false,
        accept_acs_override: insist.accept_acs_override,
        untried_boot_chain: boot.untried_boot_chain,
    }
}

/// A refusal of the planner: every reason, and the flags that would insist.
pub(crate) fn refusal(refusal: &Refusal) -> Failure {
    let mut failure = Failure::refused(refusal.to_string());
    let flags = refusal.flags();
    if !flags.is_empty() {
        failure = failure.hint(format!("to insist all the same: {}", flags.join(" ")));
    }
    failure
}

/// The same of a plan to run a guest: what insists stands in its specification, for whoever starts it.
pub(crate) fn refusal_to_run(refusal: &Refusal, guest: &GuestName) -> Failure {
    let failure = Failure::refused(refusal.to_string());
    let flags = refusal.flags();
    let keys = flags.iter().filter_map(|flag| flag.strip_prefix("--"));
    // Their keys are called as the flags are. What else can be insisted on is about isolating.
    let keys: Vec<String> =
        keys.filter(|key| key.starts_with("take-")).map(|key| format!("‘{key} = true’")).collect();
    if keys.is_empty() {
        return failure;
    }
    failure.hint(format!(
        "to insist all the same: {} below [tuning] of its specification (passthru guest edit {guest})",
        keys.join(", ")
    ))
}

/// An error of the room that changes hosts.
pub(crate) fn apply_failure(error: &Error) -> Failure {
    Failure::new(exit(error.exit_code()), chain(error))
}

/// What an exit code of that room is called here.
pub(crate) fn exit(code: u8) -> Exit {
    match code {
        3 => Exit::Refused,
        4 => Exit::Drift,
        5 => Exit::RolledBack,
        6 => Exit::PartlyRolledBack,
        _ => Exit::No,
    }
}

/// The guests that have ended and for which something of the host is still changed, as far as this user may see it.
pub(crate) fn left_behind(context: &Context, places: &Places) -> Vec<GuestName> {
    let left = || passthru_guest::run::left_behind(&context.target().ok()?, &places.run, &places.data).ok();
    if context.is_live() { left().unwrap_or_default() } else { Vec::new() }
}

/// What is said of such a guest.
pub(crate) fn say_left_behind(guest: &GuestName) -> String {
    format!(
        "‘{guest}’ has ended, and what was changed of the host for it is not put back: passthru guest stop {guest}"
    )
}

/// Puts back what was changed for a guest that has ended, and says what became of it. Without root there is nothing to put back.
pub(crate) fn put_back(context: &Context, guest: &GuestName) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let mut hold = Hold::begin()?;
    let mut progress = |event: Event<'_>| report(context, &mut hold, &event);
    let undone = passthru_guest::run::put_back(&context.target()?, guest, &mut HostRunner, &mut progress)
        .map_err(|error| apply_failure(&error))?;
    let paths = undone.iter().flat_map(|undone| &undone.paths);
    for path in paths.filter(|path| path.how == passthru_apply::How::LeftAsEdited) {
        context
            .printer
            .say(&format!("{} was changed by somebody else meanwhile, and is left so", plain(&path.path)));
    }
    Ok(())
}

/// Says on standard error that an earlier change was not brought to its end, where there is one that we may see.
pub(crate) fn interruption(context: &Context) -> Option<String> {
    if !context.has_journals() {
        return None;
    }
    Some(Error::Interrupted(Box::new(unfinished(context)?)).to_string())
}

/// Refuses to look at a host on which a driver hangs: the kernel holds the lock of its function, and whoever reads the
/// override of that (`driver_override_show`, `drivers/pci/pci-sysfs.c`) hangs too. What does not look goes on.
pub(crate) fn refuse_to_hang(context: &Context, command: &Command) -> Result<(), Failure> {
    let looks = match command {
        // Guests of others must not wait for ours; what is done for ours looks for itself.
        Command::Undo(_) | Command::History(_) | Command::Completions(_) | Command::LibvirtHook(_) => false,
        Command::Apply(arguments) => !arguments.resume,
        _ => context.is_live(),
    };
    if looks { refuse_where_hung(context) } else { Ok(()) }
}

/// Refuses where a driver hangs.
pub(crate) fn refuse_where_hung(context: &Context) -> Result<(), Failure> {
    let Some(found) = unfinished(context).filter(|found| !found.hung.is_empty()) else {
        return Ok(());
    };
    Err(Failure::refused(Error::Interrupted(Box::new(found)).to_string())
        .hint("whatever looks at that function before the reboot may hang as well"))
}

/// The change that was not brought to its end, where this user may see it.
fn unfinished(context: &Context) -> Option<Interrupted> {
    passthru_apply::interrupted(&context.target().ok()?).ok()?
}

/// What stands of the changes that last until the next boot, as far as this user may see them.
pub(crate) fn until_boot(context: &Context) -> Vec<String> {
    let history = || passthru_apply::history(&context.target().ok()?).ok();
    let all = if context.is_live() { history() } else { None };
    all.into_iter()
        .flatten()
        .filter(|journal| journal.until_boot && journal.state == JournalState::Applied)
        .map(|journal| journal.title)
        .collect()
}

/// Shows a plan: to people, or as JSON to programs.
pub(crate) fn show(context: &Context, plan: &Plan) -> Result<(), Failure> {
    if context.printer.json {
        return context.printer.json_document(&PlanEnvelope::of(plan));
    }
    context.printer.data(&show_plan::whole(plan))
}

/// Refuses to move functions, back or on, that a program has open.
pub(crate) fn refuse_if_held(
    context: &Context,
    plan: &Plan,
    may: fn(&HostFacts, &Plan) -> Result<(), Refusal>,
) -> Result<(), Failure> {
    if plan.rebindings().next().is_none() {
        return Ok(());
    }
    let subjects = [Subject::Pci, Subject::Groups, Subject::Holders, Subject::Names];
    let facts = context.facts_of(Subjects::of(&subjects))?;
    may(&facts, plan).map_err(|held| refusal(&held))
}

/// Shows a plan, asks, and carries it out on the live host.
pub(crate) fn carry_out(context: &Context, plan: &Plan, agreement: Agreement) -> Result<Exit, Failure> {
    if plan.is_empty() {
        for note in &plan.notes {
            context.printer.say(&plain(note));
        }
        if context.printer.json {
            show(context, plan)?;
        }
        context.printer.say("The host is set up as intended already; nothing to do");
        return Ok(Exit::Done);
    }
    show(context, plan)?;
    if !agreement.dry_run {
        only_root("changing this host")?;
    }
    let target = context.target()?;
    if let Answer::No =
        ask::agree(context, agreement, "\nCarry out this plan?", &|| show_plan::explanation(plan))?
    {
        return Ok(if agreement.dry_run { Exit::Done } else { Exit::No });
    }
    // While the question stood, a program may have opened what is to be moved.
    refuse_if_held(context, plan, passthru_plan::may_go_on)?;
    let mut runner = HostRunner;
    let mut hold = Hold::begin()?;
    let mut progress = |event: Event<'_>| report(context, &mut hold, &event);
    let applied = passthru_apply::apply(&target, plan, &mut runner, &mut progress)
        .map_err(|error| apply_failure(&error))?;
    if let Some(journal) = applied.journal {
        context.printer.say(&format!(
            "Done. ‘passthru undo’ takes it back; before-images are in {}/{journal}",
            passthru_apply::JOURNALS
        ));
    }
    if plan.needs_reboot() {
        context.printer.say("Next: reboot, then ‘passthru verify’");
    }
    Ok(Exit::Done)
}

/// One line an event, so that a long step shows that it moves.
pub(crate) fn report(context: &Context, hold: &mut Hold, event: &Event<'_>) {
    let printer = &context.printer;
    hold.mention(printer);
    match event {
        Event::StepStarted { index, total, step } => {
            printer.say(&format!("[{}/{total}] {}", index + 1, plain(&step.what)));
        }
        Event::Output { line } => printer.say(&format!("        {FAINT}{}{FAINT:#}", plain(line))),
        Event::RollingBack { index } => {
            printer.say(&format!("Step {} failed; taking back what was done", index + 1));
        }
        Event::StepReverted { index, step } => {
            printer.say(&format!("[{}] taken back: {}", index + 1, plain(&step.what)));
        }
        Event::StepDone { .. } => {}
    }
}
