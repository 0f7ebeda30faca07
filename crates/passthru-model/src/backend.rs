//! What runs a guest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What runs a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// QEMU, started by `passthru guest start` itself.
    #[default]
    Qemu,
    /// libvirt's daemon, which starts QEMU, and calls passthru as its hook.
    Libvirt,
}

impl Backend {
    /// The word in a specification.
    pub fn word(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Libvirt => "libvirt",
        }
    }
}
