//! Values of the running kernel that are changed for a guest, and put back when it ends.
//!
//! A place is named by what it is and never by a path, so that no plan can reach a file of sysfs that is not meant here.

mod change;
mod display;
mod place;
mod value;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::guest_name::GuestName;

pub use change::{Change, KernelWrite};
pub use display::{DisplayModule, DisplayService, Screen};
pub use place::{Place, Seen};
pub use value::{NoValue, Value, Word};

/// Where the one hierarchy of control groups is mounted (`Documentation/admin-guide/cgroup-v2.rst`).
pub const CGROUPS: &str = "/sys/fs/cgroup";

/// A unit of systemd that holds everything but guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum HostSlice {
    /// Services.
    #[serde(rename = "system.slice")]
    System,
    /// Sessions of users.
    #[serde(rename = "user.slice")]
    User,
    /// The first process.
    #[serde(rename = "init.scope")]
    Init,
}

impl HostSlice {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::System, Self::User, Self::Init];

    /// The unit's name, which is the name of its control group too.
    pub fn unit(self) -> &'static str {
        match self {
            Self::System => "system.slice",
            Self::User => "user.slice",
            Self::Init => "init.scope",
        }
    }
}

/// The directory of a guest's control group, beside those of systemd, which leaves alone what it has not made.
pub fn guest_group(guest: &GuestName) -> String {
    format!("{CGROUPS}/passthru-{guest}")
}

/// A value of the running kernel that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// Which value.
    pub place: Place,
    /// What it is, and is again when all is taken back.
    pub before: Value,
    /// What it shall be.
    pub after: Value,
    /// Whether everything is taken back where the kernel refuses; else the value is left as it is.
    pub needed: bool,
}

impl Setting {
    /// Whether a value is one that carrying out the change leaves behind, at its end or on the way: of huge pages the kernel may
    /// make fewer than it is asked for.
    pub fn made(&self, now: &Value) -> bool {
        let number = |value: &Value| value.as_str().parse::<u64>().ok();
        *now == self.after
            || (self.place.is_count()
                && matches!(
                    (number(&self.before), number(now), number(&self.after)),
                    (Some(before), Some(now), Some(after)) if before < now && now < after
                ))
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Setting, Value};

    fn value(text: &str) -> Value {
        text.to_owned().try_into().expect("a value")
    }

    #[test]
    fn fewer_huge_pages_than_were_asked_for_are_still_ours() {
        let place = Place::HugePages { size_kib: 2048, node: None };
        let setting = Setting { place, before: value("2"), after: value("10"), needed: true };
        for (now, ours) in [("2", false), ("3", true), ("10", true), ("11", false), ("0", false)] {
            assert_eq!(setting.made(&value(now)), ours, "{now}");
        }
    }

    #[test]
    fn a_saved_value_that_would_be_a_second_line_is_refused() {
        for text in ["\"a\\nb\"", "\"../x\\u0000\"", "\" 1\""] {
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
    }
}
