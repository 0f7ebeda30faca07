//! What both kinds of files say of processors, memory, Hyper-V and clocks, as it comes into a specification.

use std::collections::BTreeSet;

use passthru_plan::hyperv::Enlightenment;
use passthru_plan::pinning::GuestTopology;

use super::draft::Draft;
use super::reasons::ONLY_KVM;
use crate::machine::HugePage;
use crate::spec::{AccelChoice, GuestSpec, PagesChoice};

/// The order in which a topology is written.
const PARTS: [&str; 4] = ["sockets", "dies", "cores", "threads"];

impl Draft<'_> {
    /// Sockets, dies, cores and threads, where any of them is named.
    pub(super) fn topology(&mut self, line: usize, what: String, cpus: u32, parts: &[(&str, &str)]) {
        let said = |name: &str| parts.iter().find(|(part, _)| *part == name).map(|(_, value)| *value);
        if PARTS.iter().all(|part| said(part).is_none()) {
            return;
        }
        let known = |(name, value): &(&str, &str)| {
            PARTS.contains(name) || matches!(*name, "cpus" | "maxcpus") || *value == "1"
        };
        let numbers =
            PARTS.map(|part| said(part).map_or(Some(None), |value| value.parse::<usize>().ok().map(Some)));
        let shown = match numbers {
            [Some(sockets), Some(dies), Some(cores), Some(threads)] if parts.iter().all(known) => {
                complete(usize::try_from(cpus).unwrap_or(usize::MAX), [sockets, dies, cores, threads])
            }
            _ => None,
        };
        match shown {
            Some(GuestTopology { sockets, dies: 1, cores: 1, threads: 1 }) if sockets > 1 => {
                self.left_out(
                    line,
                    what,
                    "libvirt says a socket for each vCPU where nothing is said, and Windows uses two",
                );
            }
            Some(shown) => self.processor.topology = Some(shown),
            None => self.lost(
                line,
                what,
                format!("it is no topology of sockets, dies, cores and threads for {cpus} vCPUs"),
            ),
        }
    }

    /// An enlightenment that is on or off.
    pub(super) fn enlightenment(&mut self, line: usize, what: String, one: Enlightenment, on: bool) {
        let all = self.hyper_v.enlightenments.get_or_insert_with(BTreeSet::new);
        if on {
            all.insert(one);
            self.for_kvm.push((line, what));
        }
    }

    /// Static huge pages of a size in bytes; `None` is the host's own default.
    pub(super) fn huge_pages(&mut self, line: usize, what: String, bytes: Option<u64>) {
        let sizes = [(HugePage::Size1G, PagesChoice::Huge1G), (HugePage::Size2M, PagesChoice::Huge2M)];
        match bytes.map(|bytes| sizes.into_iter().find(|(page, _)| page.kib() * 1024 == bytes)) {
            Some(Some((_, pages))) => self.memory_backing.pages = pages,
            Some(None) => self.lost(line, what, "huge pages are of 1G or 2M"),
            None => {
                self.left_out(line, what, "static huge pages of any size are taken where enough are free");
            }
        }
    }

    /// Puts it into a specification; what only KVM heeds is no part of a guest that is emulated.
    pub(super) fn tuning(&mut self, spec: &mut GuestSpec) {
        spec.processor = std::mem::take(&mut self.processor);
        spec.memory_backing = std::mem::take(&mut self.memory_backing);
        spec.mmio_window = self.mmio_window;
        spec.hyper_v = std::mem::take(&mut self.hyper_v);
        spec.clock = std::mem::take(&mut self.clock);
        if self.accel == AccelChoice::Tcg {
            spec.hyper_v = crate::spec::HyperV::default();
            (spec.processor.cache, spec.processor.topoext, spec.processor.address_bits) = (None, None, None);
            for (line, what) in std::mem::take(&mut self.for_kvm) {
                self.left_out(line, what, ONLY_KVM);
            }
        }
    }
}

/// A topology of which parts may not be named, completed as QEMU does (`machine_parse_smp_config`, `hw/core/machine-smp.c`).
fn complete(cpus: usize, [sockets, dies, cores, threads]: [Option<usize>; 4]) -> Option<GuestTopology> {
    let dies = dies.unwrap_or(1);
    let left = |all: [Option<usize>; 3]| {
        let product = all.into_iter().try_fold(1_usize, |product, part| product.checked_mul(part?))?;
        let whole = product.checked_mul(dies).filter(|product| *product > 0)?;
        cpus.is_multiple_of(whole).then_some(cpus / whole)
    };
    let shown = match (sockets, cores, threads) {
        (Some(sockets), Some(cores), Some(threads)) => GuestTopology { sockets, dies, cores, threads },
        (sockets, None, threads) => {
            let (sockets, threads) = (sockets.unwrap_or(1), threads.unwrap_or(1));
            GuestTopology { sockets, dies, cores: left([Some(sockets), Some(threads), Some(1)])?, threads }
        }
        (Some(sockets), Some(cores), None) => {
            GuestTopology { sockets, dies, cores, threads: left([Some(sockets), Some(cores), Some(1)])? }
        }
        (None, Some(cores), threads) => {
            let threads = threads.unwrap_or(1);
            GuestTopology { sockets: left([Some(cores), Some(threads), Some(1)])?, dies, cores, threads }
        }
    };
    (shown.vcpus() == Some(cpus)).then_some(shown)
}
