//! `passthru guest check FILE`: what is wrong with a guest that another program keeps, and a patch that mends it.

use std::fmt::Write as _;
use std::path::Path;

use passthru_formats::libvirt_domain;
use passthru_formats::qemu_command::{self, CommandDomain, QemuCommand, QemuCommandError};
use passthru_host::{Subjects, look_at_guest};
use passthru_plan::guest_file;

use crate::args::GuestCheckArguments;
use crate::commands::{doctor, plan};
use crate::context::Context;
use crate::envelope;
use crate::exit::{Exit, Failure};
use crate::printer::{self, STRONG};

/// Files of guests are small; what is larger is something else.
const MOST_BYTES: u64 = 1 << 20;

/// The bytes of a file that may be a guest's; the error says why it is none.
pub(super) fn short(path: &Path) -> Result<Vec<u8>, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let about = std::fs::metadata(path).map_err(|error| wrong(&error))?;
    if !about.is_file() {
        return Err(wrong(&"this is no file"));
    }
    if about.len() > MOST_BYTES {
        return Err(wrong(&"this is larger than any guest's file"));
    }
    std::fs::read(path).map_err(|error| wrong(&error))
}

/// A guest that another program keeps.
pub(super) enum Foreign {
    /// Domain XML.
    Domain(Vec<u8>),
    /// A script or command line that starts QEMU, and its text.
    Command(QemuCommand, String),
}

/// The guest in a file; `None` where it has none, the error where it has and cannot be read. A file with a guest is short; XML
/// begins with an element.
pub(super) fn guest(path: &Path) -> Option<Result<Foreign, Failure>> {
    let bytes = short(path).ok()?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if text.trim_ascii_start().starts_with(b"<") {
        return Some(Ok(Foreign::Domain(bytes)));
    }
    let text = String::from_utf8(bytes).ok()?;
    match qemu_command::parse(&text) {
        Ok(command) => Some(Ok(Foreign::Command(command, text))),
        Err(QemuCommandError::NoCommand) => None,
        Err(error) => Some(Err(Failure::usage(format!("{}: {error}", path.display())))),
    }
}

/// Prints what the rules about guests say of one; the answer is no if one fails.
pub(super) fn run(
    context: &Context,
    arguments: &GuestCheckArguments,
    guest: &Foreign,
) -> Result<Exit, Failure> {
    let named = arguments.what.to_string_lossy();
    let host = context.open()?;
    let mut facts = context.gather(&host, Subjects::USUAL);
    let file = match guest {
        Foreign::Domain(bytes) => {
            let wrong = |error: libvirt_domain::DomainError| Failure::usage(error.to_string());
            let domain = libvirt_domain::parse(&named, bytes).map_err(wrong)?;
            look_at_guest(&host, &domain, &mut facts);
            guest_file::lint_domain(&facts, &domain, bytes).map_err(wrong)?
        }
        Foreign::Command(command, text) => {
            let stem = arguments.what.file_stem().unwrap_or_default().to_string_lossy();
            let read = CommandDomain::of(&named, &stem, command);
            look_at_guest(&host, &read.domain, &mut facts);
            guest_file::lint_command(&facts, &read, command, text)
        }
    };
    let exit = doctor::exit(&file.findings);
    let patch = Some(file.patch).filter(|patch| !patch.is_empty());
    if let Some(output) = &arguments.output {
        match &patch {
            Some(patch) => plan::save(output, patch.as_bytes())?,
            None => context.printer.say("There is nothing that a patch could mend; no file was written"),
        }
    }
    if context.printer.json {
        let document =
            envelope::GuestCheck { schema: "passthru.guest-check/1", findings: file.findings, patch };
        context.printer.json_document(&document)?;
        return Ok(exit);
    }
    let mut out = String::new();
    doctor::section(&mut out, file.findings.iter());
    out.push('\n');
    doctor::close(&mut out, &file.findings);
    if let Some(patch) = patch {
        let intro = "A patch that makes those changes which a change of the file can make; read it before you use it:";
        let _ = write!(out, "\n{STRONG}{intro}{STRONG:#}\n\n{}", printer::difference(&patch));
    }
    context.printer.data(&out)?;
    Ok(exit)
}
