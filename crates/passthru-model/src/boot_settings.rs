//! What the kernel is told at boot for the sake of guests, beside which functions are theirs: `[boot]` of the intent.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::acs_override::AcsOverride;
use crate::cpu_set::CpuSet;

/// The kernel's parameters by which the intent is carried out beside those of the IOMMU, without their values. What
/// traces a command line to its source must not take these for what the user wrote.
pub const PARAMETERS: [&str; 8] = [
    "hugepagesz",
    "hugepages",
    "isolcpus",
    "nohz_full",
    "rcu_nocbs",
    "vfio_pci.disable_idle_d3",
    "pcie_acs_override",
    "initcall_blacklist",
];

/// All settings; by default the kernel is told nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BootSettings {
    /// Huge pages that are set aside at boot, when memory is not broken up yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hugepages: Option<HugePagePool>,
    /// CPUs that the scheduler leaves alone from boot on.
    #[serde(default, skip_serializing_if = "CpuSet::is_empty")]
    pub isolated_cpus: CpuSet,
    /// Whether the IOMMU of Intel's integrated graphics is left off (`intel_iommu=igfx_off`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub igfx_off: bool,
    /// Whether vfio-pci leaves idle devices powered (`vfio_pci.disable_idle_d3=1`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disable_idle_d3: bool,
    /// What a patched kernel is to take for apart that nothing keeps apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acs_override: Option<AcsOverride>,
}

/// The sizes of huge pages that x86-64 has (`Documentation/admin-guide/mm/hugetlbpage.rst`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HugePageSize {
    /// 2 MiB.
    Mib2,
    /// 1 GiB.
    Gib1,
}

impl HugePageSize {
    /// As the kernel's parameter `hugepagesz=` has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mib2 => "2M",
            Self::Gib1 => "1G",
        }
    }

    /// In KiB.
    pub fn kib(self) -> u64 {
        match self {
            Self::Mib2 => 2048,
            Self::Gib1 => 1024 * 1024,
        }
    }

    /// The processor's flag without which it has no such pages.
    pub fn cpu_flag(self) -> &'static str {
        match self {
            Self::Mib2 => "pse",
            Self::Gib1 => "pdpe1gb",
        }
    }
}

/// How many pages, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolPages {
    /// So many over all NUMA nodes, as even as the kernel can make it.
    Anywhere(NonZeroU32),
    /// So many on each of these NUMA nodes; not empty.
    Nodes(BTreeMap<u32, NonZeroU32>),
}

/// Huge pages of one size, written `SIZE=PAGES` with the words of the kernel's own parameters: `1G=16`, or by NUMA node
/// `1G=0:8,1:8`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct HugePagePool {
    /// Their size.
    pub size: HugePageSize,
    /// How many.
    pub pages: PoolPages,
}

/// Why a text is no pool of huge pages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// It has another shape.
    #[error("‘{0}’ is no pool of huge pages: write 1G=16 or 2M=4096, or by NUMA node 1G=0:8,1:8")]
    Shape(String),
    /// A node is there twice.
    #[error("‘{text}’ names NUMA node {node} twice")]
    Twice {
        /// The whole text.
        text: String,
        /// The node.
        node: u32,
    },
}

impl HugePagePool {
    /// All pages together.
    pub fn total(&self) -> u64 {
        match &self.pages {
            PoolPages::Anywhere(pages) => u64::from(pages.get()),
            PoolPages::Nodes(nodes) => nodes.values().map(|pages| u64::from(pages.get())).sum(),
        }
    }
}

impl fmt::Display for PoolPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere(pages) => write!(f, "{pages}"),
            Self::Nodes(nodes) => {
                let each: Vec<String> = nodes.iter().map(|(node, pages)| format!("{node}:{pages}")).collect();
                f.write_str(&each.join(","))
            }
        }
    }
}

impl fmt::Display for HugePagePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.size.word(), self.pages)
    }
}

impl FromStr for HugePagePool {
    type Err = PoolError;

    fn from_str(text: &str) -> Result<Self, PoolError> {
        let shape = || PoolError::Shape(text.to_owned());
        let (size, pages) = text.split_once('=').ok_or_else(shape)?;
        let size = [HugePageSize::Mib2, HugePageSize::Gib1]
            .into_iter()
            .find(|one| one.word() == size)
            .ok_or_else(shape)?;
        if !pages.contains(':') {
            return Ok(Self { size, pages: PoolPages::Anywhere(number(pages).ok_or_else(shape)?) });
        }
        let mut nodes = BTreeMap::new();
        for part in pages.split(',') {
            let (node, pages) = part.split_once(':').ok_or_else(shape)?;
            let node = if node == "0" { 0 } else { number(node).ok_or_else(shape)?.get() };
            if nodes.insert(node, number(pages).ok_or_else(shape)?).is_some() {
                return Err(PoolError::Twice { text: text.to_owned(), node });
            }
        }
        Ok(Self { size, pages: PoolPages::Nodes(nodes) })
    }
}

/// A number above zero in digits alone, without leading zeros: it must come out as it went in.
fn number(text: &str) -> Option<NonZeroU32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| digits)
}

impl TryFrom<String> for HugePagePool {
    type Error = PoolError;

    fn try_from(text: String) -> Result<Self, PoolError> {
        text.parse()
    }
}

impl From<HugePagePool> for String {
    fn from(pool: HugePagePool) -> Self {
        pool.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{HugePagePool, PoolError};
    use proptest::prelude::*;

    #[test]
    fn pools_are_written_as_they_are_read_and_count_all_nodes() {
        for (text, total) in [("1G=16", 16), ("2M=4096", 4096), ("1G=0:8,1:8", 16), ("2M=3:1", 1)] {
            let pool: HugePagePool = text.parse().expect("a pool");
            assert_eq!((pool.to_string().as_str(), pool.total()), (text, total));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "", "16", "1G", "1G=", "1G=0", "1G=-1", "1G=+1", "1G=01", "4K=1", "1G=0:0", "1G=0:1,", "1G=1,2",
            "1g=1",
        ] {
            assert_eq!(text.parse::<HugePagePool>(), Err(PoolError::Shape(text.to_owned())), "{text}");
        }
        let twice = PoolError::Twice { text: "1G=1:1,1:2".to_owned(), node: 1 };
        assert_eq!("1G=1:1,1:2".parse::<HugePagePool>(), Err(twice));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_read_is_written_back(text in "([12][GM]=)?[0-9:,=a]{0,12}|\\PC{0,12}") {
            if let Ok(pool) = text.parse::<HugePagePool>() {
                prop_assert_eq!(pool.to_string().parse::<HugePagePool>(), Ok(pool));
            }
        }
    }
}
