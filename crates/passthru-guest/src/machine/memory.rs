//! Where a machine's memory comes from.

/// A size of static huge pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HugePage {
    /// 2 MiB.
    Size2M,
    /// 1 GiB.
    Size1G,
}

impl HugePage {
    /// Its size in KiB.
    pub fn kib(self) -> u64 {
        match self {
            Self::Size2M => 2 << 10,
            Self::Size1G => 1 << 20,
        }
    }

    /// As people, specifications and QEMU write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Size2M => "2M",
            Self::Size1G => "1G",
        }
    }
}

/// Where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySource {
    /// Static huge pages; `None` is ordinary memory, of which the kernel makes huge pages where it can.
    pub huge: Option<HugePage>,
    /// The NUMA node that all of it comes from.
    pub node: Option<u32>,
    /// Whether all of it is taken before the guest starts.
    pub prealloc: bool,
    /// Whether the kernel may merge pages that are the same in several guests.
    pub merge: bool,
}

impl Default for MemorySource {
    fn default() -> Self {
        Self { huge: None, node: None, prealloc: false, merge: true }
    }
}

impl MemorySource {
    /// Whether QEMU's own default says all of it.
    pub fn is_default(self) -> bool {
        self.huge.is_none() && self.node.is_none() && !self.prealloc
    }
}
