//! Stands in for the passthru program where tests start QEMU or boot the tiny guest: the helper child, and `/init`.

use std::process::ExitCode;

fn main() -> ExitCode {
    passthru_guest::entry::enter().unwrap_or(ExitCode::SUCCESS)
}
