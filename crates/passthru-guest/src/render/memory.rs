//! `-m`, what memory is made of, and the clock.

use std::fmt::Write as _;

use super::Arguments;
use crate::machine::Machine;
use crate::spec::RtcTicks;

/// The name of the one object that memory comes from.
pub(super) const MEMORY: &str = "ram";

pub(super) fn memory(out: &mut Arguments, machine: &Machine) {
    let mib = machine.memory.mib();
    out.option("-m", format!("size={mib}M"));
    let source = machine.memory_source;
    if source.is_default() {
        return;
    }
    let kind = match source.huge {
        // Without a file system that must be mounted for the size.
        Some(page) => {
            format!("memory-backend-memfd,id={MEMORY},size={mib}M,hugetlb=on,hugetlbsize={}", page.word())
        }
        None => format!("memory-backend-ram,id={MEMORY},size={mib}M"),
    };
    let mut object = kind;
    if source.prealloc {
        object.push_str(",prealloc=on");
    }
    if let Some(node) = source.node {
        let _ = write!(object, ",host-nodes={node},policy=bind");
    }
    out.option("-object", object);
}

pub(super) fn clock(out: &mut Arguments, machine: &Machine) {
    let timers = machine.timers;
    let drift = match timers.rtc {
        Some(RtcTicks::Catchup) => ",driftfix=slew",
        Some(RtcTicks::Delay) => ",driftfix=none",
        None => "",
    };
    out.option("-rtc", format!("base={}{drift}", timers.base.word()));
    if let Some(ticks) = timers.pit {
        out.option("-global", format!("kvm-pit.lost_tick_policy={}", ticks.word()));
    }
    if let Some(window) = machine.mmio_window {
        out.option("-fw_cfg", format!("name=opt/ovmf/X-PciMmio64Mb,string={}", window.mib()));
    }
}
