//! Tests on trees. Nothing here touches the host that runs them.

mod edits;
mod failures;
mod generated;
mod identity;
mod journals;
mod killed;
mod plan_files;
mod refusals;
mod tree;
