//! Following a trial by what comes out of its serial ports.

use std::path::Path;
use std::time::{Duration, Instant};

use passthru_model::guest_report::{GuestReport, REPORT_MARK};

use super::{Stage, TryError, TryEvent};
use crate::tiny::{FAILURE_MARK, HELLO};

/// How often a caller hears that nothing is new.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Lines of the console that go into a message.
const CONSOLE_LINES: usize = 12;

/// How far a trial is, and when it was last talked about.
pub(super) struct Watch<'a> {
    pub(super) stage: Stage,
    started: Instant,
    said: Instant,
    limit: Duration,
    firmware_limit: Duration,
    console: &'a Path,
    report: &'a Path,
}

impl<'a> Watch<'a> {
    /// `limit` is for all of it; the firmware alone may have a shorter one.
    pub(super) fn new(
        limit: Duration,
        firmware: Option<Duration>,
        console: &'a Path,
        report: &'a Path,
    ) -> Self {
        let now = Instant::now();
        let firmware_limit = firmware.unwrap_or(limit).min(limit);
        Self { stage: Stage::Firmware, started: now, said: now, limit, firmware_limit, console, report }
    }

    /// Looks once. `Some` is the end of the wait.
    pub(super) fn look(
        &mut self,
        progress: &mut dyn FnMut(TryEvent),
    ) -> Option<Result<GuestReport, TryError>> {
        if let Some(answer) = answer(&text(self.report)) {
            self.reach(Stage::Reported, progress);
            return Some(answer);
        }
        let console = text(self.console);
        if console.contains(HELLO) {
            self.reach(Stage::Guest, progress);
        } else if console.contains("Linux version ") {
            self.reach(Stage::Kernel, progress);
        }
        let after = self.started.elapsed();
        let limit = if self.stage == Stage::Firmware { self.firmware_limit } else { self.limit };
        if after >= limit {
            let error = TryError::TimeLimit { limit, stage: self.stage, console: self.console_end() };
            return Some(Err(error));
        }
        if self.said.elapsed() >= SIGN_OF_LIFE {
            self.said = Instant::now();
            progress(TryEvent::Waiting { stage: self.stage, after, limit: self.limit });
        }
        None
    }

    fn reach(&mut self, stage: Stage, progress: &mut dyn FnMut(TryEvent)) {
        if self.stage != stage {
            self.stage = stage;
            self.said = Instant::now();
            progress(TryEvent::Reached { stage, after: self.started.elapsed() });
        }
    }

    /// The last lines of the console, without anything that a terminal would obey.
    pub(super) fn console_end(&self) -> String {
        let text = text(self.console);
        let plain = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
        let lines: Vec<String> = text.lines().map(plain).filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(CONSOLE_LINES)..].join("\n")
    }
}

fn text(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The first whole line of the report port that is the guest's answer. Firmware may write there too.
fn answer(text: &str) -> Option<Result<GuestReport, TryError>> {
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).find_map(|line| {
        if let Some((_, json)) = line.split_once(REPORT_MARK) {
            return Some(serde_json::from_str(json).map_err(|error| TryError::Garbled(error.to_string())));
        }
        let (_, words) = line.split_once(FAILURE_MARK)?;
        Some(Err(TryError::GuestFailed(words.chars().filter(|c| !c.is_control()).collect())))
    })
}

#[cfg(test)]
mod tests {
    use super::answer;
    use crate::attempt::TryError;
    use proptest::prelude::*;

    #[test]
    fn only_a_whole_line_is_an_answer() {
        let line = "noise passthru-guest-report {\"kernel\":\"6\",\"uefi\":true,\"functions\":[]}";
        assert!(answer(line).is_none());
        assert!(answer(&format!("BdsDxe\r\n{line}\r\n")).is_some_and(|answer| answer.is_ok()));
        let failure = answer("passthru-guest-failure sysfs: no\u{1b}\n");
        assert!(matches!(failure, Some(Err(TryError::GuestFailed(words))) if words == "sysfs: no"));
        assert!(matches!(answer("passthru-guest-report {]\n"), Some(Err(TryError::Garbled(_)))));
    }

    proptest! {
        #[test]
        fn any_noise_is_an_answer_and_never_a_panic(text in "(passthru-guest-report )?.{0,80}\n") {
            let _ = answer(&text);
        }
    }
}
