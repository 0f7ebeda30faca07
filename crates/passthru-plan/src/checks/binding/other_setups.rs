//! Whether other tools or hands have set up what passthru sets up.

use passthru_model::HostFacts;

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};
use crate::leftovers::leftovers;

pub(super) const CHECK: Check = Check {
    id: "other-setups",
    title: "nothing else than passthru takes devices for guests",
    section: "Isolating the GPU",
    why: "two ways to take a device act beside each other: one takes what the other gives back, and twins along with it",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let unseen = facts.binding.modprobe.because().or(facts.binding.driverctl.because());
    let found = leftovers(facts);
    if let (true, Some(because)) = (found.is_empty(), unseen) {
        return Outcome::unknown("what others have set up", because);
    }
    if found.is_empty() {
        return Outcome::skip("nothing was set up by other tools or by hand");
    }
    let chosen = matches!(crate::intent::of(facts), Ok(Some(_)));
    let mut remarks = Remarks::default();
    for one in &found {
        remarks.seen(&*one.place, &*one.text);
        if chosen {
            remarks
                .warn(format!("{} {} (‘{}’), beside passthru", one.place, one.does, one.text))
                .by_command("Take it into the intent, and out of there", "passthru isolate --adopt");
        }
    }
    let places: Vec<&str> = found.iter().map(|one| one.place.as_str()).collect();
    remarks.outcome(format!(
        "set up by other tools or by hand, in {}: {}; ‘passthru isolate --adopt’ would take it over",
        count(places.len(), "place"),
        places.join(", ")
    ))
}
