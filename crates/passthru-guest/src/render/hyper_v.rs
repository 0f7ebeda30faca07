//! The properties of `-cpu` that say something of the hypervisor.

use passthru_plan::hyperv::{Enlightenment, SPINLOCK_RETRIES};

use super::escape;
use crate::machine::Machine;

pub(super) fn words(machine: &Machine) -> Vec<String> {
    let told = &machine.hyper_v;
    let mut words: Vec<String> = told
        .on
        .iter()
        .map(|one| match one {
            Enlightenment::Spinlocks => format!("hv-spinlocks={SPINLOCK_RETRIES:#x}"),
            _ => format!("hv-{}=on", one.word()),
        })
        .collect();
    words.extend(told.vendor_id.as_ref().map(|id| format!("hv-vendor-id={}", escape(id))));
    words
}
