//! `passthru guest edit`: a specification in the user's editor, kept only if it can be read.

use std::path::Path;
use std::process::Command;

use passthru_guest::look::Looked;
use passthru_guest::{Guest, GuestName as Name, GuestSpec, spec};

use super::places::{Places, name};
use crate::args::GuestName;
use crate::context::Context;
use crate::exit::{Exit, Failure, chain};
use crate::printer;

/// Opens the editor on a copy until what is written can be read, and puts it in the place of the file as a whole.
pub(crate) fn run(context: &Context, arguments: &GuestName) -> Result<Exit, Failure> {
    context.only_live("guest edit")?;
    let places = Places::of_this_user()?;
    let name = name(&arguments.name)?;
    let path = places.specs.join(name.file_name());
    // What cannot be read may be what is to be mended, so that alone is no reason to refuse.
    if !path.exists() {
        places.load(&name)?;
    }
    let before = read(&path)?;
    let folder = tempfile::Builder::new()
        .prefix("passthru-edit-")
        .tempdir()
        .map_err(|error| Failure::no(format!("a copy cannot be made: {error}")))?;
    let copy = folder.path().join(name.file_name());
    std::fs::write(&copy, &before).map_err(|error| cannot("written", &copy, &error))?;
    let (after, spec) = loop {
        open_editor(&copy)?;
        let after = read(&copy)?;
        match spec::parse(name.clone(), &path.display().to_string(), &after) {
            Ok(spec) => break (after, spec),
            Err(error) if again(context, &chain(&error))? => {}
            Err(error) => return Err(Failure::usage(chain(&error)).hint("nothing was changed")),
        }
    };
    if after == before {
        context.printer.say("Nothing was changed");
        return Ok(Exit::Done);
    }
    if read(&path)? != before {
        return Err(Failure::refused(format!("{} was changed by somebody else meanwhile", path.display()))
            .hint("nothing was changed; edit it once more"));
    }
    places.replace(&path, &after)?;
    context.printer.say(&format!("Wrote {}", path.display()));
    tell(context, &name, &spec)?;
    Ok(Exit::Done)
}

/// What keeps the guest from starting as it is written now; devices may be away for a while, so it is kept anyway.
fn tell(context: &Context, name: &Name, spec: &GuestSpec) -> Result<(), Failure> {
    let facts = context.facts()?;
    if let Err(errors) = Guest::build(spec, &facts, &Looked::here(spec)) {
        context.printer.say(&format!("It could not start now: {errors}"));
        context.printer.say(&format!("‘passthru guest check {name}’ says more"));
    }
    Ok(())
}

/// Whether the user wants to go on with a text that cannot be read.
fn again(context: &Context, error: &str) -> Result<bool, Failure> {
    if !printer::can_ask() {
        return Ok(false);
    }
    context.printer.say(error);
    context.printer.say("Edit it again? Otherwise nothing is changed. [y]es / [n]o");
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|error| Failure::refused(format!("the answer cannot be read: {error}")))?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Runs `$VISUAL`, else `$EDITOR`, else vi, which every system has. The variable may hold arguments; no shell reads it.
fn open_editor(path: &Path) -> Result<(), Failure> {
    let said = ["VISUAL", "EDITOR"].into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    let said = said.map_or_else(|| "vi".to_owned(), |value| value.to_string_lossy().into_owned());
    let mut words = said.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(path).status();
    let hint = "nothing was changed; VISUAL or EDITOR says which editor is run";
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            Err(Failure::no(format!("the editor ‘{}’ ended with {status}", program.escape_debug()))
                .hint(hint))
        }
        Err(error) => {
            Err(Failure::no(format!("the editor ‘{}’ cannot be run: {error}", program.escape_debug()))
                .hint(hint))
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| cannot("read", path, &error))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::no(format!("{} cannot be {what}: {error}", path.display()))
}
