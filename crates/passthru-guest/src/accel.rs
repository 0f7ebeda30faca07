//! KVM or TCG.

use passthru_model::HostFacts;
use passthru_model::facts::KvmState;
use schemars::JsonSchema;
use serde::Serialize;

use crate::spec::AccelChoice;

/// How a guest's processors are run, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// By the processor's virtualisation.
    Kvm,
    /// By emulation.
    Tcg,
}

impl Accel {
    /// The name QEMU knows it by.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// Why KVM cannot be used, as the rest of a sentence; `None` where it can.
pub fn kvm_obstacle(facts: &HostFacts) -> Option<String> {
    match facts.kvm.value() {
        Some(KvmState::Usable) => None,
        Some(KvmState::Denied) => Some("this user may not open /dev/kvm".to_owned()),
        Some(KvmState::Absent) => Some("/dev/kvm is not there".to_owned()),
        None => Some(facts.kvm.because().unwrap_or("/dev/kvm was not looked at").to_owned()),
    }
}

/// What a choice comes to on a host; the error says why KVM, which was asked for, cannot be used.
pub fn decide(choice: AccelChoice, facts: &HostFacts) -> Result<Accel, String> {
    match (choice, kvm_obstacle(facts)) {
        (AccelChoice::Tcg, _) | (AccelChoice::Auto, Some(_)) => Ok(Accel::Tcg),
        (AccelChoice::Auto | AccelChoice::Kvm, None) => Ok(Accel::Kvm),
        (AccelChoice::Kvm, Some(why)) => Err(why),
    }
}
