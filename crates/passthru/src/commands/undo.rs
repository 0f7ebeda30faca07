//! `passthru undo`: take a change back.

use std::fmt::Write as _;

use passthru_apply::{Event, How, OnConflict, Undone, Which};

use crate::args::UndoArguments;
use crate::ask::{self, Answer};
use crate::commands::change;
use crate::commands::guest::places::Places;
use crate::context::{Context, only_root};
use crate::exit::{Exit, Failure};
use crate::hold::Hold;
use crate::printer::{STRONG, plain};
use crate::runner::HostRunner;

/// Takes back the newest change, or the named one.
pub(crate) fn run(context: &Context, arguments: &UndoArguments) -> Result<Exit, Failure> {
    context.only_systems("undo")?;
    let target = context.target()?;
    let which = match &arguments.change {
        Some(id) => Which::Journal(id.clone()),
        None => Which::Newest,
    };
    let (id, plan) =
        passthru_apply::undo_choice(&target, &which).map_err(|error| change::apply_failure(&error))?;
    if let (Some(guest), true) = (&plan.guest, context.is_live())
        && passthru_guest::run::in_use(&Places::of_this_user()?.paths(guest)).unwrap_or(true)
    {
        return Err(Failure::refused(format!("this is changed for the guest ‘{guest}’, which runs"))
            .hint(format!("‘passthru guest stop {guest}’ stops it, and takes this back")));
    }
    let mut out = format!("{STRONG}Take back: {}{STRONG:#} ({id})\n", plain(&plan.title));
    for step in plan.steps.iter().rev() {
        if let Some(path) = step.path() {
            let verb = match step.kind() {
                "file-create" => "remove",
                "file-remove" => "bring back",
                _ => "put back",
            };
            let _ = writeln!(out, "  {verb} {}", plain(path));
        }
        for setting in step.settings() {
            let _ = writeln!(out, "  put {} back to {}", setting.place.path(), setting.before);
        }
        for function in step.rebindings() {
            let driver = function.before.driver.as_deref().unwrap_or("no driver");
            let _ = writeln!(out, "  give {} back to {}", function.device.address, plain(driver));
        }
    }
    context.printer.data(&out)?;
    if let Some(root) = context.root() {
        context.printer.say(&format!(
            "In the system mounted at {}. Programs that build something again are run inside it (chroot), with {} of the running \
             system, which are mounted there for them alone",
            root.display(),
            passthru_host::inside::LENT.join(", ")
        ));
    }
    if !arguments.agreement.dry_run {
        only_root("undoing a change")?;
    }
    change::refuse_if_held(context, &plan, passthru_plan::may_go_back)?;
    let explain = || {
        format!(
            "Each file goes back to the bytes, mode and owner it had. What you edited since is kept; where that cannot be\n\
             done, nothing at all is changed and the three versions are named. The before-images are in\n{}/{id}",
            passthru_apply::JOURNALS
        )
    };
    if let Answer::No = ask::agree(context, arguments.agreement, "\nTake this back?", &explain)? {
        return Ok(if arguments.agreement.dry_run { Exit::Done } else { Exit::No });
    }
    let mut runner = HostRunner;
    let mut hold = Hold::begin()?;
    let mut progress = |event: Event<'_>| change::report(context, &mut hold, &event);
    let undone = passthru_apply::undo(&target, &which, OnConflict::Refuse, &mut runner, &mut progress)
        .map_err(|error| change::apply_failure(&error))?;
    context.printer.data(&as_text(&undone))?;
    match context.root() {
        Some(root) => {
            context.printer.say(&format!("Next: unmount {} with its parts, and boot it", root.display()));
        }
        None if undone.needs_reboot => context.printer.say("Next: reboot"),
        None => {}
    }
    Ok(Exit::Done)
}

/// What became of each path.
fn as_text(undone: &Undone) -> String {
    let mut out = format!("{STRONG}Undone: {}{STRONG:#}\n", plain(&undone.title));
    for reverted in &undone.paths {
        let how = match reverted.how {
            How::PutBack => "as it was before",
            How::AlreadyBefore => "was as before already",
            How::Merged => "our change taken out, your edits kept",
            How::LeftAsEdited => "was changed since, and left so",
            How::EditsDisplaced => "as it was before; your version is in the journal",
            How::Gone => "is gone, and stays so",
            How::BuiltAgain => "was rebuilt since; built again without our change",
        };
        let _ = writeln!(out, "  {}: {how}", plain(&reverted.path));
    }
    out
}
