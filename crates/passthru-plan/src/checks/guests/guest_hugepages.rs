//! Whether the hugepages that guests ask for are set aside.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainEdit, Place};

use super::lint::Lint;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const LINT: Lint = Lint {
    id: "guest-hugepages",
    title: "the hugepages that guests ask for are set aside",
    section: "Static huge pages",
    why: "a guest that asks for static hugepages starts only if enough of them are free",
    about: "asks for static hugepages",
    concerns: |_, domain| domain.hugepages.is_some(),
    judge,
    instead: |facts| {
        let because = facts.memory.huge_pages.because()?;
        Some(Outcome::unknown("which hugepages there are", because))
    },
    well: "with hugepages set aside",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    let named = domain.hugepages.iter().flatten().map(|bytes| bytes / 1024).min();
    let default = || facts.memory.totals.value().and_then(|totals| totals.default_huge_page_kib);
    let (Some(kib), Some(memory)) = (named.or_else(default).filter(|kib| *kib > 0), domain.memory) else {
        return;
    };
    let bytes = kib.saturating_mul(1024);
    let backing = Place::new("memoryBacking/hugepages");
    if memory % bytes != 0 {
        remarks
            .warn(format!("the memory of {name} is no multiple of {kib} KiB, the size of its hugepages"))
            .at_path("memory")
            .in_file(format!("Give it {} KiB", (memory / bytes + 1).saturating_mul(kib)))
            .in_command(format!("Write -m {}M", (memory / bytes + 1).saturating_mul(kib).div_ceil(1024)));
    }
    let Some(pages) = facts.memory.huge_pages.value() else { return };
    let needed = memory.div_ceil(bytes);
    let Some(counts) = pages.get(&kib) else {
        remarks
            .fail(format!("{name} asks for hugepages of {kib} KiB, which this host does not have"))
            .at(&backing)
            .in_file("Name another size, or take <hugepages/> out")
            .in_command("Name another size, or take the hugepages out")
            .edits([DomainEdit::Remove(backing)]);
        return;
    };
    let place = format!("/sys/kernel/mm/hugepages/hugepages-{kib}kB/nr_hugepages");
    remarks.seen(place, format!("{} pages, {} free", counts.all.total, counts.all.free));
    if counts.all.total < needed {
        remarks
            .fail(format!(
                "{name} needs {needed} hugepages of {kib} KiB, and {} are set aside",
                counts.all.total
            ))
            .at(&backing)
            .by_hand(format!(
                "Set them aside at boot (hugepagesz={kib}K hugepages={needed}), or take <hugepages/> out: transparent huge pages serve guests with devices too"
            )).in_command(format!("Set them aside at boot (hugepagesz={kib}K hugepages={needed}), or take the hugepages out: transparent huge pages serve guests with devices too"));
    }
}
