//! `passthru guest new`: write a specification.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use passthru_guest::spec::{
    self, AccelChoice, Disk, DiskFormat, Display, FirmwareKind, Medium, Nic, NicBackend, Os,
};
use passthru_guest::{GuestSpec, MemorySize};
use passthru_model::intent::DeviceIdentity;
use passthru_model::{HostFacts, PciAddress};

use super::places::{Places, name};
use crate::args::{DisplayChoice, FirmwareChoice, GuestNewArguments, NetworkChoice, OsChoice};
use crate::context::Context;
use crate::exit::{Exit, Failure, chain};
use crate::printer::plain;

/// Makes a specification of the arguments and saves it; an existing guest is left alone.
pub(crate) fn run(context: &Context, arguments: &GuestNewArguments) -> Result<Exit, Failure> {
    context.only_live("guest new")?;
    let facts = context.facts()?;
    let name = name(&arguments.name)?;
    let places = Places::of_this_user()?;
    let mut spec = GuestSpec::new(name);
    spec.os = match arguments.os {
        OsChoice::Linux => Os::Linux,
        OsChoice::Windows10 => Os::Windows10,
        OsChoice::Windows11 => Os::Windows11,
        OsChoice::Other => Os::Other,
    };
    spec.memory = arguments.memory.parse::<MemorySize>().map_err(|error| Failure::usage(chain(&error)))?;
    spec.cpus = arguments.cpus;
    spec.network = match arguments.network {
        NetworkChoice::None => None,
        NetworkChoice::User => Some(Nic::on(NicBackend::User)),
    };
    spec.display = arguments.display.map(|choice| match choice {
        DisplayChoice::None => Display::None,
        DisplayChoice::Vnc => Display::Vnc,
        DisplayChoice::Spice => Display::Spice,
    });
    spec.firmware = firmware(arguments.firmware);
    spec.accel = accel(arguments.accel);
    spec.devices = devices(context, &facts, &arguments.device)?;
    for path in &arguments.disk {
        let path = absolute(path)?;
        let format = DiskFormat::by_name(&path);
        context.printer.say(&format!("{} is taken as {}", plain(&path.to_string_lossy()), format.word()));
        spec.disks.push(Disk { path, format });
    }
    for path in &arguments.media {
        spec.media.push(Medium { path: absolute(path)? });
    }
    let text =
        spec::write(&spec, |device| facts.function(device.address).map(|function| facts.name_of(function)));
    let path = places.specs.join(spec.name.file_name());
    places.save_new(&path, &spec.name, &text)?;
    context.printer.say(&format!("Wrote {}", path.display()));
    context.printer.say(&format!("Next: passthru guest check {0}, then passthru guest start {0}", spec.name));
    Ok(Exit::Done)
}

/// The named functions by identity, with their siblings in the slot: a card goes whole.
fn devices(
    context: &Context,
    facts: &HostFacts,
    named: &[PciAddress],
) -> Result<Vec<DeviceIdentity>, Failure> {
    let mut chosen = BTreeSet::new();
    for address in named {
        let function = facts.function(*address).ok_or_else(|| {
            Failure::no(format!("{address} is not on this host")).hint("‘passthru groups’ lists what is")
        })?;
        if function.is_bridge() {
            return Err(Failure::refused(format!("{address} is a bridge, which stays with the host")));
        }
        chosen.insert(*address);
        for sibling in facts.functions().filter(|other| function.is_of_one_card_with(other)) {
            if chosen.insert(sibling.address) && !named.contains(&sibling.address) {
                context.printer.say(&format!(
                    "{} ({}) goes along: it is a function of the same card",
                    sibling.address,
                    plain(&facts.name_of(sibling))
                ));
            }
        }
    }
    Ok(facts
        .functions()
        .filter(|function| chosen.contains(&function.address))
        .map(DeviceIdentity::of)
        .collect())
}

/// A path that means the same wherever the guest is started from.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// The firmware, in the other room's words.
pub(crate) fn firmware(choice: FirmwareChoice) -> FirmwareKind {
    match choice {
        FirmwareChoice::Uefi => FirmwareKind::Uefi,
        FirmwareChoice::Seabios => FirmwareKind::Seabios,
    }
}

/// What executes a guest, in the other room's words.
pub(crate) fn accel(choice: crate::args::AccelChoice) -> AccelChoice {
    match choice {
        crate::args::AccelChoice::Auto => AccelChoice::Auto,
        crate::args::AccelChoice::Kvm => AccelChoice::Kvm,
        crate::args::AccelChoice::Tcg => AccelChoice::Tcg,
    }
}
