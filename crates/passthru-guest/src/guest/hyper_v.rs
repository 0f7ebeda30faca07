//! What a guest is told about its hypervisor, and its timers.

use std::collections::BTreeSet;

use passthru_plan::hyperv::{Enlightenment, NEEDS, USUAL};

use super::{BuildError, Building};
use crate::accel::Accel;
use crate::choice::Topic;
use crate::machine::{HyperV, Timers};
use crate::spec::{ClockBase, GuestSpec, PitTicks, RtcTicks};

/// Decides what it is told.
pub(super) fn decide(spec: &GuestSpec, accel: Accel, building: &mut Building) -> HyperV {
    let wanted = &spec.hyper_v;
    if let Some(id) = &wanted.vendor_id {
        if accel == Accel::Tcg {
            building.wrong(BuildError::NeedsKvm("hyper-v.vendor-id"));
        }
        if id.is_empty() || id.len() > 12 || !id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
            building.wrong(BuildError::VendorId(id.clone()));
        }
        building.say(
            Topic::HyperV,
            "another name than Hyper-V's, as the specification wants; NVIDIA's drivers from 465 (2021) on need no such thing",
        );
    } else if spec.os.is_windows() {
        building.say(
            Topic::HyperV,
            "neither hidden KVM nor another vendor: NVIDIA's drivers have allowed guests since 465 (2021), and hiding costs speed",
        );
    }
    HyperV { on: enlightenments(spec, accel, building), vendor_id: wanted.vendor_id.clone() }
}

fn enlightenments(spec: &GuestSpec, accel: Accel, building: &mut Building) -> BTreeSet<Enlightenment> {
    if let Some(on) = &spec.hyper_v.enlightenments {
        if accel == Accel::Tcg && !on.is_empty() {
            building.wrong(BuildError::NeedsKvm("hyper-v.enlightenments"));
        }
        for (one, needed) in NEEDS {
            if on.contains(&one) && !on.contains(&needed) {
                building.wrong(BuildError::Enlightenment { one: one.word(), needed: needed.word() });
            }
        }
        building.say(Topic::HyperV, format!("the enlightenments of the specification: {}", list(on)));
        return on.clone();
    }
    if !spec.os.is_windows() {
        return BTreeSet::new();
    }
    if accel == Accel::Tcg {
        building.say(Topic::HyperV, "no enlightenments: only KVM has them");
        return BTreeSet::new();
    }
    let on: BTreeSet<Enlightenment> = USUAL.into_iter().collect();
    building.say(
        Topic::HyperV,
        format!(
            "{}: what makes Windows fast under KVM on any processor, each with all that it needs",
            list(&on)
        ),
    );
    building.say(
        Topic::HyperV,
        "not spinlocks (for hosts with fewer CPUs than vCPUs), evmcs (for hypervisors in the guest), nor avic (needs a processor and \
         a kernel that virtualise interrupts for it): hyper-v.enlightenments turns them on",
    );
    on
}

fn list(on: &BTreeSet<Enlightenment>) -> String {
    if on.is_empty() {
        return "none".to_owned();
    }
    on.iter().map(|one| one.word()).collect::<Vec<_>>().join(", ")
}

/// Decides about clock and timers.
pub(super) fn timers(spec: &GuestSpec, accel: Accel, building: &mut Building) -> Timers {
    let wanted = &spec.clock;
    let windows = spec.os.is_windows();
    let base = wanted.base.unwrap_or(if windows { ClockBase::Localtime } else { ClockBase::Utc });
    let why = match (wanted.base, windows) {
        (Some(_), _) => "as the specification wants",
        (None, true) => "as Windows takes it",
        (None, false) => "as every system but Windows takes it",
    };
    let shows = match base {
        ClockBase::Utc => "universal time",
        ClockBase::Localtime => "local time",
    };
    building.say(Topic::Clock, format!("the board's clock in {shows}, {why}"));
    if accel == Accel::Tcg {
        return Timers { base, hpet: wanted.hpet, rtc: wanted.rtc, pit: wanted.pit };
    }
    let hpet = wanted.hpet.unwrap_or(false);
    if !hpet {
        building.say(
            Topic::Clock,
            if windows {
                "no HPET: Windows takes Hyper-V's clock and the TSC, which cost no exit to the host"
            } else {
                "no HPET: Linux takes KVM's clock and the TSC, which cost no exit to the host"
            },
        );
    }
    if wanted.rtc.is_none() {
        building.say(
            Topic::Clock,
            "missed ticks of the board's clock are made up for (catchup), without which a Windows that counts them loses time",
        );
    }
    if wanted.pit.is_none() {
        building
            .say(Topic::Clock, "missed ticks of the interval timer come late (delay), none twice as fast");
    }
    Timers {
        base,
        hpet: Some(hpet),
        rtc: Some(wanted.rtc.unwrap_or(RtcTicks::Catchup)),
        pit: Some(wanted.pit.unwrap_or(PitTicks::Delay)),
    }
}
