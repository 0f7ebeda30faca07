//! What a command line of QEMU says of processors, memory, Hyper-V and clocks.

use passthru_formats::qemu_command::{self, QemuOption};
use passthru_plan::hyperv::{Enlightenment, SPINLOCK_RETRIES};

use super::draft::Draft;
use super::libvirt_tuning::{address_bits, window};
use super::reasons::{NO_KEY, PROCESSOR, TIMERS};
use crate::spec::{CacheChoice, ClockBase, PitTicks, RtcTicks};

/// Whether a property of `-cpu` says something of Hyper-V.
pub(super) fn is_hyperv(name: &str) -> bool {
    hyperv_word(name).is_some()
}

/// Such a property without `hv-`.
fn hyperv_word(name: &str) -> Option<&str> {
    let name = name.trim_start_matches('+');
    name.strip_prefix("hv-").or_else(|| name.strip_prefix("hv_"))
}

/// `-cpu`.
pub(super) fn processor(draft: &mut Draft<'_>, option: &QemuOption) {
    let line = option.line;
    for (name, value) in option.properties("model").iter() {
        let what = format!("-cpu {name}={value}");
        let on = matches!(value, "on" | "yes" | "true");
        let name = name.trim_start_matches('+');
        if let Some(word) = hyperv_word(name) {
            hyperv(draft, line, what, word, value);
            continue;
        }
        match (name, value) {
            ("model", "host" | "max") | ("migratable", "off" | "no") => {}
            // Off is the other side of the one that is on, which comes beside it.
            ("host-cache-info" | "l3-cache", _) if !on => {}
            ("kvm", _) => draft.processor.hide_kvm = !on,
            ("host-cache-info", _) => {
                draft.processor.cache = Some(CacheChoice::Host);
                draft.for_kvm.push((line, what));
            }
            ("l3-cache", _) => {
                draft.processor.cache = Some(CacheChoice::Emulated);
                draft.for_kvm.push((line, what));
            }
            ("topoext", _) => {
                draft.processor.topoext = Some(on);
                draft.for_kvm.push((line, what));
            }
            ("host-phys-bits", _) if on => {}
            ("host-phys-bits-limit", bits) if bits.parse::<u8>().is_ok() => {
                draft.processor.address_bits = bits.parse().ok();
                draft.for_kvm.push((line, what));
            }
            ("model", _) => draft.lost(line, what, PROCESSOR),
            _ => draft.lost(line, what, NO_KEY),
        }
    }
}

fn hyperv(draft: &mut Draft<'_>, line: usize, what: String, word: &str, value: &str) {
    if matches!(word, "vendor-id" | "vendor_id") {
        draft.hyper_v.vendor_id = Some(value.to_owned());
        draft.for_kvm.push((line, what));
        return;
    }
    match Enlightenment::by_word(word) {
        Some(Enlightenment::Spinlocks) => {
            let said = value
                .strip_prefix("0x")
                .map_or_else(|| value.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
            if said != Some(SPINLOCK_RETRIES) {
                draft.lost(line, what.clone(), format!("a lock is tried {SPINLOCK_RETRIES} times"));
            }
            draft.enlightenment(line, what, Enlightenment::Spinlocks, true);
        }
        Some(one) => draft.enlightenment(line, what, one, matches!(value, "on" | "yes" | "true")),
        None => draft.lost(line, what, "enlightenments are named one by one"),
    }
}

/// `-rtc`.
pub(super) fn clock(draft: &mut Draft<'_>, option: &QemuOption) {
    for (name, value) in option.properties("base").iter() {
        match (name, value) {
            ("base", "utc") => draft.clock.base = Some(ClockBase::Utc),
            ("base", "localtime") => draft.clock.base = Some(ClockBase::Localtime),
            ("driftfix", "slew") => draft.clock.rtc = Some(RtcTicks::Catchup),
            ("driftfix", "none") => draft.clock.rtc = Some(RtcTicks::Delay),
            _ => draft.lost(option.line, format!("-rtc {name}={value}"), TIMERS),
        }
    }
}

/// `-global`, as far as it is about a timer or the host's processor.
pub(super) fn global(draft: &mut Draft<'_>, option: &QemuOption) {
    if let Some(bits) = option.known().and_then(address_bits) {
        draft.processor.address_bits = Some(bits);
        draft.for_kvm.push((option.line, option.words()));
        return;
    }
    let said = option.properties("global");
    for (name, value) in said.iter() {
        match (name, value) {
            ("kvm-pit.lost_tick_policy", "delay") => draft.clock.pit = Some(PitTicks::Delay),
            ("kvm-pit.lost_tick_policy", "discard") => draft.clock.pit = Some(PitTicks::Discard),
            _ => draft.lost(option.line, format!("-global {name}={value}"), NO_KEY),
        }
    }
}

/// `-fw_cfg`, as far as it is about the window for large BARs.
pub(super) fn firmware_word(draft: &mut Draft<'_>, option: &QemuOption) {
    match option.known().and_then(window) {
        Some(window) => draft.mmio_window = Some(window),
        None => draft.lost(option.line, option.words(), NO_KEY),
    }
}

/// A backend of memory.
pub(super) fn memory_backend(draft: &mut Draft<'_>, option: &QemuOption) {
    let line = option.line;
    let said = option.properties("qom-type");
    let bytes = said.get("hugetlbsize").and_then(|size| qemu_command::size(size, 1));
    for (name, value) in said.iter() {
        let what = || option.words_of(name, value);
        let on = matches!(value, "on" | "yes" | "true");
        match (name, value) {
            (
                "qom-type"
                | "id"
                | "size"
                | "hugetlbsize"
                | "share"
                | "prealloc-context"
                | "x-use-canonical-path-for-ramblock-id",
                _,
            )
            | ("policy", "bind") => {}
            ("hugetlb", _) if on => draft.huge_pages(line, what(), bytes),
            ("mem-path", path) => mem_path(draft, line, what(), path),
            ("prealloc", _) => draft.memory_backing.prealloc = Some(on),
            ("host-nodes" | "host-nodes.0", node) if node.parse::<u32>().is_ok() => {
                draft.memory_backing.node = node.parse().ok();
            }
            _ => draft.lost(line, what(), NO_KEY),
        }
    }
    if said.get("policy").is_some_and(|policy| policy != "bind") {
        draft.memory_backing.node = None;
    }
    if draft.memory_backing.pages != crate::spec::PagesChoice::Auto {
        // Huge pages are taken beforehand anyway.
        draft.memory_backing.prealloc = None;
    }
}

/// A file system that memory comes from: one of huge pages, by its usual names.
pub(super) fn mem_path(draft: &mut Draft<'_>, line: usize, what: String, path: &str) {
    let sizes = [("hugepages1G", 1 << 30), ("1048576", 1 << 30), ("hugepages2M", 2 << 20), ("2048", 2 << 20)];
    match sizes.into_iter().find(|(name, _)| path.contains(name)) {
        Some((_, bytes)) => draft.huge_pages(line, what, Some(bytes)),
        None if path.contains("huge") => draft.huge_pages(line, what, None),
        None => draft.lost(line, what, "memory comes from the host's own, or from its huge pages"),
    }
}
