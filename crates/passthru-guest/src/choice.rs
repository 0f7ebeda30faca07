//! What the builder chose for a guest, and why: a sentence for each choice, for whoever asks.

use schemars::JsonSchema;
use serde::Serialize;

/// What a choice is about. In the order in which choices are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// KVM or emulation.
    Accelerator,
    /// The processor's model and what is shown of it.
    Processor,
    /// Where vCPUs and QEMU's own threads run.
    Pinning,
    /// What Windows is told about its hypervisor.
    HyperV,
    /// The clock and its timers.
    Clock,
    /// Where memory comes from.
    Memory,
    /// What boots it.
    Firmware,
    /// Where passed functions are.
    Devices,
    /// How disks are attached.
    Disks,
    /// The network card.
    Network,
    /// What shows a picture.
    Display,
    /// Whom QEMU becomes.
    User,
}

impl Topic {
    /// As a heading.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accelerator => "accelerator",
            Self::Processor => "processor",
            Self::Pinning => "pinning",
            Self::HyperV => "Hyper-V",
            Self::Clock => "clock",
            Self::Memory => "memory",
            Self::Firmware => "firmware",
            Self::Devices => "devices",
            Self::Disks => "disks",
            Self::Network => "network",
            Self::Display => "display",
            Self::User => "QEMU's user",
        }
    }
}

/// One choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Choice {
    /// What it is about.
    pub about: Topic,
    /// What was chosen and why, in one sentence without a final period.
    pub why: String,
}

/// Choices as they are made.
#[derive(Debug, Default)]
pub(crate) struct Choices(Vec<Choice>);

impl Choices {
    /// Adds one.
    pub(crate) fn say(&mut self, about: Topic, why: impl Into<String>) {
        self.0.push(Choice { about, why: why.into() });
    }

    /// All of them, by topic, each topic in the order in which they were made.
    pub(crate) fn finish(mut self) -> Vec<Choice> {
        self.0.sort_by_key(|choice| choice.about);
        self.0
    }
}
