//! What the host itself is set up for beside which functions are guests': `[host]` of the intent.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::PciAddress;
use crate::hex::as_text;

/// All settings; by default nothing is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostSettings {
    /// The GPU that the host's desktop draws with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<PciAddress>,
    /// The user who may start guests without being root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_user: Option<UserName>,
    /// The memory that Looking Glass shares with a guest through the module kvmfr, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kvmfr: Option<KvmfrSize>,
    /// Whether the module vendor-reset resets the functions that it knows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vendor_reset: bool,
    /// Whether the kernel never takes all power from isolated functions (`d3cold_allowed`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_d3cold: bool,
    /// The ways in which the kernel may reset a function, in the order in which it tries them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reset_methods: BTreeMap<PciAddress, ResetMethods>,
    /// How many virtual functions a physical one has (SR-IOV), which only guests use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub virtual_functions: BTreeMap<PciAddress, VirtualFunctions>,
}

/// A number of virtual functions, 1 to 65535 (`NumVFs`, PCI Express specification, SR-IOV extended capability).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct VirtualFunctions(NonZeroU16);

impl VirtualFunctions {
    /// The number.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl FromStr for VirtualFunctions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            format!(
                "‘{}’ is no number of virtual functions, such as 4; ‘none’ has none made",
                text.escape_debug()
            )
        })
    }
}

/// A way to reset a function, as `reset_method` in sysfs names it (`drivers/pci/pci.c`, `pci_reset_fn_methods`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetMethod {
    /// Code for this one device.
    DeviceSpecific,
    /// The firmware's `_RST`.
    Acpi,
    /// Function level reset of PCI Express.
    Flr,
    /// Function level reset of conventional PCI.
    AfFlr,
    /// Through the power state D3hot.
    Pm,
    /// Of the whole bus, where the function is alone there.
    Bus,
    /// Of a bus of CXL.
    CxlBus,
}

impl ResetMethod {
    const ALL: [Self; 7] =
        [Self::DeviceSpecific, Self::Acpi, Self::Flr, Self::AfFlr, Self::Pm, Self::Bus, Self::CxlBus];

    /// As sysfs has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::DeviceSpecific => "device_specific",
            Self::Acpi => "acpi",
            Self::Flr => "flr",
            Self::AfFlr => "af_flr",
            Self::Pm => "pm",
            Self::Bus => "bus",
            Self::CxlBus => "cxl_bus",
        }
    }
}

/// Ways to reset a function, at least one, each once, in the order in which they are tried.
#[derive(Clone, PartialEq, Eq)]
pub struct ResetMethods(Vec<ResetMethod>);

impl ResetMethods {
    /// One way alone.
    pub fn only(method: ResetMethod) -> Self {
        Self(vec![method])
    }

    /// The ways.
    pub fn iter(&self) -> impl Iterator<Item = ResetMethod> {
        self.0.iter().copied()
    }
}

impl FromStr for ResetMethods {
    type Err = String;

    /// Words, with spaces or commas between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut methods = Vec::new();
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            let Some(method) = ResetMethod::ALL.into_iter().find(|method| method.word() == word) else {
                let known = ResetMethod::ALL.map(ResetMethod::word).join(", ");
                return Err(format!("‘{word}’ is no way to reset a device; the kernel has {known}"));
            };
            if methods.contains(&method) {
                return Err(format!("‘{word}’ is named twice"));
            }
            methods.push(method);
        }
        if methods.is_empty() {
            return Err("name at least one way to reset the device, such as ‘flr’".to_owned());
        }
        Ok(Self(methods))
    }
}

impl fmt::Display for ResetMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|method| method.word()).collect();
        f.write_str(&words.join(" "))
    }
}

/// How much memory kvmfr shares with a guest: a power of two, 16 to 4096 MiB (Looking Glass, `ivshmem` of QEMU).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KvmfrSize(u32);

impl KvmfrSize {
    /// In MiB.
    pub fn mib(self) -> u32 {
        self.0
    }
}

impl FromStr for KvmfrSize {
    type Err = String;

    /// A number of MiB, with or without an `M` after it.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('M').unwrap_or(text);
        let wrong =
            || format!("‘{text}’ is no size for kvmfr: write a power of two from 16M to 4096M, such as 64M");
        let mib: u32 = number.parse().map_err(|_| wrong())?;
        if (16..=4096).contains(&mib) && mib.is_power_of_two() { Ok(Self(mib)) } else { Err(wrong()) }
    }
}

impl fmt::Display for KvmfrSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}M", self.0)
    }
}

/// The name of a user, such as `useradd` takes: it goes into rules of udev and PAM, where other characters mean something.
#[derive(Clone, PartialEq, Eq)]
pub struct UserName(String);

impl UserName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let rest =
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if first && rest && text.len() <= 32 {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "‘{}’ is no user name: up to 32 letters, digits, ‘_’, ‘-’ and ‘.’, of which the first is a letter or ‘_’",
                text.escape_debug()
            ))
        }
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(ResetMethods, "ResetMethods", "^[a-z_]+([ ,]+[a-z_]+)*$");
as_text!(KvmfrSize, "KvmfrSize", "^[0-9]+M?$");
as_text!(UserName, "UserName", "^[A-Za-z_][A-Za-z0-9_.-]{0,31}$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_what_is_wrong_is_named() {
        let methods: ResetMethods = "flr, bus".parse().expect("two ways");
        assert_eq!(methods.to_string(), "flr bus");
        assert_eq!(methods.to_string().parse(), Ok(methods));
        for wrong in ["", "flr flr", "warm", " , "] {
            assert!(wrong.parse::<ResetMethods>().is_err(), "{wrong}");
        }
        assert_eq!("4".parse::<VirtualFunctions>().map(VirtualFunctions::get), Ok(4));
        for wrong in ["", "0", "-1", "65536", "x"] {
            assert!(wrong.parse::<VirtualFunctions>().is_err(), "{wrong}");
        }
        assert_eq!("64".parse::<KvmfrSize>().map(|size| size.to_string()), Ok("64M".to_owned()));
        for wrong in ["", "8", "8192", "65", "M", "-64", "64G"] {
            assert!(wrong.parse::<KvmfrSize>().is_err(), "{wrong}");
        }
        assert_eq!("an.na-2_".parse::<UserName>().map(|name| name.to_string()), Ok("an.na-2_".to_owned()));
        for wrong in ["", "1a", "-a", "a b", "a\"", "a,b", "\u{1b}[2J", &"a".repeat(33)] {
            assert!(wrong.parse::<UserName>().is_err(), "{wrong}");
        }
    }
}
