//! The table `[clock]`: what the guest's clock shows, and how its old timers behave.

use serde::Deserialize;

use super::write::{Table, quoted};

/// What a machine's clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockBase {
    /// Universal time, as Linux has it.
    Utc,
    /// Local time, as Windows has it.
    Localtime,
}

impl ClockBase {
    /// The word in the file, and QEMU's and libvirt's.
    pub fn word(self) -> &'static str {
        match self {
            Self::Utc => "utc",
            Self::Localtime => "localtime",
        }
    }
}

/// What becomes of ticks that the guest was not there to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RtcTicks {
    /// They come late and faster, until none is missing.
    Catchup,
    /// They come late.
    Delay,
}

impl RtcTicks {
    /// The word in the file, and libvirt's.
    pub fn word(self) -> &'static str {
        match self {
            Self::Catchup => "catchup",
            Self::Delay => "delay",
        }
    }
}

/// The same of the interval timer (PIT).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PitTicks {
    /// They come late.
    Delay,
    /// They are lost.
    Discard,
}

impl PitTicks {
    /// The word in the file, and QEMU's and libvirt's.
    pub fn word(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Discard => "discard",
        }
    }
}

/// The table. `None` leaves a key to the builder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Clock {
    /// What the board's clock shows.
    pub base: Option<ClockBase>,
    /// Whether there is a high precision event timer.
    pub hpet: Option<bool>,
    /// What becomes of missed ticks of the board's clock.
    pub rtc: Option<RtcTicks>,
    /// What becomes of missed ticks of the interval timer.
    pub pit: Option<PitTicks>,
}

impl Clock {
    /// The table as text; nothing where all is left to the builder.
    pub(super) fn write(&self) -> String {
        let mut table = Table::new("clock");
        table.optional("base", self.base.map(|base| quoted(base.word())));
        table.optional("hpet", self.hpet);
        table.optional("rtc", self.rtc.map(|ticks| quoted(ticks.word())));
        table.optional("pit", self.pit.map(|ticks| quoted(ticks.word())));
        table.finish()
    }
}
