//! `passthru guest promote`: from the virtual display, on which a system was installed, to the card.

use passthru_guest::look::Looked;
use passthru_guest::{Guest, GuestSpec, run, spec};
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::intent::DeviceIdentity;
use passthru_model::usb::{UsbPort, UsbRole};
use passthru_plan::stake::{self, Stake};

use super::list::pid;
use super::places::{Places, name};
use crate::args::GuestName;
use crate::context::Context;
use crate::exit::{Exit, Failure, chain};
use crate::printer::plain;

/// Edits the specification, if the guest can be and the host keeps what it is used by.
pub(crate) fn run(context: &Context, arguments: &GuestName) -> Result<Exit, Failure> {
    context.only_live("guest promote")?;
    let places = Places::of_this_user()?;
    let name = name(&arguments.name)?;
    places.load(&name)?;
    let state = run::state(&places.paths(&name)).map_err(|error| Failure::no(chain(&error)))?;
    if pid(&state).is_some() {
        return Err(Failure::refused(format!("the guest ‘{name}’ runs"))
            .hint(format!("stop it first: passthru guest stop {name}")));
    }
    let facts = context.facts()?;
    let chosen = isolated(&facts)?;
    let path = places.specs.join(name.file_name());
    let before = std::fs::read_to_string(&path)
        .map_err(|error| Failure::no(format!("{} cannot be read: {error}", path.display())))?;
    let file = path.display().to_string();
    let after =
        spec::promoted(&name, &file, &before, &chosen).map_err(|error| Failure::usage(chain(&error)))?;
    if after == before {
        context.printer.say(&format!("‘{name}’ has the card already, and no virtual display"));
        return Ok(Exit::Done);
    }
    let spec = spec::parse(name.clone(), &file, &after).map_err(|error| Failure::usage(chain(&error)))?;
    let guest = Guest::build(&spec, &facts, &Looked::here(&spec))
        .map_err(|errors| Failure::no(errors.to_string()).hint("nothing was changed"))?;
    if let Some(lost) = host_is_left_without(&facts, &spec) {
        return Err(Failure::refused(format!("the host would be left without {lost}"))
            .hint("plug one in at another controller (see: passthru usb), or leave that controller to the host; nothing was changed"));
    }
    places.replace(&path, &after)?;
    for address in guest.host_functions() {
        let label = facts.function(address).map(|function| facts.name_of(function)).unwrap_or_default();
        context.printer.say(&format!("{address} {} is the guest's", plain(&label)));
    }
    context.printer.say(&format!("Wrote {file}: no virtual display; its picture comes out of the card"));
    context.printer.say(&format!("Next: passthru guest check {name}, then passthru guest start {name}"));
    Ok(Exit::Done)
}

/// What the intent keeps for guests; there must be a GPU among it.
fn isolated(facts: &HostFacts) -> Result<Vec<DeviceIdentity>, Failure> {
    let intent =
        passthru_plan::intent::of(facts).map_err(|error| Failure::no(error.to_string()))?.unwrap_or_default();
    if intent.isolate.iter().any(|device| device.class.is_display()) {
        return Ok(intent.isolate);
    }
    Err(Failure::no("no GPU is isolated for guests, so the guest would have no picture")
        .hint("‘passthru groups’ lists what is there; choose one with: passthru isolate ADDRESS"))
}

/// What the host would miss, in words.
fn host_is_left_without(facts: &HostFacts, spec: &GuestSpec) -> Option<&'static str> {
    let taken: Vec<PciAddress> = spec.devices.iter().map(|device| device.address).collect();
    let ports: Vec<UsbPort> = ports(facts, spec);
    let missed = passthru_plan::usb::missed(facts, &taken, &ports);
    // A keyboard that is on no USB is known to who asks what is at stake with a controller.
    let stakes = taken.iter().filter_map(|address| facts.function(*address));
    let last = stakes.flat_map(|function| stake::of_taking(facts, function, &taken));
    let is_last = last.into_iter().any(|stake| matches!(stake, Stake::LastKeyboard(_)));
    let by_itself = passthru_plan::usb::missed(facts, &[], &ports);
    match (is_last || by_itself.contains(&UsbRole::Keyboard), missed.contains(&UsbRole::Mouse)) {
        (true, true) => Some("a keyboard and a mouse"),
        (true, false) => Some("a keyboard"),
        (false, true) => Some("a mouse"),
        (false, false) => None,
    }
}

/// Where the USB devices are that the guest is given one by one.
fn ports(facts: &HostFacts, spec: &GuestSpec) -> Vec<UsbPort> {
    let devices = facts.usb.value().map(|usb| usb.devices.as_slice()).unwrap_or_default();
    let found = spec.usb.iter().flat_map(|wanted| {
        devices.iter().filter(move |device| match &wanted.choice {
            spec::UsbChoice::Id(id) => device.id() == *id,
            spec::UsbChoice::Port { port, .. } => device.at() == *port,
        })
    });
    found.map(passthru_model::usb::UsbDevice::at).collect()
}
