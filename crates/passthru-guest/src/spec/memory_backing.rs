//! The table `[memory-backing]`: where the host takes the guest's memory from.

use serde::Deserialize;

use super::write::{Table, quoted};

/// Which pages memory is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum PagesChoice {
    /// Static huge pages where enough are free for a guest with a device of the host, else transparent ones.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// Static huge pages of 1 GiB.
    #[serde(rename = "1G")]
    Huge1G,
    /// Static huge pages of 2 MiB.
    #[serde(rename = "2M")]
    Huge2M,
    /// Ordinary memory, of which the kernel makes huge pages where it can.
    #[serde(rename = "transparent")]
    Transparent,
}

impl PagesChoice {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Huge1G => "1G",
            Self::Huge2M => "2M",
            Self::Transparent => "transparent",
        }
    }
}

/// The table. `None` leaves a key to the builder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct MemoryBacking {
    /// Which pages.
    pub pages: PagesChoice,
    /// The NUMA node that all of it comes from.
    pub node: Option<u32>,
    /// Whether all of it is taken before the guest starts.
    pub prealloc: Option<bool>,
    /// Whether the kernel may merge pages that are the same in several guests (KSM).
    pub merge: Option<bool>,
}

impl MemoryBacking {
    /// The table as text; nothing where all is left to the builder.
    pub(super) fn write(&self) -> String {
        let mut table = Table::new("memory-backing");
        if self.pages != PagesChoice::Auto {
            table.key("pages", quoted(self.pages.word()));
        }
        table.optional("node", self.node);
        table.optional("prealloc", self.prealloc);
        table.optional("merge", self.merge);
        table.finish()
    }
}
