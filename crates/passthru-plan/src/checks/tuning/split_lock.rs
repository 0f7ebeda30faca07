//! What happens to guests that lock across cache lines.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "split-lock",
    title: "guests that lock across cache lines are not stopped",
    section: "High DPC Latency",
    why: "some games lock memory across cache lines; Intel processors that can tell let the kernel slow such a guest down, or end it",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(tells) = facts.cpu.has("split_lock_detect") else {
        return Outcome::unknown(
            "whether the processor tells such locks",
            facts.cpu.flags.because().unwrap_or_default(),
        );
    };
    if !tells {
        return Outcome::skip("the processor does not tell such locks (split_lock_detect)")
            .seen(&facts.cpu.flags);
    }
    let line = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    let fact = &facts.tuning.split_lock_mitigate;
    match (CommandLine::new(line).value("split_lock_detect"), fact.value()) {
        (Some("off"), _) => Outcome::pass("the kernel does not look for such locks").seen(&facts.kernel.cmdline),
        (Some("fatal"), _) => Outcome::warn("a guest that locks across cache lines is ended (‘split_lock_detect=fatal’)")
            .seen(&facts.kernel.cmdline)
            .by_hand("Take it out of the boot loader's settings, or set split_lock_detect=off"),
        (_, Some(Some(false))) => Outcome::pass("the kernel reports such locks and slows nobody down").seen(fact),
        (_, Some(Some(true))) => Outcome::warn("a guest that locks across cache lines is slowed down, by far").seen(fact).by_hand(
            "Nothing, until the kernel log says ‘took a split_lock trap’ of a guest: then set the sysctl kernel.split_lock_mitigate=0",
        ),
        _ => Outcome::unknown("what happens to such a guest", fact.because().unwrap_or("this kernel has no kernel.split_lock_mitigate")),
    }
}
