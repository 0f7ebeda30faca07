//! What domain XML says of processors, pins, Hyper-V and clocks.

use std::collections::BTreeMap;

use passthru_formats::libvirt_domain::ReadElement;
use passthru_model::cpu_set::CpuSet;
use passthru_model::guest_tuning::Scheduler;
use passthru_plan::hyperv::{Enlightenment, SPINLOCK_RETRIES};

use super::draft::Draft;
use super::libvirt::only;
use super::reasons::{NO_KEY, PROCESSOR, TIMERS};
use crate::libvirt::handed_on::HOST_CPU;
use crate::size::MemorySize;
use crate::spec::{AccelChoice, CacheChoice, ClockBase, PitTicks, RtcTicks};

/// `<cpu>`.
pub(super) fn cpu(draft: &mut Draft<'_>, cpu: &ReadElement) {
    match (cpu.attribute("mode"), draft.accel) {
        (Some("host-passthrough"), AccelChoice::Kvm) | (Some("maximum"), AccelChoice::Tcg) => {}
        _ => draft.lost(cpu.line, cpu.tag(), PROCESSOR),
    }
    only(draft, cpu, &["mode", "check", "migratable", "match"]);
    for element in &cpu.children {
        let (line, tag) = (element.line, element.tag());
        let said = |name| element.attribute(name);
        match element.name.as_str() {
            "topology" => {
                let parts: Vec<(&str, &str)> =
                    element.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                draft.topology(line, tag, draft.cpus.unwrap_or(1), &parts);
            }
            "cache" => match (said("mode"), said("level")) {
                (Some("passthrough"), None) => {
                    kvm_only(draft, element).processor.cache = Some(CacheChoice::Host);
                }
                (Some("emulate"), Some("3")) => {
                    kvm_only(draft, element).processor.cache = Some(CacheChoice::Emulated);
                }
                _ => draft.lost(line, tag, NO_KEY),
            },
            "maxphysaddr" => match (said("mode"), said("limit").and_then(|bits| bits.parse().ok())) {
                (Some("passthrough"), Some(bits)) => {
                    kvm_only(draft, element).processor.address_bits = Some(bits);
                }
                (Some("passthrough"), None) => {
                    draft.left_out(
                        line,
                        tag,
                        "the guest has as many bits as the host, or as the IOMMU reaches",
                    );
                }
                _ => draft.lost(line, tag, NO_KEY),
            },
            "feature" if said("name") == Some("topoext") => {
                kvm_only(draft, element).processor.topoext =
                    Some(matches!(said("policy"), Some("require" | "force")));
            }
            "model" => draft.lost(line, format!("{tag}{}", element.text), PROCESSOR),
            _ => draft.lost(line, tag, NO_KEY),
        }
    }
}

/// Notes that something is only for KVM.
fn kvm_only<'a, 'b>(draft: &'a mut Draft<'b>, element: &ReadElement) -> &'a mut Draft<'b> {
    draft.for_kvm.push((element.line, element.tag()));
    draft
}

