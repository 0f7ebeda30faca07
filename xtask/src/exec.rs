//! Running programs of the machine we are on: argument vectors, a time limit, and a log of what they said.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A program about to be run.
#[derive(Debug)]
pub struct Run {
    command: Command,
    name: String,
    log: Option<PathBuf>,
    limit: Duration,
}

impl Run {
    /// A run of `program`, found through PATH and the directories of system programs.
    pub fn new(program: &str) -> Self {
        Self {
            command: Command::new(find(program).unwrap_or_else(|| program.into())),
            name: program.to_owned(),
            log: None,
            limit: Duration::from_mins(10),
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the directory to run in.
    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Appends what the program says to this file; without one it is kept only for the error message.
    pub fn log(mut self, path: &Path) -> Self {
        self.log = Some(path.to_owned());
        self
    }

    /// Ends the program after this time.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs to a successful end, or fails with the last lines that the program wrote.
    pub fn go(self) -> Result<()> {
        let name = self.name.clone();
        let (status, said) = self.both()?;
        if !status.success() {
            bail!("{name} ended with {status}; its last lines:\n{}", tail(&said, 25));
        }
        Ok(())
    }

    /// Runs to its end and returns the status with standard output and error together.
    pub fn both(mut self) -> Result<(ExitStatus, String)> {
        // A file and not pipes: nothing can block on it, and a partial log survives a crash of ours.
        let mut sink = match &self.log {
            Some(path) => File::options()
                .create(true)
                .append(true)
                .read(true)
                .open(path)
                .with_context(|| format!("cannot open the log {}", path.display()))?,
            None => tempfile::tempfile()?,
        };
        let from = sink.seek(SeekFrom::End(0))?;
        self.command.stdin(Stdio::null()).stdout(sink.try_clone()?).stderr(sink.try_clone()?);
        let mut child = self.command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let until = Instant::now() + self.limit;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > until {
                child.kill()?;
                child.wait()?;
                bail!("{} took more than {} seconds and was ended", self.name, self.limit.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        };
        sink.seek(SeekFrom::Start(from))?;
        let mut said = Vec::new();
        sink.read_to_end(&mut said)?;
        Ok((status, String::from_utf8_lossy(&said).into_owned()))
    }

    /// Runs to a successful end and returns standard output alone.
    pub fn stdout(mut self) -> Result<String> {
        let out = self
            .command
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", self.name))?;
        if !out.status.success() {
            bail!("{} ended with {}: {}", self.name, out.status, String::from_utf8_lossy(&out.stderr));
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }
}

/// Where a program lies. Debian keeps some of ours in `sbin`, which is not in everybody's PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// The last `count` lines of a text.
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
