//! `passthru rom check`: what is in a ROM, and will OVMF show a picture with it?

use std::io::Read as _;
use std::path::Path;

use passthru_apply::rom::MOST_BYTES;
use passthru_formats::option_rom;
use passthru_host::{Host, ReadErrorKind};
use passthru_model::{HostFacts, PciAddress, PciFunction};
use passthru_plan::rom;

use super::print;
use crate::args::RomCheckArguments;
use crate::context::Context;
use crate::envelope::rom::Rom;
use crate::exit::{Exit, Failure};

/// Reads the file or the device's own ROM, and prints what it is.
pub(crate) fn run(context: &Context, arguments: &RomCheckArguments) -> Result<Exit, Failure> {
    let name = arguments.what.to_str().filter(|name| !name.contains('/'));
    match name.and_then(|name| name.parse().ok()) {
        Some(address) if arguments.device.is_none() => print(context, &of_device(context, address)?),
        Some(_) => Err(Failure::usage("--device goes with a file, and an address was given")),
        None => print(context, &of_file(context, &arguments.what, arguments.device)?),
    }
}

fn of_file(context: &Context, path: &Path, device: Option<PciAddress>) -> Result<Rom, Failure> {
    let bytes = read(path)?;
    let facts = device.map(|_| context.facts_of(super::SUBJECTS)).transpose()?;
    let function = match (&facts, device) {
        (Some(facts), Some(address)) => Some(known(facts, address)?),
        _ => None,
    };
    let parsed = option_rom::parse(&bytes);
    Ok(Rom {
        file: Some(path.display().to_string()),
        address: device,
        ..Rom::of(rom::of_file(&parsed, function), Some(&parsed))
    })
}

/// Reads a file that can be a ROM.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let wrong = |error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(wrong)?;
    let about = file.metadata().map_err(wrong)?;
    // Twice a ROM's largest range: files with a header or a second copy are longer than that.
    if !about.is_file() || about.len() > 2 * MOST_BYTES {
        let why = if about.is_file() { "it is larger than any ROM" } else { "it is not a file" };
        return Err(Failure::usage(format!("{} cannot be read: {why}", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(2 * MOST_BYTES).read_to_end(&mut bytes).map_err(wrong)?;
    Ok(bytes)
}

fn of_device(context: &Context, address: PciAddress) -> Result<Rom, Failure> {
    let host = context.open()?;
    let facts = context.gather(&host, super::SUBJECTS);
    let function = known(&facts, address)?;
    let parsed = of_sysfs(&host, function).map(|bytes| option_rom::parse(&bytes));
    let judged = parsed.as_ref().map_err(String::as_str);
    let found = parsed.as_ref().ok();
    Ok(Rom {
        address: Some(address),
        shadow: function.has_rom.then(|| rom::is_shadow(function, found)),
        ..Rom::of(rom::of_device(function, judged), found)
    })
}

/// The function of an address, or that there is none.
pub(super) fn known(facts: &HostFacts, address: PciAddress) -> Result<&PciFunction, Failure> {
    facts.function(address).ok_or_else(|| {
        let why = facts.pci.because().map(|why| format!(" ({why})")).unwrap_or_default();
        Failure::no(format!("{address}: there is no such device in this host{why}"))
            .hint("‘passthru groups’ lists them")
    })
}

/// The ROM as sysfs gives it without being told to, or why it does not.
fn of_sysfs(host: &Host, function: &PciFunction) -> Result<Vec<u8>, String> {
    let address = function.address;
    match host.read(&function.attribute("rom")) {
        Ok(bytes) if bytes.is_empty() => {
            Err("the ROM’s file is there and empty, as in a copy of /sys".to_owned())
        }
        Ok(bytes) => Ok(bytes),
        Err(error) if !host.is_live() => Err(format!("{error}; a capture does not hold ROMs")),
        Err(error) => Err(match error.kind {
            // The kernel's answer while the ROM is switched off is EINVAL (`pci_read_rom`, `drivers/pci/pci-sysfs.c`).
            ReadErrorKind::Other(_) => format!(
                "the ROM is switched off, and reading commands change nothing; ‘sudo passthru rom dump {address} -o FILE’ reads it"
            ),
            ReadErrorKind::Denied => {
                format!("only root may read a device’s ROM; ‘sudo passthru rom dump {address} -o FILE’ does")
            }
            _ => error.to_string(),
        }),
    }
}
