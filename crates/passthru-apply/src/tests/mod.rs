//! Tests on trees. Nothing here touches the host that runs them.

use std::process::Command;

/// Runs a test of this program in a child, with these variables in its environment. Whether it was killed; a child that comes to
/// its end must do so well.
fn dies(test: &str, variables: &[(&str, &str)]) -> bool {
    let output = Command::new(std::env::current_exe().expect("knows itself"))
        .args(["--exact", test, "--nocapture"])
        .envs(variables.iter().copied())
        .output()
        .expect("starts");
    let died = std::os::unix::process::ExitStatusExt::signal(&output.status).is_some();
    assert!(died || output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    died
}

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
mod tuning;
