//! Amounts of memory as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes in one MiB.
pub const MIB: u64 = 1 << 20;

/// An amount of memory: a whole number of MiB, written `4G` or `1536M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MemorySize {
    mib: u64,
}

/// Why a text is no amount of memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a number with a unit.
    #[error("‘{}’ is not an amount of memory: write it as \"4G\" or \"1536M\"", .0.escape_debug())]
    Shape(String),
    /// Zero, or more than a machine can have.
    #[error("‘{0}’ is out of range: a guest has from 1M to 16384G of memory")]
    Range(String),
}

impl MemorySize {
    /// The most that is taken, 16 TiB: more than x86-64 guests are given, and far from overflow.
    const MOST_MIB: u64 = 16 << 20;

    /// A number of MiB; `None` if zero or above 16 TiB.
    pub fn from_mib(mib: u64) -> Option<Self> {
        (1..=Self::MOST_MIB).contains(&mib).then_some(Self { mib })
    }

    /// Whole MiB.
    pub fn mib(self) -> u64 {
        self.mib
    }

    /// Bytes.
    pub fn bytes(self) -> u64 {
        self.mib * MIB
    }
}

impl FromStr for MemorySize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let shape = || SizeError::Shape(text.to_owned());
        // G and GiB mean the same to QEMU and to people who give memory to guests: powers of two.
        let lower = text.to_ascii_lowercase();
        let (digits, factor) = ["gib", "g", "mib", "m", "tib", "t"]
            .iter()
            .find_map(|unit| lower.strip_suffix(unit).map(|digits| (digits.trim_end(), unit)))
            .map(|(digits, unit)| {
                (
                    digits,
                    match unit.as_bytes()[0] {
                        b't' => 1 << 20,
                        b'g' => 1 << 10,
                        _ => 1_u64,
                    },
                )
            })
            .ok_or_else(shape)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(shape());
        }
        digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .and_then(Self::from_mib)
            .ok_or_else(|| SizeError::Range(text.to_owned()))
    }
}

impl TryFrom<String> for MemorySize {
    type Error = SizeError;

    fn try_from(text: String) -> Result<Self, SizeError> {
        text.parse()
    }
}

impl From<MemorySize> for String {
    fn from(size: MemorySize) -> Self {
        size.to_string()
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mib.is_multiple_of(1024) {
            write!(f, "{}G", self.mib / 1024)
        } else {
            write!(f, "{}M", self.mib)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MemorySize, SizeError};
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, mib) in [("4G", 4096), ("4GiB", 4096), ("4 g", 4096), ("1536M", 1536), ("1T", 1 << 20)] {
            assert_eq!(text.parse::<MemorySize>().map(MemorySize::mib), Ok(mib), "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_refused_for_nobody_knows_its_unit() {
        for text in ["4096", "", "G", "-4G", "4.5G", "0x4G", "4K", "four"] {
            assert!(matches!(text.parse::<MemorySize>(), Err(SizeError::Shape(_))), "{text}");
        }
        for text in ["0G", "17T", "99999999999999999999G"] {
            assert!(matches!(text.parse::<MemorySize>(), Err(SizeError::Range(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(mib in 1u64..=16 << 20) {
            let size = MemorySize::from_mib(mib).expect("in range");
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn any_text_is_an_answer_and_never_a_panic(text in ".{0,40}") {
            let _ = text.parse::<MemorySize>();
        }
    }
}
