//! A set of logical CPUs, read and written as the kernel does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// CPU numbers are below this: the most that any architecture can be configured for (`NR_CPUS`, `arch/x86/Kconfig`).
pub const MOST_CPUS: u32 = 8192;

/// No list or mask of [`MOST_CPUS`] is longer than this many bytes, even with every second CPU named one by one.
const MOST_TEXT: usize = 64 * 1024;

/// Bits in a word of the set.
const WORD: u32 = u64::BITS;

/// A set of logical CPUs.
///
/// Written as the kernel writes its lists (`%*pbl`, `lib/vsprintf.c`; `man 7 cpuset`, "List format"): `0-3,8`. The empty
/// set is the empty text. Read in the same format, with the groups of `Documentation/admin-guide/kernel-parameters.rst`
/// (`0-31:2/4`: the first two of every four).
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct CpuSet {
    // Word N holds the CPUs from 64 N. The last word is never zero, so that equal sets are equal words.
    words: Vec<u64>,
}

/// Why a text is no list or mask of CPUs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpuSetError {
    /// A part has another shape than `3`, `0-3` or `0-31:2/4`.
    #[error("‘{0}’ is not a CPU or a range of CPUs: write it as 3 or 0-3")]
    Shape(String),
    /// A range ends before it begins.
    #[error("‘{0}’ ends before it begins")]
    Backwards(String),
    /// A CPU number that no kernel has.
    #[error("‘{0}’ is above {most}, the highest CPU number that there is", most = MOST_CPUS - 1)]
    Range(String),
    /// A mask has something else than words of up to eight hexadecimal digits between commas.
    #[error("‘{0}’ is not a mask of CPUs")]
    Mask(String),
    /// The text is longer than any list of CPUs.
    #[error("the list is longer than {MOST_TEXT} bytes")]
    Long,
}

impl CpuSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// Reads a mask as the kernel writes it (`%*pb`): hexadecimal words of 32 CPUs, the highest first, between commas.
    pub fn from_mask(text: &str) -> Result<Self, CpuSetError> {
        if text.len() > MOST_TEXT {
            return Err(CpuSetError::Long);
        }
        let mut set = Self::new();
        for (index, word) in text.split(',').rev().enumerate() {
            let wrong = || CpuSetError::Mask(word.to_owned());
            if word.is_empty() || word.len() > 8 || !word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(wrong());
            }
            let bits = u32::from_str_radix(word, 16).map_err(|_| wrong())?;
            let first = u32::try_from(index).ok().and_then(|index| index.checked_mul(u32::BITS));
            for bit in (0..u32::BITS).filter(|bit| bits >> bit & 1 == 1) {
                let inside =
                    first.and_then(|first| first.checked_add(bit)).is_some_and(|cpu| set.insert(cpu));
                if !inside {
                    return Err(CpuSetError::Range(word.to_owned()));
                }
            }
        }
        Ok(set)
    }

    /// Adds a CPU. Whether it is in the set now: a number from [`MOST_CPUS`] up is no CPU, and is left out.
    pub fn insert(&mut self, cpu: u32) -> bool {
        let Some((word, bit)) = place(cpu) else { return false };
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= bit;
        true
    }

    /// Whether a CPU is in the set.
    pub fn contains(&self, cpu: u32) -> bool {
        place(cpu).is_some_and(|(word, bit)| self.words.get(word).is_some_and(|bits| bits & bit != 0))
    }

    /// Whether no CPU is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How many CPUs are in the set.
    pub fn len(&self) -> usize {
        self.words.iter().fold(0, |sum, word| sum + usize::try_from(word.count_ones()).unwrap_or(0))
    }

    /// The CPUs in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.words).flat_map(|(index, word)| {
            (0..WORD).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * WORD + bit)
        })
    }

    /// The lowest CPU.
    pub fn first(&self) -> Option<u32> {
        self.iter().next()
    }

    /// The highest CPU.
    pub fn last(&self) -> Option<u32> {
        let index = u32::try_from(self.words.len().checked_sub(1)?).ok()?;
        Some(index * WORD + (WORD - 1 - self.words.last()?.leading_zeros()))
    }

    /// The CPUs that are in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.zip(other, |ours, theirs| ours | theirs)
    }

    /// The CPUs that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |ours, theirs| ours & theirs)
    }

    /// The CPUs that are in this and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.zip(other, |ours, theirs| ours & !theirs)
    }

    /// Whether all CPUs of this are in the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
    }

    /// Whether a CPU is in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(ours, theirs)| ours & theirs != 0)
    }

    fn zip(&self, other: &Self, each: impl Fn(u64, u64) -> u64) -> Self {
        let length = self.words.len().max(other.words.len());
        let word = |words: &[u64], at: usize| words.get(at).copied().unwrap_or(0);
        let mut words: Vec<u64> =
            (0..length).map(|at| each(word(&self.words, at), word(&other.words, at))).collect();
        let used = words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        words.truncate(used);
        Self { words }
    }
}

/// The word and the bit of a CPU.
fn place(cpu: u32) -> Option<(usize, u64)> {
    (cpu < MOST_CPUS).then_some(())?;
    Some((usize::try_from(cpu / WORD).ok()?, 1 << (cpu % WORD)))
}

impl FromIterator<u32> for CpuSet {
    /// Numbers from [`MOST_CPUS`] up are left out.
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        let mut set = Self::new();
        for cpu in cpus {
            set.insert(cpu);
        }
        set
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        let mut cpus = self.iter().peekable();
        while let Some(first) = cpus.next() {
            let mut last = first;
            while let Some(next) = cpus.next_if(|next| *next == last + 1) {
                last = next;
            }
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

impl fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

/// Reads decimal digits and nothing else. Numbers that are too large come out as the largest.
fn number(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

impl FromStr for CpuSet {
    type Err = CpuSetError;

    fn from_str(text: &str) -> Result<Self, CpuSetError> {
        if text.len() > MOST_TEXT {
            return Err(CpuSetError::Long);
        }
        let mut set = Self::new();
        let text = text.trim_ascii();
        if text.is_empty() {
            return Ok(set);
        }
        for part in text.split(',') {
            let shape = || CpuSetError::Shape(part.to_owned());
            let (range, group) =
                part.split_once(':').map_or((part, None), |(range, group)| (range, Some(group)));
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (number(first), number(last)),
                None if group.is_none() => (number(range), number(range)),
                None => return Err(shape()),
            };
            let (first, last) = (first.ok_or_else(shape)?, last.ok_or_else(shape)?);
            // Only now is it known that all of the range is small, and that walking along it ends soon.
            if last >= MOST_CPUS || first >= MOST_CPUS {
                return Err(CpuSetError::Range(part.to_owned()));
            }
            if last < first {
                return Err(CpuSetError::Backwards(part.to_owned()));
            }
            let (used, group) = match group.map(|group| group.split_once('/')) {
                None => (1, 1),
                Some(pair) => {
                    let (used, group) = pair.ok_or_else(shape)?;
                    (number(used).ok_or_else(shape)?, number(group).ok_or_else(shape)?)
                }
            };
            if used == 0 || used > group {
                return Err(shape());
            }
            for cpu in (first..=last).filter(|cpu| (cpu - first) % group < used) {
                set.insert(cpu);
            }
        }
        Ok(set)
    }
}

impl Serialize for CpuSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CpuSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for CpuSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CpuSet".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Logical CPUs as the kernel lists them, such as 0-3,8; empty: none",
            "pattern": "^([0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)?$"
        })
    }
}

#[cfg(test)]
mod tests;
