//! Whether a guest's memory can be huge pages without asking for any.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "transparent-huge-pages",
    title: "guests get huge pages without asking",
    section: "Static huge pages",
    why: "QEMU asks for transparent huge pages, and they hold with devices too: memory is pinned in the pieces in which it was \
          given. Setting them to ‘never’, as pages advise, makes every guest without static ones slower",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.memory.transparent;
    let fixed =
        facts.memory.huge_pages.value().is_some_and(|pools| pools.values().any(|pool| pool.all.total > 0));
    let settings = match (fact.value(), fact.because()) {
        (Some(Some(settings)), _) => settings,
        (Some(None), _) => {
            let outcome = Outcome::warn("the kernel was built without transparent huge pages").seen(fact);
            return outcome
                .by_hand("Set static huge pages aside for guests, or boot the distribution's own kernel");
        }
        (None, because) => {
            return Outcome::unknown("how transparent huge pages are set", because.unwrap_or_default());
        }
    };
    let path = "/sys/kernel/mm/transparent_hugepage";
    let outcome = match (settings.enabled.as_deref(), settings.defrag.as_deref()) {
        (Some("never"), _) if fixed => {
            return Outcome::pass("transparent huge pages are off; static ones are set aside").seen(fact);
        }
        (Some("never"), _) => Outcome::warn("transparent huge pages are off (‘never’), and no static ones are set aside").by_hand(
            format!("Write ‘madvise’ to {path}/enabled, and take ‘transparent_hugepage=never’ out of the boot loader's settings"),
        ),
        (Some(_), Some("never")) => {
            Outcome::warn("transparent huge pages are on, and the kernel may not make room for them (defrag is ‘never’)")
                .by_hand(format!("Write ‘madvise’ to {path}/defrag"))
        }
        (Some(word), _) => return Outcome::pass(format!("transparent huge pages are on (‘{word}’)")).seen(fact),
        (None, _) => return Outcome::unknown("how transparent huge pages are set", "the setting shows no choice").seen(fact),
    };
    outcome.seen(fact).evidence(format!("{path}/defrag"), settings.defrag.as_deref().unwrap_or("not there"))
}
