//! `passthru rom …`: one file a verb.

mod check;
mod dump;

use std::fmt::Write as _;

use passthru_formats::option_rom::CodeType;
use passthru_host::{Subject, Subjects};
use passthru_plan::rom::Picture;

use crate::args::RomCommand;
use crate::context::Context;
use crate::envelope::rom::{Image, Rom, RomContents};
use crate::exit::{Exit, Failure};
use crate::printer::{self, FAINT, STRONG, plain};

/// What a ROM is judged by: whose it is, and whether the firmware drew on it.
const SUBJECTS: Subjects = Subjects::of(&[Subject::Pci, Subject::PciDetails]);

/// Calls the verb's own file.
pub(crate) fn run(context: &Context, command: &RomCommand) -> Result<Exit, Failure> {
    match command {
        RomCommand::Check(arguments) => check::run(context, arguments),
        RomCommand::Dump(arguments) => dump::run(context, arguments),
    }
}

/// Prints what was found; the answer is yes only if OVMF will show a picture.
fn print(context: &Context, rom: &Rom) -> Result<Exit, Failure> {
    if context.printer.json {
        context.printer.json_document(rom)?;
    } else {
        context.printer.data(&as_text(rom))?;
    }
    Ok(if rom.picture == Picture::Yes { Exit::Done } else { Exit::No })
}

/// A ROM as a person reads it.
fn as_text(rom: &Rom) -> String {
    let width = printer::width();
    let mut out = String::new();
    let device = rom.address.map(|address| address.to_string());
    let name =
        rom.file.as_ref().or(device.as_ref()).map_or_else(String::new, |name| plain(name).into_owned());
    match &rom.contents {
        Some(contents) => {
            let _ = writeln!(out, "{STRONG}{name}{STRONG:#}: {} bytes", contents.size);
            out.push_str(&contents_as_text(contents));
        }
        None => drop(writeln!(out, "{STRONG}{name}{STRONG:#}: not read")),
    }
    let _ = writeln!(out, "\n{STRONG}OVMF will show a picture: {}{STRONG:#}", rom.picture.words());
    for reason in &rom.reasons {
        let _ = writeln!(out, "  {}", printer::wrap(&plain(reason), width, 4));
    }
    for note in &rom.notes {
        let _ = writeln!(out, "  {FAINT}note{FAINT:#} {}", printer::wrap(&plain(note), width, 7));
    }
    out
}

fn contents_as_text(contents: &RomContents) -> String {
    let mut out = String::new();
    if let Some(prefix) = &contents.prefix {
        let whose = if prefix.kind == "nvidia" { "NVIDIA’s header" } else { "not an image" };
        let _ = writeln!(out, "  {:>#8x}  {whose}, {} bytes", 0, prefix.length);
    }
    for image in &contents.images {
        out.push_str(&image_as_text(image));
    }
    if let Some(flaw) = &contents.flaw {
        let _ = writeln!(out, "  {flaw}");
    }
    if let Some(trailing) = &contents.trailing {
        let _ = match trailing.padding {
            Some(byte) => writeln!(out, "  then {} bytes of padding ({byte:02x})", trailing.length),
            None => writeln!(out, "  then {} bytes of something else", trailing.length),
        };
    }
    if let Some(vbios) = &contents.vbios {
        let version = vbios.version.as_deref().unwrap_or("without a version");
        let part = vbios.part_number.as_ref().map(|part| format!(", part {part}")).unwrap_or_default();
        let _ = writeln!(out, "  {} VBIOS {}{}", vbios.maker, plain(version), plain(&part));
    }
    out
}

fn image_as_text(image: &Image) -> String {
    let mut out = format!(
        "  {:>#8x}  {}, {} bytes, for {}:{} ({})",
        image.offset,
        CodeType::from(image.code).noun(),
        image.length,
        image.vendor,
        image.device,
        image.class.name()
    );
    match image.checksum {
        Some(true) => out.push_str(", checksum right"),
        Some(false) => out.push_str(", checksum WRONG"),
        None => {}
    }
    if let Some(uefi) = &image.uefi {
        let _ = write!(out, ", {}", uefi.machine);
        if uefi.packed {
            out.push_str(", packed");
        }
        match (uefi.signed, &uefi.error) {
            (Some(true), _) => out.push_str(", signed"),
            (Some(false), _) => out.push_str(", not signed"),
            (None, Some(error)) => drop(write!(out, ", {error}")),
            (None, None) => {}
        }
    }
    if image.private {
        out.push_str(", not seen by firmware");
    }
    out.push('\n');
    out
}
