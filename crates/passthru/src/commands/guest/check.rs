//! `passthru guest check`: can this guest run on this host? What is wrong with this domain of libvirt, this script that starts
//! QEMU? Does this image boot under UEFI?

use std::path::Path;

use passthru_guest::check::{check, image, others};
use passthru_guest::look::Looked;
use passthru_guest::media;

use super::check_file;
use super::places::{Places, name};
use crate::args::GuestCheckArguments;
use crate::commands::doctor;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Prints the findings; the answer is no if one fails.
pub(crate) fn run(context: &Context, arguments: &GuestCheckArguments) -> Result<Exit, Failure> {
    let what = arguments.what.as_path();
    if what.components().count() > 1 || what.is_absolute() {
        return of_file(context, arguments);
    }
    let places = Places::of_this_user()?;
    let text = what.to_string_lossy();
    let spec = match name(&text).and_then(|name| places.load(&name)) {
        // A guest of this name comes first; a file here is what was meant where there is none.
        Err(_) if what.is_file() => return of_file(context, arguments),
        other => other?,
    };
    only_guests_are_patched(arguments)?;
    let facts = context.facts()?;
    // Disks and memory are those of the machine we run on: a captured host is judged without them.
    let looked = if context.is_live() { Looked::here(&spec) } else { Looked::default() };
    let mut findings = check(&spec, &facts, &looked);
    findings.extend(others(&spec, &places.all()));
    doctor::print(context, "passthru.guest-check/1", findings)
}

/// Prints what can be said of a file: of a domain or a command line, or of an image.
fn of_file(context: &Context, arguments: &GuestCheckArguments) -> Result<Exit, Failure> {
    if let Some(guest) = check_file::guest(&arguments.what) {
        return check_file::run(context, arguments, &guest?);
    }
    only_guests_are_patched(arguments)?;
    of_image(context, &arguments.what)
}

/// Refuses to promise a patch of what is no guest of another program's.
fn only_guests_are_patched(arguments: &GuestCheckArguments) -> Result<(), Failure> {
    if arguments.output.is_none() {
        return Ok(());
    }
    let what = arguments.what.display();
    Err(Failure::usage(format!(
        "‘{what}’ is neither domain XML nor a script that starts QEMU, of which alone a patch is made; leave out --output"
    )))
}

/// Prints whether an image boots under UEFI; the answer is no where it does not.
fn of_image(context: &Context, path: &Path) -> Result<Exit, Failure> {
    let looked = media::look(path);
    if let (Err(why), false) = (&looked, path.exists()) {
        return Err(Failure::usage(format!("{}: {why}", path.display())));
    }
    doctor::print(context, "passthru.guest-check/1", vec![image(path, &looked)])
}
