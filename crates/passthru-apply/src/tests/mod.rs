//! Tests on trees. Nothing here touches the host that runs them.

mod boots;
mod edits;
mod failures;
mod generated;
mod identity;
mod journals;
mod kernel;
mod killed;
mod plan_files;
mod rebinding;
mod refusals;
mod tree;
