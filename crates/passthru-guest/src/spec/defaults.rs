//! What the builder chooses by itself on any host, and need not be said.

use passthru_plan::hyperv::{Enlightenment, USUAL};
use passthru_plan::pinning::GuestTopology;

use super::{AccelChoice, ClockBase, GuestSpec, PitTicks, RtcTicks};

impl GuestSpec {
    /// The same guest, without what need not be said.
    #[must_use]
    pub fn without_defaults(mut self) -> Self {
        let windows = self.os.is_windows();
        let base = if windows { ClockBase::Localtime } else { ClockBase::Utc };
        drop_if(&mut self.clock.base, &base);
        let plain = GuestTopology::plain(usize::try_from(self.cpus).unwrap_or(usize::MAX));
        // With a device, a guest would be shown the cores that it is pinned to.
        if self.devices.is_empty() && self.processor.pins.is_none() {
            drop_if(&mut self.processor.topology, &plain);
        }
        if self.accel != AccelChoice::Tcg {
            drop_if(&mut self.clock.hpet, &false);
            drop_if(&mut self.clock.rtc, &RtcTicks::Catchup);
            drop_if(&mut self.clock.pit, &PitTicks::Delay);
            if windows {
                drop_if(&mut self.hyper_v.enlightenments, &USUAL.into_iter().collect());
            }
        }
        if !windows
            && self
                .hyper_v
                .enlightenments
                .as_ref()
                .is_some_and(std::collections::BTreeSet::<Enlightenment>::is_empty)
        {
            self.hyper_v.enlightenments = None;
        }
        if !self.devices.is_empty() {
            drop_if(&mut self.memory_backing.merge, &false);
        }
        self
    }
}

fn drop_if<T: PartialEq>(key: &mut Option<T>, value: &T) {
    if key.as_ref() == Some(value) {
        *key = None;
    }
}
