//! Foretold groups: against those of real machines, and as the user meets them.

mod cli;
#[path = "../cli/common.rs"]
mod common;
mod corpora;
