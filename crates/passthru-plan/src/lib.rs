//! Judgement: from facts to findings, and from facts and an intent to a plan. Pure functions; `clippy.toml` holds that.
//!
//! Nothing here looks at a host or changes one. What a function needs to know stands in [`passthru_model::HostFacts`],
//! and what it does not know it says.

mod binding;
mod boot_record;
pub mod checks;
pub mod diff;
pub mod groups;
pub mod guest_file;
pub mod hyperv;
pub mod intent;
mod leftovers;
pub mod pinning;
pub mod planner;
pub mod predict;
mod resets;
pub mod rom;
mod sriov;
pub mod stake;
pub mod status;
pub mod usb;
pub mod verify;

pub use boot_record::boot_record;
pub use checks::{Area, Check, Judgement, Lint, Remark, UnknownCheck, areas, checks, diagnose, lints};
pub use groups::{DeviceView, GroupView, GroupsView};
pub use leftovers::{Leftover, leftovers};
pub use planner::{
    Consent, GuestRun, HostEdit, IntentChange, IntentEdit, PlannedRun, Reason, Refusal, Wish,
    all_but_the_boot_gpu, bind, guest_run, has_libvirt_hook, isolate, isolate_by, libvirt_hook, may_go_back,
    may_go_on, plan_for, release, unbind,
};
pub use status::{Summary, summary, summary_of_mounted};
pub use verify::{verify, verify_files};