/// `<cputune>`: pins, where each vCPU has a CPU of its own.
pub(super) fn cputune(draft: &mut Draft<'_>, cputune: &ReadElement) {
    let mut pins: BTreeMap<u32, u32> = BTreeMap::new();
    let mut unread = false;
    for element in &cputune.children {
        let cpus = element.attribute("cpuset").and_then(|text| text.parse::<CpuSet>().ok());
        match element.name.as_str() {
            "vcpupin" => {
                let vcpu = element.attribute("vcpu").and_then(|text| text.parse().ok());
                let one = cpus.as_ref().filter(|cpus| cpus.len() == 1).and_then(CpuSet::first);
                if let (Some(vcpu), Some(cpu)) = (vcpu, one) {
                    pins.insert(vcpu, cpu);
                } else {
                    unread = true;
                    let why = "a vCPU is pinned to one CPU, or the scheduler places all";
                    draft.lost(element.line, element.tag(), why);
                }
            }
            "emulatorpin" if cpus.is_some() => draft.processor.emulator = cpus,
            "iothreadpin"
                if cpus.is_some()
                    && draft.processor.iothread.as_ref().is_none_or(|known| Some(known) == cpus.as_ref()) =>
            {
                draft.processor.iothread = cpus;
            }
            "vcpusched" if is_ours(element, draft.cpus.unwrap_or(1)) => {
                draft.processor.scheduler = Scheduler::RoundRobin;
            }
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
    let count = draft.cpus.unwrap_or(1);
    let all = pins.keys().copied().eq(0..count);
    if all && !unread {
        draft.processor.pins = Some(pins.into_values().collect());
        return;
    }
    if !pins.is_empty() {
        draft.lost(
            cputune.line,
            cputune.tag(),
            format!("it does not pin each of {count} vCPUs to a CPU of its own"),
        );
    }
    if std::mem::take(&mut draft.processor.scheduler) != Scheduler::Normal {
        draft.lost(cputune.line, "<vcpusched>", "it goes with the pins of vCPUs");
    }
    // Without pins of its own a guest is pinned as planned, and these would be about other CPUs.
    for (name, cpus) in
        [("emulatorpin", draft.processor.emulator.take()), ("iothreadpin", draft.processor.iothread.take())]
    {
        if let Some(cpus) = cpus {
            draft.lost(cputune.line, format!("<{name} cpuset='{cpus}'>"), "it goes with the pins of vCPUs");
        }
    }
}

/// Whether `<vcpusched>` is about all vCPUs, in the one way that a specification has.
fn is_ours(element: &ReadElement, cpus: u32) -> bool {
    let vcpus = element.attribute("vcpus").and_then(|text| text.parse::<CpuSet>().ok());
    element.attribute("scheduler") == Some("rr")
        && element.attribute("priority") == Some("1")
        && vcpus == Some((0..cpus).collect())
}

/// `<hyperv>`.
pub(super) fn hyperv(draft: &mut Draft<'_>, hyperv: &ReadElement) {
    if hyperv.attribute("mode").is_some_and(|mode| mode != "custom") {
        draft.lost(hyperv.line, hyperv.tag(), "enlightenments are named one by one");
    }
    for element in &hyperv.children {
        let (line, tag) = (element.line, element.tag());
        let on = element.attribute("state") == Some("on");
        if element.name == "vendor_id" {
            if let Some(id) = element.attribute("value").filter(|_| on) {
                draft.hyper_v.vendor_id = Some(id.to_owned());
                draft.for_kvm.push((line, tag));
            }
            continue;
        }
        let Some(one) = Enlightenment::by_word(&element.name) else {
            if on {
                draft.lost(line, tag, NO_KEY);
            }
            continue;
        };
        let retries = element.attribute("retries");
        if on && retries.is_some_and(|retries| retries.parse() != Ok(SPINLOCK_RETRIES)) {
            draft.lost(line, tag.clone(), format!("a lock is tried {SPINLOCK_RETRIES} times"));
        }
        draft.enlightenment(line, tag, one, on);
        for part in &element.children {
            let on = on && part.attribute("state") == Some("on");
            match (one, part.name.as_str()) {
                (Enlightenment::Stimer, "direct") => {
                    draft.enlightenment(part.line, part.tag(), Enlightenment::StimerDirect, on);
                }
                _ if on => draft.lost(part.line, part.tag(), NO_KEY),
                _ => {}
            }
        }
    }
}

/// `<kvm>`.
pub(super) fn kvm(draft: &mut Draft<'_>, kvm: &ReadElement) {
    for element in &kvm.children {
        match (element.name.as_str(), element.attribute("state")) {
            ("hidden", state) => draft.processor.hide_kvm = state == Some("on"),
            (_, Some("off")) => {}
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}

/// `<clock>` and its timers.
pub(super) fn clock(draft: &mut Draft<'_>, clock: &ReadElement) {
    draft.clock.base = match clock.attribute("offset") {
        Some("localtime") => Some(ClockBase::Localtime),
        Some("utc") | None => Some(ClockBase::Utc),
        _ => {
            draft.lost(clock.line, clock.tag(), TIMERS);
            None
        }
    };
    for timer in &clock.children {
        let (line, tag) = (timer.line, timer.tag());
        let present = timer.attribute("present").map(|present| present == "yes");
        match (timer.attribute("name").unwrap_or_default(), present, timer.attribute("tickpolicy")) {
            ("hypervclock", Some(on), None) => draft.enlightenment(line, tag, Enlightenment::Time, on),
            ("hpet", Some(on), None) => draft.clock.hpet = Some(on),
            ("rtc", None | Some(true), Some("catchup")) if timer.children.is_empty() => {
                draft.clock.rtc = Some(RtcTicks::Catchup);
            }
            ("rtc", None | Some(true), Some("delay")) => draft.clock.rtc = Some(RtcTicks::Delay),
            ("pit", None | Some(true), Some("delay")) => draft.clock.pit = Some(PitTicks::Delay),
            ("pit", None | Some(true), Some("discard")) => draft.clock.pit = Some(PitTicks::Discard),
            ("kvmclock" | "tsc", Some(true), None) => draft.left_out(line, tag, "a guest has it anyway"),
            _ => draft.lost(line, tag, TIMERS),
        }
    }
}

/// Whether an argument that libvirt hands on to QEMU is understood: an option, with the value after it.
pub(super) fn handed_on(draft: &mut Draft<'_>, line: usize, option: &str, value: &str) -> bool {
    match option {
        "fw_cfg" if window(value).is_some() => draft.mmio_window = window(value),
        "global" if address_bits(value).is_some() => {
            draft.processor.address_bits = address_bits(value);
            draft.for_kvm.push((line, format!("-global {value}")));
        }
        _ => return false,
    }
    true
}

/// The window for large BARs, where an argument of `-fw_cfg` says it.
pub(super) fn window(value: &str) -> Option<MemorySize> {
    let number =
        value.strip_prefix("name=").unwrap_or(value).strip_prefix("opt/ovmf/X-PciMmio64Mb,string=")?;
    MemorySize::from_mib(number.parse().ok()?)
}

/// Bits of a physical address, where an argument of `-global` says them.
pub(super) fn address_bits(value: &str) -> Option<u8> {
    value.strip_prefix(HOST_CPU)?.strip_prefix(".host-phys-bits-limit=")?.parse().ok()
}
