//! Whether the hugepages that guests ask for are set aside.

use passthru_model::HostFacts;

use super::domains::domains;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-hugepages",
    title: "the hugepages that guests ask for are set aside",
    section: "Static huge pages",
    why: "a guest that asks for static hugepages starts only if enough of them are free",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let domains = match domains(facts, "asks for static hugepages", |domain| domain.hugepages.is_some()) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let Some(pages) = facts.memory.huge_pages.value() else {
        return Outcome::unknown(
            "which hugepages there are",
            facts.memory.huge_pages.because().unwrap_or_default(),
        );
    };
    let default = facts.memory.totals.value().and_then(|totals| totals.default_huge_page_kib);
    let mut remarks = Remarks::default();
    for domain in &domains {
        let sizes = domain.hugepages.iter().flatten().map(|bytes| bytes / 1024);
        let kib = sizes.min().or(default);
        let (Some(kib), Some(memory)) = (kib.filter(|kib| *kib > 0), domain.memory) else { continue };
        let needed = memory.div_ceil(kib.saturating_mul(1024));
        let place = format!("/sys/kernel/mm/hugepages/hugepages-{kib}kB/nr_hugepages");
        let Some(counts) = pages.get(&kib) else {
            remarks
                .fail(format!(
                    "{} asks for hugepages of {kib} KiB, which this host does not have",
                    domain.name
                ))
                .by_hand(format!("Name another size, or take <hugepages/> out: virsh edit {}", domain.name));
            continue;
        };
        remarks.seen(place, format!("{} pages, {} free", counts.all.total, counts.all.free));
        if counts.all.total < needed {
            remarks
                .fail(format!(
                    "{} needs {needed} hugepages of {kib} KiB, and {} are set aside",
                    domain.name, counts.all.total
                ))
                .by_hand(format!(
                    "Set them aside at boot (hugepagesz={kib}K hugepages={needed}), or take <hugepages/> out: transparent huge pages serve guests with devices too"
                ));
        }
        if memory % kib.saturating_mul(1024) != 0 {
            remarks.warn(format!("the memory of {} is no multiple of {kib} KiB", domain.name));
        }
    }
    remarks.outcome(format!("{} with hugepages set aside", count(domains.len(), "guest")))
}
