//! Arguments of the commands that look at the machine: `topology`.

use clap::{Args, ValueEnum};
use passthru_model::PciAddress;
use passthru_plan::pinning::{Prefer, Threads};

/// Arguments of `topology`.
#[derive(Debug, Args)]
pub struct TopologyArguments {
    /// Show the CPUs that a guest with so many vCPUs would be pinned to, and why
    #[arg(long, value_name = "N")]
    pub vcpus: Option<usize>,

    /// Keep the guest on the NUMA node of this device
    #[arg(long, value_name = "ADDRESS")]
    pub device: Option<PciAddress>,

    /// What to do with SMT siblings (Hyper-threading)
    #[arg(long, default_value = "siblings", requires = "vcpus")]
    pub threads: ThreadsChoice,

    /// Which L3 domain to prefer where several would do
    #[arg(long, default_value = "cache", requires = "vcpus")]
    pub prefer: PreferChoice,
}

/// What to do with SMT siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThreadsChoice {
    /// Both threads of each core go to the guest
    Siblings,
    /// One vCPU on each core; its other threads stay empty
    OnePerCore,
    /// One vCPU on each core; the host keeps its other thread
    Shared,
}

/// Which L3 domain to prefer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PreferChoice {
    /// The one with more cache
    Cache,
    /// The one whose cores boost better
    Frequency,
}

impl From<ThreadsChoice> for Threads {
    fn from(choice: ThreadsChoice) -> Self {
        match choice {
            ThreadsChoice::Siblings => Self::Siblings,
            ThreadsChoice::OnePerCore => Self::OnePerCore,
            ThreadsChoice::Shared => Self::Shared,
        }
    }
}

impl From<PreferChoice> for Prefer {
    fn from(choice: PreferChoice) -> Self {
        match choice {
            PreferChoice::Cache => Self::Cache,
            PreferChoice::Frequency => Self::Frequency,
        }
    }
}
