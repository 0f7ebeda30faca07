//! Giving up the host's picture for a guest that takes the card it is drawn on, in the order in which things use one another:
//! the desktop, the consoles, the firmware's screen, and modules that use the card beside its driver.

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::graphics::Graphics;
use passthru_model::pci::PciFunction;
use passthru_model::plan::Step;
use passthru_model::setting::{DisplayModule, DisplayService, Place, Screen, Setting, Value, Word};

use super::step;
use crate::groups::listed;
use crate::planner::{Reason, select};

/// The driver that other modules use cards through.
const NVIDIA: &str = "nvidia";

/// What is given up.
#[derive(Debug, Default)]
pub(super) struct HandOver {
    /// In order.
    pub(super) steps: Vec<Step>,
    pub(super) notes: Vec<String>,
    /// Whether the programs that have the cards open end with what is given up.
    pub(super) ends_programs: bool,
}

/// Plans what is given up before these functions can leave their drivers. Where none of them is a card that a driver of the host has,
/// there is nothing to give up.
pub(super) fn hand_over(facts: &HostFacts, moving: &[PciAddress]) -> Result<HandOver, Vec<Reason>> {
    let cards: Vec<&PciFunction> = moving
        .iter()
        .filter_map(|address| facts.function(*address))
        .filter(|function| function.class.is_display() && function.driver.is_some())
        .collect();
    if cards.is_empty() {
        let note = "tuning.hand-over-display: no driver of the host has a card of this guest, so the desktop goes on";
        return Ok(HandOver { notes: vec![note.to_owned()], ..HandOver::default() });
    }
    let mut reasons = Vec::new();
    let mut out = HandOver::default();
    match services(facts) {
        Ok(services) => out.desktop(services),
        Err(reason) => reasons.push(reason),
    }
    if let Some(graphics) = facts.graphics.value() {
        out.screens(graphics, &cards);
    } else {
        let because = facts.graphics.because().unwrap_or_default();
        reasons.push(select::unknown(facts, "what draws on the host's displays", because));
    }
    if cards.iter().any(|card| card.driver.as_deref() == Some(NVIDIA)) {
        match modules(facts, moving) {
            Ok(step) => out.steps.extend(step),
            Err(reason) => reasons.push(reason),
        }
    }
    if reasons.is_empty() { Ok(out) } else { Err(reasons) }
}

impl HandOver {
    /// Has the desktop ended.
    fn desktop(&mut self, services: Vec<DisplayService>) {
        self.ends_programs = !services.is_empty();
        if services.iter().any(|service| service.is_display_manager()) {
            self.notes.push(
                "the desktop ends, and with it every program that runs there: save your work first. It comes back, as a greeter, when the \
                 guest has ended; until then the host is reached over the network or a serial line"
                    .to_owned(),
            );
        } else {
            self.notes.push(
                "no display manager that passthru knows runs, so no desktop is ended: one that was started by hand must be ended first"
                    .to_owned(),
            );
        }
        let names: Vec<&str> = services.iter().map(|service| service.unit()).collect();
        let what = format!("stop {}", names.join(" and "));
        let settings = services.into_iter().map(|service| off(Place::DisplayService { service })).collect();
        self.steps.extend(step(
            "desktop",
            settings,
            what,
            "tuning.hand-over-display asks for it: while they run, they have the card open",
        ));
    }

    /// Has consoles and the firmware's screen let go.
    fn screens(&mut self, graphics: &Graphics, cards: &[&PciFunction]) {
        let drawn = graphics.consoles.iter().filter(|console| console.bound && console.draws());
        let mut settings: Vec<Setting> =
            drawn.map(|console| off(Place::Console { number: console.number })).collect();
        let screens = graphics.firmware_screens.iter().filter(|screen| screen.driver.is_some());
        for screen in screens.filter(|screen| {
            screen.address.is_none_or(|address| cards.iter().any(|card| card.address == address))
        }) {
            let Some(place) = Screen::of_device(&screen.device) else { continue };
            // From Linux 6.0 on vfio-pci takes the device away with it, and then there is nothing to bind.
            settings.push(Setting { needed: false, ..off(Place::FirmwareScreen { screen: place }) });
            self.notes.push(format!(
                "what is drawn on the firmware’s screen ({}) comes back with the next boot only, unless a driver of the card draws it",
                screen.device
            ));
        }
        self.steps.extend(step(
            "consoles",
            settings,
            "take the text consoles off the card".to_owned(),
            "tuning.hand-over-display asks for it: they are drawn on it",
        ));
    }
}

/// The services that are to be stopped.
fn services(facts: &HostFacts) -> Result<Vec<DisplayService>, Reason> {
    let now = facts.tuning.run_time.value().ok_or_else(|| {
        let because = facts.tuning.run_time.because().unwrap_or_default();
        select::unknown(facts, "what runs the desktop", because)
    })?;
    // Who starts the guest from the desktop, and QEMU itself, must not end with it; only one hierarchy says who that is.
    if now.cpuset.is_none() || !now.systemd {
        return Err(Reason::CannotTune(
            "tuning.hand-over-display needs a host that systemd runs, with control groups of version 2 at /sys/fs/cgroup: what runs the \
             desktop is not known otherwise"
                .to_owned(),
        ));
    }
    Ok(DisplayService::ALL.into_iter().filter(|service| now.display_services.contains(service)).collect())
}

/// Takes NVIDIA's other modules out, where every card of theirs leaves.
fn modules(facts: &HostFacts, moving: &[PciAddress]) -> Result<Option<Step>, Reason> {
    let staying: Vec<PciAddress> = facts
        .functions()
        .filter(|function| function.driver.as_deref() == Some(NVIDIA) && !moving.contains(&function.address))
        .map(|function| function.address)
        .collect();
    if !staying.is_empty() {
        return Err(Reason::CannotTune(format!(
            "tuning.hand-over-display would take modules out that {} needs, which stays with the host's driver nvidia; give it to the \
             guest too, or do without the key: the host has another display",
            listed(&staying)
        )));
    }
    let loaded = facts.kernel.loaded.value().ok_or_else(|| {
        let because = facts.kernel.loaded.because().unwrap_or_default();
        select::unknown(facts, "which modules are loaded", because)
    })?;
    let there =
        DisplayModule::ALL.into_iter().filter(|module| loaded.iter().any(|name| name == module.name()));
    let there: Vec<DisplayModule> = there.collect();
    let names: Vec<&str> = there.iter().map(|module| module.name()).collect();
    let what = format!("take {} out", names.join(" and "));
    let settings = there.into_iter().map(|module| off(Place::DisplayModule { module })).collect();
    Ok(step(
        "display-modules",
        settings,
        what,
        "they use the card through the module nvidia, which does not let go of it before; they go once no program has the card open",
    ))
}

fn off(place: Place) -> Setting {
    Setting { place, before: Value::from(Word::On), after: Value::from(Word::Off), needed: true }
}
