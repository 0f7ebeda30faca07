//! Places at which a test may kill us: every write, rename and fsync. Nothing of it is in the shipped program.

/// A boundary at which a kill must do no harm.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn hit() {}

#[cfg(test)]
pub(crate) use armed::{arm, hit, hits};

#[cfg(test)]
mod armed {
    use std::cell::Cell;

    thread_local! {
        static HITS: Cell<usize> = const { Cell::new(0) };
        static FATAL: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    /// From now on, dies at the `fatal`th boundary of this thread, counted from 0.
    pub(crate) fn arm(fatal: usize) {
        HITS.set(0);
        FATAL.set(fatal);
    }

    /// How many boundaries this thread has passed since it was armed.
    pub(crate) fn hits() -> usize {
        HITS.get()
    }

    /// Dies by SIGKILL: without a word, without unwinding and without a destructor.
    pub(crate) fn hit() {
        let hits = HITS.get();
        HITS.set(hits + 1);
        if hits == FATAL.get() {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            unreachable!("nothing goes on after that");
        }
    }
}
