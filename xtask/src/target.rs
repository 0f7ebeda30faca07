//! What a scenario's steps talk to: a whole distribution or a fast machine, it is the same to them.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::ui::Ui;

/// A program to be run in the machine under test.
#[derive(Debug, Clone)]
pub struct Job {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Standard input.
    pub input: Option<Vec<u8>>,
    /// When to end it.
    pub limit: Duration,
}

impl Job {
    /// A job with the usual time limit.
    pub fn new<I: IntoIterator<Item = S>, S: Into<String>>(argv: I) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), input: None, limit: Duration::from_mins(2) }
    }

    /// The same with another time limit.
    pub fn limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The same with standard input.
    pub fn input(self, input: &[u8]) -> Self {
        Self { input: Some(input.to_vec()), ..self }
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit status; 124 when the time limit ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

/// A running machine.
pub trait Target {
    /// Runs a program to its end.
    fn run(&mut self, job: &Job) -> Result<Output>;

    /// Boots again, the menu entry `entry` if one is named, and comes back when the new boot has settled.
    fn reboot(&mut self, entry: Option<&str>) -> Result<()>;

    /// Shuts down and boots another machine of `lab/machines`: a distribution with the same disk, which is what a screwdriver does,
    /// a fast machine from nothing and with more words for its kernel.
    fn rebuild(&mut self, machine: &str, kernel_args: &[String]) -> Result<()>;

    /// Shuts a distribution down and boots a fast machine with its disk, as a rescue system; the next reboot ends that one.
    fn rescue(&mut self, machine: &str) -> Result<()>;

    /// Runs a program that must succeed, and returns its standard output.
    fn ask(&mut self, argv: &[&str]) -> Result<String> {
        let output = self.run(&Job::new(argv.iter().copied()))?;
        if output.code != 0 {
            bail!("{} ended with {}: {}", argv.join(" "), output.code, output.stderr.trim());
        }
        Ok(output.stdout)
    }
}

/// The machine itself failed, not what is being tested: never a pass and never a fail.
#[derive(Debug)]
pub struct LabFault(pub String);

impl std::fmt::Display for LabFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the laboratory itself failed: {}", self.0)
    }
}

impl std::error::Error for LabFault {}

/// How often a fault of the laboratory itself has the same begin again.
const MORE_TRIES: usize = 2;

/// Does the work, and again from its start where the laboratory itself failed: then it has neither passed nor failed.
pub fn persevere<T>(ui: &Ui, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let mut outcome = work();
    for _ in 0..MORE_TRIES {
        let Err(error) = &outcome else { break };
        if !error.is::<LabFault>() {
            break;
        }
        ui.say(&format!("{error:#}\n          neither passed nor failed: once more from the start"));
        outcome = work();
    }
    outcome
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn only_the_laboratorys_own_faults_get_more_tries_and_not_without_end() {
        let mut goes = 0;
        let came: Result<u32> = persevere(&Ui::new(), || {
            goes += 1;
            if goes < 3 { Err(LabFault("gone".to_owned())).context("step 4") } else { Ok(goes) }
        });
        assert_eq!(came.ok(), Some(3));
        let mut goes = 0;
        assert!(
            persevere::<()>(&Ui::new(), || {
                goes += 1;
                Err(anyhow!("a driver is missing"))
            })
            .is_err()
        );
        assert_eq!(goes, 1, "what is under test failed");
        let mut goes = 0;
        let came: Result<()> = persevere(&Ui::new(), || {
            goes += 1;
            Err(LabFault("gone".to_owned()).into())
        });
        assert!(came.is_err());
        assert_eq!(goes, 1 + MORE_TRIES);
    }
}
