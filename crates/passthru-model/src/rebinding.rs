//! Functions that change drivers while the host runs, by driver override (`Documentation/ABI/testing/sysfs-bus-pci`).

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::intent::DeviceIdentity;
use crate::pci::{PciFunction, is_vfio_driver};

/// A driver that hands functions to guests: vfio-pci, or one of its variants such as `mlx5_vfio_pci`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct VfioDriver(String);

/// Why a text is no such driver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "‘{0}’ is not vfio-pci or one of its variants, whose names end in _vfio_pci or -vfio-pci: mlx5_vfio_pci, for one"
)]
pub struct NotVfio(String);

impl VfioDriver {
    /// The driver's name, as sysfs shows it.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Its module with underscores, as `/proc/modules` has it. The driver of each such module is named after it.
    pub fn module(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl Default for VfioDriver {
    fn default() -> Self {
        Self("vfio-pci".to_owned())
    }
}

impl FromStr for VfioDriver {
    type Err = NotVfio;

    /// The name stands in paths of sysfs and in arguments of modprobe, so it is held to the letters that modules have.
    fn from_str(text: &str) -> Result<Self, NotVfio> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if plain && !text.starts_with('-') && is_vfio_driver(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotVfio(text.to_owned()))
        }
    }
}

impl TryFrom<String> for VfioDriver {
    type Error = NotVfio;

    fn try_from(text: String) -> Result<Self, NotVfio> {
        text.parse()
    }
}

impl fmt::Display for VfioDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who has a function, and who alone may have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriverState {
    /// The driver bound to it.
    pub driver: Option<String>,
    /// Its `driver_override`: the only driver that the kernel binds to it.
    pub driver_override: Option<String>,
}

impl DriverState {
    /// That of a function.
    pub fn of(function: &PciFunction) -> Self {
        Self { driver: function.driver.clone(), driver_override: function.driver_override.clone() }
    }
}

/// Who is to have a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub enum DriverGoal {
    /// This driver of VFIO, and the override says so from then on.
    Vfio {
        /// The driver.
        driver: VfioDriver,
    },
    /// The driver of the host's own that the kernel chooses, without an override.
    Host,
    /// The same, for a function that the kernel may have no driver for.
    HostIfAny,
}

impl DriverGoal {
    /// Whether a driver is the one wanted.
    pub fn is_met_by(&self, driver: Option<&str>) -> bool {
        match (self, driver) {
            (Self::Vfio { driver: wanted }, Some(found)) => wanted.name() == found,
            (Self::Host | Self::HostIfAny, Some(found)) => !is_vfio_driver(found),
            (Self::HostIfAny, None) => true,
            (Self::Vfio { .. } | Self::Host, None) => false,
        }
    }

    /// The override that is left when the function has its driver.
    pub fn driver_override(&self) -> Option<&str> {
        match self {
            Self::Vfio { driver } => Some(driver.name()),
            Self::Host | Self::HostIfAny => None,
        }
    }
}

impl fmt::Display for DriverGoal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vfio { driver } => driver.fmt(f),
            Self::Host => f.write_str("a driver of the host"),
            Self::HostIfAny => f.write_str("a driver of the host, should it have one"),
        }
    }
}

/// One function that changes drivers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rebinding {
    /// Which function, by address and by what must be there.
    pub device: DeviceIdentity,
    /// Who has it, and goes on having it when all is taken back.
    pub before: DriverState,
    /// Who is to have it.
    pub after: DriverGoal,
}

impl Rebinding {
    /// The path of an attribute of the function.
    pub fn attribute(&self, name: &str) -> String {
        format!("/sys/bus/pci/devices/{}/{name}", self.device.address)
    }
}

#[cfg(test)]
mod tests {
    use super::{DriverGoal, VfioDriver};
    use proptest::prelude::*;

    #[test]
    fn variants_are_drivers_of_vfio_and_paths_are_not() {
        for name in ["vfio-pci", "mlx5_vfio_pci", "hisi-acc-vfio-pci"] {
            assert_eq!(name.parse::<VfioDriver>().expect("is one").name(), name);
        }
        for name in ["nvidia", "", "../../vfio-pci", "-vfio-pci", "a b_vfio_pci"] {
            assert!(name.parse::<VfioDriver>().is_err(), "{name}");
        }
        assert!(serde_json::from_str::<VfioDriver>("\"nouveau\"").is_err());
    }

    #[test]
    fn a_goal_is_met_by_the_right_kind_of_driver_only() {
        let vfio = DriverGoal::Vfio { driver: VfioDriver::default() };
        for (goal, met) in [
            (vfio, [true, false, false]),
            (DriverGoal::Host, [false, true, false]),
            (DriverGoal::HostIfAny, [false, true, true]),
        ] {
            let drivers = [Some("vfio-pci"), Some("bochs-drm"), None];
            assert_eq!(drivers.map(|driver| goal.is_met_by(driver)), met, "{goal}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_taken_is_a_plain_word(text in "[a-z_./ -]{0,6}[_-]?vfio[_-]pci|\\PC{0,12}") {
            if let Ok(driver) = text.parse::<VfioDriver>() {
                prop_assert!(!driver.name().contains(['/', ' ', '.']));
                prop_assert!(!driver.name().starts_with('-'));
            }
        }
    }
}
