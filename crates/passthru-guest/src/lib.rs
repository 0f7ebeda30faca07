//! Guests: what the user writes ([`spec`]), the checked machine that is made of it ([`guest`]), its QEMU arguments
//! ([`render`]), running it ([`run`]), and the tiny guest that proves a device before a system is installed ([`attempt`],
//! [`tiny`]).
//!
//! Building and rendering are pure: facts and what was looked at come in, a value goes out. Only [`run`], [`attempt`] and
//! [`tiny`] touch the system.

pub mod accel;
pub mod attempt;
pub mod check;
pub mod choice;
pub mod entry;
pub mod firmware;
pub mod guest;
pub mod import;
pub mod layout;
pub mod libvirt;
pub mod look;
pub mod machine;
pub mod media;
pub mod name;
mod pci;
pub mod placement;
pub mod qmp;
pub mod render;
pub mod run;
pub mod script;
pub mod size;
pub mod spec;
pub mod tiny;

#[cfg(test)]
mod testing;

pub use guest::{BuildError, Guest};
pub use name::GuestName;
pub use size::MemorySize;
pub use spec::GuestSpec;
