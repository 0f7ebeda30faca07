//! What the serial console says of the end of the emulated kernel, and whose fault that was.

/// The end of a kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Panic {
    /// Its first line and its last one.
    pub(super) said: String,
    /// Whether the emulator is to blame and not what was under test.
    pub(super) emulator: bool,
}

/// Finds a panic in what the console printed since QEMU started; a kernel that panics here stays there.
///
/// The emulator's own fault: a kernel that patches its text puts a breakpoint (int3) on the instruction, waits until all processors
/// have seen it, and takes it away in the same manner. QEMU's TCG with a thread for each processor, before 8.1, reads code and only
/// then watches its page for writes; a processor that translates in between keeps the breakpoint, and runs into it when nobody
/// expects one any more. Met in `sched_clock_cpu`, the busiest place that each boot patches. Nothing that passthru does can put a
/// breakpoint into the kernel.
pub(super) fn find(console: &str) -> Option<Panic> {
    let last = console.lines().find(|line| line.contains("Kernel panic - not syncing"))?.trim_end();
    let oops = console.lines().find(|line| line.contains("Oops: "));
    let said = oops.map_or_else(|| last.to_owned(), |oops| format!("{}; {last}", oops.trim_end()));
    Some(Panic { emulator: oops.is_some_and(|oops| oops.contains("Oops: int3: ")), said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_left_breakpoint_is_the_emulators_fault() {
        let console = "[    6.39] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\r\n\
                       [    6.39] RIP: 0010:sched_clock_cpu+0x9/0x1d0\r\n\
                       [    6.39] Kernel panic - not syncing: Fatal exception in interrupt\r\n";
        let said = "[    6.39] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI; \
                    [    6.39] Kernel panic - not syncing: Fatal exception in interrupt";
        assert_eq!(find(console), Some(Panic { said: said.to_owned(), emulator: true }));
    }

    #[test]
    fn any_other_panic_is_a_failure_of_what_is_under_test() {
        let console =
            "[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n";
        assert_eq!(find(console).map(|panic| panic.emulator), Some(false));
        let oops =
            "[ 1.0] Oops: general protection fault\r\n[ 1.1] Kernel panic - not syncing: Fatal exception\r\n";
        assert_eq!(find(oops).map(|panic| panic.emulator), Some(false));
    }

    #[test]
    fn an_oops_alone_ends_nothing() {
        assert_eq!(find("[ 1.0] Oops: int3: 0000 [#1]\r\nlab login: "), None);
        assert_eq!(find(""), None);
    }
}
