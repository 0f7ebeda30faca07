//! What a person sees while the laboratory works: one line a step, with the time it took.

use std::time::{Duration, Instant};

/// A clock that prints its own lines, so that every line carries the time since the start.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    start: Instant,
}

impl Ui {
    /// Starts the clock.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Prints one line of talk.
    pub fn say(&self, text: &str) {
        println!("[{:>7}] {text}", seconds(self.elapsed()));
    }

    /// Prints one line of the outcome of something that took `took`.
    pub fn done(&self, mark: &str, took: Duration, text: &str) {
        println!("[{:>7}] {mark:<4} {:>7}  {text}", seconds(self.elapsed()), seconds(took));
    }

    /// Runs `work` and prints its name and duration, whatever comes of it.
    pub fn timed<T>(&self, name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let begun = Instant::now();
        let outcome = work();
        self.done(if outcome.is_ok() { "ok" } else { "FAIL" }, begun.elapsed(), name);
        outcome
    }
}

/// `12.3s`, and `4m07s` from a hundred seconds on.
pub fn seconds(duration: Duration) -> String {
    let all = duration.as_secs();
    if all < 100 {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    format!("{}m{:02}s", all / 60, all % 60)
}
