//! The nouns of passthru. Nothing here opens a path, starts a program or reads a clock; `clippy.toml` holds that.
//!
//! Facts flow one way (ARCHITECTURE.md): a host is read into [`facts::HostFacts`], judged into [`finding::Finding`]s,
//! planned into a [`plan::Plan`], and changed by carrying that plan out.

pub mod acpi;
pub mod acs_override;
pub mod address;
pub mod backend;
pub mod binding;
pub mod boot;
pub mod boot_record;
pub mod boot_settings;
pub mod causes;
pub mod cpu;
pub mod cpu_set;
pub mod desktop;
pub mod device_state;
pub mod fact;
pub mod facts;
pub mod finding;
pub mod firmware;
pub mod graphics;
pub mod guest_name;
pub mod guest_report;
pub mod guest_tuning;
pub mod hex;
pub mod holders;
pub mod host_settings;
pub mod intent;
pub mod io_memory;
pub mod iommu;
pub mod kernel;
pub mod managed;
pub mod memory;
pub mod pci;
pub mod plan;
pub mod program;
pub mod rebinding;
pub mod session;
pub mod setting;
pub mod topology;
pub mod tuning;
pub mod usb;
pub mod virtualisation;
pub mod ways_in;

pub use address::{AddressError, PciAddress, PciSlot};
pub use cpu_set::{CpuSet, CpuSetError};
pub use fact::{Evidence, Fact};
pub use facts::HostFacts;
pub use finding::{Finding, Remedy, Verdict};
pub use guest_name::GuestName;
pub use hex::{ClassCode, Hex16, PciId};
pub use pci::PciFunction;
pub use topology::Topology;
pub use usb::Usb;
