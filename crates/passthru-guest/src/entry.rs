//! The other things that this program's file is started as: `/init` of the tiny guest, and the child that becomes QEMU.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::run::child;
use crate::tiny;

/// The last words of the tiny guest's kernel command line, after `--`: the kernel hands them to `/init` as arguments.
pub const TINY_GUEST: &str = "passthru-tiny-guest";

/// To be called before anything else in `main`. Where this process is one of the others, it does their work: as pid 1 of
/// the tiny guest it never returns, as the child it returns only with a failure.
pub fn enter() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let program = arguments.next();
    let rest: Vec<OsString> = arguments.collect();
    // Pid 1 alone is not enough: in a container, any program can be that.
    if rustix::process::getpid().is_init() && rest.first().is_some_and(|first| first == TINY_GUEST) {
        tiny::init_main();
    }
    if program.is_some_and(|program| program == child::NAME) {
        return Some(child::main(&rest));
    }
    None
}
