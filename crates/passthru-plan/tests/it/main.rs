//! Judgement and planning on hand-made hosts.

mod boot_chains;
mod boot_records;
mod boot_settings;
mod common;
mod device_checks;
mod findings;
mod grub_entries;
mod grub_settings;
mod guest_runs;
mod kernelstub;
mod machine_checks;
mod machines;
mod many;
mod mkinitcpio;
mod pinning;
mod plans;
mod predict;
mod predict_properties;
mod predict_quirks;
mod predict_why;
mod refusals;
mod run_time;
mod sound;
mod texts;
mod tuning_checks;
mod written_entries;
