//! `passthru guest import`: a specification of what another program keeps, and a word about all that is not in it.

use std::fmt::Write as _;
use std::path::Path;

use passthru_guest::import::{Fate, Imported, Note, Source, import};
use passthru_guest::spec;

use super::check_file::short;
use super::places::{Places, name};
use crate::args::GuestImportArguments;
use crate::commands::plan;
use crate::context::Context;
use crate::envelope;
use crate::exit::{Exit, Failure};
use crate::printer::{STRONG, plain};

/// Reads the file, writes the specification, and says what was lost.
pub(crate) fn run(context: &Context, arguments: &GuestImportArguments) -> Result<Exit, Failure> {
    let file = arguments.file.as_path();
    let bytes = short(file).map_err(Failure::usage)?;
    let folder = std::path::absolute(file)
        .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default();
    let wanted = arguments.name.as_deref().map(name).transpose()?;
    let facts = context.facts()?;
    let path = file.to_string_lossy();
    let source = Source { path: &path, bytes: &bytes, folder: &folder };
    let imported = import(&source, wanted, &facts).map_err(|error| Failure::usage(error.to_string()))?;
    let text = spec::write(&imported.spec, |device| {
        facts.function(device.address).map(|function| facts.name_of(function))
    });
    let to_standard_output = arguments.output.as_deref() == Some(Path::new("-"));
    let written = if to_standard_output { None } else { Some(save(context, arguments, &imported, &text)?) };
    if context.printer.json {
        context.printer.json_document(&envelope::GuestImport {
            schema: "passthru.guest-import/1",
            name: imported.spec.name.to_string(),
            path: written,
            specification: text,
            notes: imported.notes,
        })?;
        return Ok(Exit::Done);
    }
    if to_standard_output {
        context.printer.data(&plain(&text))?;
    }
    for line in told(&imported.notes).lines() {
        context.printer.say(line);
    }
    if let Some(path) = written {
        context.printer.say(&format!("Wrote {}", plain(&path)));
        context.printer.say(&format!("Next: passthru guest check {}", imported.spec.name));
    }
    Ok(Exit::Done)
}

/// Saves the specification as a new file; an existing guest is left alone.
fn save(
    context: &Context,
    arguments: &GuestImportArguments,
    imported: &Imported,
    text: &str,
) -> Result<String, Failure> {
    if let Some(output) = &arguments.output {
        plan::save(output, text.as_bytes())?;
        return Ok(output.to_string_lossy().into_owned());
    }
    context.only_live("guest import")?;
    let places = Places::of_this_user()?;
    let path = places.specs.join(imported.spec.name.file_name());
    places.save_new(&path, &imported.spec.name, text)?;
    Ok(path.to_string_lossy().into_owned())
}

/// What was lost, each by itself; what was left out, by its reason.
fn told(notes: &[Note]) -> String {
    let mut out = String::new();
    let lost: Vec<&Note> = notes.iter().filter(|note| note.fate == Fate::Lost).collect();
    if lost.is_empty() {
        out.push_str("Everything that makes the guest what it is was carried over\n");
    } else {
        let _ = writeln!(out, "{STRONG}Not carried over, so the guest will be another in this:{STRONG:#}");
    }
    for note in lost {
        let _ = writeln!(out, "  line {}: {}: {}", note.line, plain(&note.what), note.why);
    }
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for note in notes.iter().filter(|note| note.fate == Fate::LeftOut) {
        let line = note.line.to_string();
        match reasons.iter_mut().find(|(why, _)| *why == note.why) {
            Some((_, lines)) if lines.contains(&line) => {}
            Some((_, lines)) => lines.push(line),
            None => reasons.push((&note.why, vec![line])),
        }
    }
    if !reasons.is_empty() {
        let _ = writeln!(out, "{STRONG}Left out, for it is not the guest's or comes by itself:{STRONG:#}");
    }
    for (why, lines) in reasons {
        let word = if lines.len() == 1 { "line" } else { "lines" };
        let _ = writeln!(out, "  {word} {}: {}", lines.join(", "), plain(why));
    }
    out
}
