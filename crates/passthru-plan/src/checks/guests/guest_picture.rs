//! Whether a guest with a graphics card shows its picture on it.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainEdit, DomainElement, Place};

use super::domains::has_display;
use super::lint::Lint;
use super::looking_glass;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const LINT: Lint = Lint {
    id: "guest-picture",
    title: "guests with a graphics card show their picture on it",
    section: "Passthrough seems to work but no output is displayed",
    why: "a guest with two displays may draw on the one that nobody looks at, and OVMF shows its own picture on the first",
    about: "is given a graphics card of this host",
    concerns: has_display,
    judge,
    instead: |facts| {
        let because = facts.pci.because()?;
        Some(Outcome::unknown("which devices are graphics cards", because))
    },
    well: "with its card as only display",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(_: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    let virtual_displays: Vec<&str> =
        domain.video.iter().map(String::as_str).filter(|model| !matches!(*model, "none" | "")).collect();
    remarks.seen(domain.path.clone(), format!("<video>: {}", domain.video.join(", ")));
    if !virtual_displays.is_empty() {
        remarks
            .warn(format!(
                "{name} has a virtual display ({}) beside its card, and starts on that",
                virtual_displays.join(", ")
            ))
            .at_path("devices/video")
            .in_file("Once the card's driver is installed, write <video><model type='none'/></video>")
            .in_command("Once the card's driver is installed, write -vga none -display none")
            .edits(without_displays(domain));
    } else if domain.graphics.iter().any(|kind| kind == "spice") && !looking_glass::is_used(domain) {
        // Looking Glass brings the keyboard and the mouse by SPICE.
        remarks
            .warn(format!("{name} still has SPICE, which has no display left to show"))
            .at_path("devices/graphics")
            .in_file("Take <graphics type='spice'> and the devices of type spicevmc out")
            .in_command("Take -spice out")
            .edits(without_spice(domain));
    }
}

/// The changes that take all virtual displays out. Without a `<video>`, libvirt would add one where there are graphics.
fn without_displays(domain: &Domain) -> Vec<DomainEdit> {
    let videos = (1..=domain.video.len())
        .map(|number| DomainEdit::Remove(Place::new(format!("devices/video[{number}]"))));
    let mut edits: Vec<DomainEdit> = videos.collect();
    let mut none = DomainElement::new("video", &[]);
    none.children.push(DomainElement::new("model", &[("type", "none")]));
    edits.push(DomainEdit::Add { parent: Place::new("devices"), element: none });
    if !looking_glass::is_used(domain) {
        edits.extend(without_spice(domain));
    }
    edits
}

/// The changes that take SPICE out, with what only its client uses, and the sound that goes to it.
fn without_spice(domain: &Domain) -> Vec<DomainEdit> {
    let graphics = domain.graphics.iter().enumerate().filter(|(_, kind)| *kind == "spice");
    let mut edits: Vec<DomainEdit> = graphics
        .map(|(at, _)| DomainEdit::Remove(Place::new(format!("devices/graphics[{}]", at + 1))))
        .collect();
    edits.extend(domain.spice_only.iter().cloned().map(DomainEdit::Remove));
    let audio = domain.audio.iter().enumerate().filter(|(_, kind)| *kind == "spice");
    edits
        .extend(audio.map(|(at, _)| {
            DomainEdit::set(Place::new(format!("devices/audio[{}]", at + 1)), "type", "none")
        }));
    edits
}
