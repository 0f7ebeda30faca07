//! Holding back Ctrl-C, a closed terminal and a request to end while the host is being changed or a trial runs.
//!
//! A change that is cut off is no harm (the journal knows), but a whole one is better. The first signal is noted and the change
//! goes on; a second one ends the program at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::exit::Failure;
use crate::printer::Printer;

/// The exit code of a program that Ctrl-C ended, as shells have it: 128 + SIGINT.
const ENDED_BY_SIGNAL: i32 = 130;

/// The signals that are held back.
#[derive(Debug)]
pub(crate) struct Hold {
    came: Arc<AtomicBool>,
    said: bool,
}

impl Hold {
    /// Holds them back from now on, until the program ends.
    pub(crate) fn begin() -> Result<Self, Failure> {
        let came = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first signal finds the flag unset and sets it, the second finds it set and ends us.
            signal_hook::flag::register_conditional_shutdown(signal, ENDED_BY_SIGNAL, Arc::clone(&came))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&came)))
                .map_err(|error| Failure::no(format!("signals cannot be held back: {error}")))?;
        }
        Ok(Self { came, said: false })
    }

    /// Becomes true when the first signal comes: for work that can be stopped cleanly rather than finished.
    pub(crate) fn came(&self) -> &AtomicBool {
        &self.came
    }

    /// Says once that a signal came and what becomes of it.
    pub(crate) fn mention(&mut self, printer: &Printer) {
        if !self.said && self.came.load(Ordering::SeqCst) {
            self.said = true;
            printer.say(
                "Interrupted: the change is finished first, then ‘passthru undo’ can take it back. A second Ctrl-C stops at \
                 once; ‘passthru status’ then says how to go on",
            );
        }
    }
}
