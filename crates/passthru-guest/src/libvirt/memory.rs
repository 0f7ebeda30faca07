//! `<memoryBacking>`, `<numatune>` and `<clock>`.

use passthru_model::virtualisation::DomainElement;
use passthru_plan::hyperv::Enlightenment;

use super::element;
use crate::machine::Machine;

/// Where memory comes from.
pub(super) fn backing(machine: &Machine) -> Vec<DomainElement> {
    let source = machine.memory_source;
    let mut backing = element("memoryBacking", &[]);
    if let Some(page) = source.huge {
        let page = element("page", &[("size", &page.kib().to_string()), ("unit", "KiB")]);
        backing.children.push(element("hugepages", &[]).with([page]));
    }
    if !source.merge {
        backing.children.push(element("nosharepages", &[]));
    }
    if source.huge.is_some() {
        // Without a file system that must be mounted for the size.
        backing.children.push(element("source", &[("type", "memfd")]));
    }
    if source.prealloc && source.huge.is_none() {
        // libvirt takes huge pages beforehand anyway.
        backing.children.push(element("allocation", &[("mode", "immediate")]));
    }
    let mut all = Vec::new();
    if !backing.children.is_empty() {
        all.push(backing);
    }
    if let Some(node) = source.node {
        let memory = element("memory", &[("mode", "strict"), ("nodeset", &node.to_string())]);
        all.push(element("numatune", &[]).with([memory]));
    }
    all
}

/// The clock and its timers.
pub(super) fn clock(machine: &Machine) -> DomainElement {
    let timers = machine.timers;
    let mut clock = element("clock", &[("offset", timers.base.word())]);
    let mut timer = |name: &str, attribute: &'static str, value: &str| {
        clock.children.push(element("timer", &[("name", name), (attribute, value)]));
    };
    if let Some(ticks) = timers.rtc {
        timer("rtc", "tickpolicy", ticks.word());
    }
    if let Some(ticks) = timers.pit {
        timer("pit", "tickpolicy", ticks.word());
    }
    if let Some(hpet) = timers.hpet {
        timer("hpet", "present", if hpet { "yes" } else { "no" });
    }
    if machine.hyper_v.on.contains(&Enlightenment::Time) {
        timer(Enlightenment::Time.libvirt(), "present", "yes");
    }
    clock
}
