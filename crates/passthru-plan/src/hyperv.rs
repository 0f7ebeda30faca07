//! Hyper-V's enlightenments: what a Windows is told so that it need not wait for what its hypervisor could say
//! (`docs/system/i386/hyperv.rst` of QEMU). One table for those who turn them on and for the rule that judges them.

use serde::Deserialize;

/// One enlightenment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enlightenment {
    /// No bluescreen for a vCPU that did not run for a while.
    Relaxed,
    /// Interrupts are ended by a write to memory.
    Vapic,
    /// A vCPU that waits for a lock gives its CPU to others. Only for hosts with fewer CPUs than vCPUs.
    Spinlocks,
    /// vCPUs have a number.
    Vpindex,
    /// How long a vCPU ran.
    Runtime,
    /// An interrupt controller of Hyper-V's own.
    Synic,
    /// Timers of Hyper-V's own, four a vCPU.
    Stimer,
    /// These by interrupts.
    StimerDirect,
    /// A reset by Hyper-V's way.
    Reset,
    /// The frequencies of TSC and APIC.
    Frequencies,
    /// A word when the frequency of the TSC changes, for guests that move.
    Reenlightenment,
    /// Flushing the TLBs of several vCPUs in one call.
    Tlbflush,
    /// Interrupts for several vCPUs in one call.
    Ipi,
    /// A hypervisor in the guest, on Intel.
    Evmcs,
    /// That the processor virtualises interrupts (APICv, AVIC), so that Windows lets it.
    Avic,
    /// The same as [`Self::Evmcs`] for MSRs; libvirt knows it since 10.7.
    EmsrBitmap,
    /// Calls with their words in registers; libvirt knows it since 10.7.
    XmmInput,
    /// A clock by reading memory. libvirt has it among the timers, as `hypervclock`.
    Time,
}

use Enlightenment as E;

/// The words in the order of the enum: QEMU's without `hv-`, which are a specification's too. libvirt writes the dash as an
/// underscore.
const WORDS: [(Enlightenment, &str, &str); 18] = [
    (E::Relaxed, "relaxed", "relaxed"),
    (E::Vapic, "vapic", "vapic"),
    (E::Spinlocks, "spinlocks", "spinlocks"),
    (E::Vpindex, "vpindex", "vpindex"),
    (E::Runtime, "runtime", "runtime"),
    (E::Synic, "synic", "synic"),
    (E::Stimer, "stimer", "stimer"),
    (E::StimerDirect, "stimer-direct", "direct"),
    (E::Reset, "reset", "reset"),
    (E::Frequencies, "frequencies", "frequencies"),
    (E::Reenlightenment, "reenlightenment", "reenlightenment"),
    (E::Tlbflush, "tlbflush", "tlbflush"),
    (E::Ipi, "ipi", "ipi"),
    (E::Evmcs, "evmcs", "evmcs"),
    (E::Avic, "avic", "avic"),
    (E::EmsrBitmap, "emsr-bitmap", "emsr_bitmap"),
    (E::XmmInput, "xmm-input", "xmm_input"),
    (E::Time, "time", "hypervclock"),
];

/// What needs what (`kvm_hyperv_properties`, `target/i386/kvm/kvm.c`; libvirt says the same since 11.9).
pub const NEEDS: [(Enlightenment, Enlightenment); 8] = [
    (E::Stimer, E::Synic),
    (E::Stimer, E::Vpindex),
    (E::Stimer, E::Time),
    (E::StimerDirect, E::Stimer),
    (E::Synic, E::Vpindex),
    (E::Tlbflush, E::Vpindex),
    (E::Ipi, E::Vpindex),
    (E::Evmcs, E::Vapic),
];

/// What is safe to turn on for any Windows on any processor with KVM (`docs/system/i386/hyperv.rst`).
pub const USUAL: [Enlightenment; 9] =
    [E::Relaxed, E::Vapic, E::Vpindex, E::Runtime, E::Synic, E::Stimer, E::Frequencies, E::Tlbflush, E::Time];

/// How often a vCPU tries a lock before it gives up its CPU: the fewest that are allowed are 4095; all guides and libvirt's
/// documentation say 8191.
pub const SPINLOCK_RETRIES: u32 = 8191;

impl Enlightenment {
    /// QEMU's word without `hv-`, and a specification's.
    pub fn word(self) -> &'static str {
        self.row().1
    }

    /// libvirt's element, or for [`Self::Time`] its timer.
    pub fn libvirt(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (Self, &'static str, &'static str) {
        WORDS.into_iter().find(|(one, ..)| *one == self).unwrap_or((self, "", ""))
    }

    /// By QEMU's word without `hv-`, with dashes or underscores.
    pub fn by_word(word: &str) -> Option<Self> {
        let word = word.replace('_', "-");
        WORDS.into_iter().find(|(_, known, _)| *known == word).map(|(one, ..)| one)
    }
}

#[cfg(test)]
mod tests {
    use super::{Enlightenment, NEEDS, USUAL, WORDS};

    #[test]
    fn every_word_is_read_as_what_it_is_written_for() {
        for (one, word, _) in WORDS {
            assert_eq!((Enlightenment::by_word(word), one.word()), (Some(one), word));
            assert_eq!(Enlightenment::by_word(&word.replace('-', "_")), Some(one));
        }
    }

    #[test]
    fn what_is_usual_has_what_it_needs() {
        for (one, needed) in NEEDS {
            assert!(!USUAL.contains(&one) || USUAL.contains(&needed), "{one:?} without {needed:?}");
        }
    }
}
