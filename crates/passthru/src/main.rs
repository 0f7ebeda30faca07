//! passthru: PCI passthrough via OVMF, from a plain host to a guest that has the device, and back.

use std::process::ExitCode;

fn main() -> ExitCode {
    passthru::main()
}
