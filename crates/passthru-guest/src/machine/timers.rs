//! A machine's clock, its old timers, and what Windows is told about its hypervisor.

use std::collections::BTreeSet;

use passthru_plan::hyperv::Enlightenment;

use crate::spec::{ClockBase, PitTicks, RtcTicks};

/// The clock and its timers. `None` is what QEMU does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// What the board's clock shows.
    pub base: ClockBase,
    /// Whether there is a high precision event timer.
    pub hpet: Option<bool>,
    /// What becomes of missed ticks of the board's clock.
    pub rtc: Option<RtcTicks>,
    /// What becomes of missed ticks of the interval timer.
    pub pit: Option<PitTicks>,
}

impl Timers {
    /// QEMU's own, with a clock that shows this.
    pub fn plain(base: ClockBase) -> Self {
        Self { base, hpet: None, rtc: None, pit: None }
    }
}

/// What a machine says of its hypervisor to a Windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HyperV {
    /// The enlightenments that are on, with all that each needs.
    pub on: BTreeSet<Enlightenment>,
    /// What is said in the place of Hyper-V's name.
    pub vendor_id: Option<String>,
}
