//! The guest agent: how commands get into a lab host and their output out of it. No network, no terminal.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::qmp;
use crate::target::{Job, LabFault, Output};

/// What every command in the lab host finds in its environment; the agent's own is nearly empty.
const ENVIRONMENT: &[&str] = &[
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "USER=root",
    "LANG=C.UTF-8",
    "TERM=dumb",
    "COLUMNS=110",
];

/// A connection to the agent's port. It outlives reboots of the guest.
#[derive(Debug)]
pub struct Agent {
    stream: UnixStream,
    pending: Vec<u8>,
    serial: u64,
}

impl Agent {
    /// Connects to the port; the agent behind it may not be there yet.
    pub fn connect(path: &Path) -> Result<Self> {
        let stream = qmp::connect(path, Duration::from_secs(20))?;
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        Ok(Self { stream, pending: Vec::new(), serial: u64::from(std::process::id()) << 20 })
    }

    /// Whether the agent answers within `limit`; throws away whatever an earlier boot still had to say.
    pub fn answers(&mut self, limit: Duration) -> Result<bool> {
        self.serial += 1;
        let request = json!({"execute": "guest-sync-delimited", "arguments": {"id": self.serial}});
        // The byte 0xff ends whatever half a request the agent may be holding.
        let mut bytes = vec![0xff];
        bytes.extend_from_slice(format!("{request}\n").as_bytes());
        self.write(&bytes)?;
        let until = Instant::now() + limit;
        while let Some(line) = self.line(until)? {
            let answer: Value = serde_json::from_str(&line).unwrap_or_default();
            if answer["return"].as_u64() == Some(self.serial) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Runs one command of the agent.
    pub fn call(&mut self, command: &str, arguments: &Value, limit: Duration) -> Result<Value> {
        let request = json!({"execute": command, "arguments": arguments});
        self.write(format!("{request}\n").as_bytes())?;
        let line = self.line(Instant::now() + limit)?.ok_or_else(|| silence(command, limit))?;
        let mut answer: Value =
            serde_json::from_str(&line).with_context(|| format!("agent said {line:?}"))?;
        match answer.get_mut("return") {
            Some(value) => Ok(value.take()),
            None => bail!("the guest agent refused {command}: {}", answer["error"]["desc"]),
        }
    }

    /// Starts a program in the guest and returns its process id.
    pub fn start(&mut self, job: &Job) -> Result<u64> {
        // `timeout` ends what the agent itself has no means to end.
        let limit = job.limit.as_secs().to_string();
        let mut arguments = vec!["-k", "10", &limit];
        arguments.extend(job.argv.iter().map(String::as_str));
        let mut request = json!({
            "path": "/usr/bin/timeout", "arg": arguments, "env": ENVIRONMENT, "capture-output": true
        });
        if let Some(input) = &job.input {
            request["input-data"] = BASE64.encode(input).into();
        }
        let started = self.call("guest-exec", &request, Duration::from_mins(1))?;
        started["pid"].as_u64().context("guest-exec gave no process id")
    }

    /// Runs a program in the guest to its end.
    pub fn run(&mut self, job: &Job) -> Result<Output> {
        let begun = Instant::now();
        let pid = self.start(job)?;
        let until = begun + job.limit + Duration::from_mins(1);
        let mut pause = Duration::from_millis(40);
        loop {
            let status = self.call("guest-exec-status", &json!({ "pid": pid }), Duration::from_mins(1))?;
            if status["exited"].as_bool() == Some(true) {
                return finished(&status, begun.elapsed());
            }
            if Instant::now() > until {
                bail!("{} is still running after its time limit", job.argv.join(" "));
            }
            // An emulated guest pays for every question: ask less often the longer it takes.
            thread::sleep(pause);
            pause = (pause * 3 / 2).min(Duration::from_secs(1));
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("the guest agent's port is closed")
    }

    /// The next line, or nothing by the deadline.
    fn line(&mut self, until: Instant) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                let from = line.iter().rposition(|byte| *byte == 0xff).map_or(0, |at| at + 1);
                return Ok(Some(String::from_utf8_lossy(&line[from..]).into_owned()));
            }
            let mut chunk = [0; 8192];
            match self.stream.read(&mut chunk) {
                Ok(0) => bail!("QEMU closed the guest agent's port"),
                Ok(count) => self.pending.extend_from_slice(&chunk[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if Instant::now() > until {
                        return Ok(None);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("reading the guest agent's port"),
            }
        }
    }
}

/// An agent that says nothing at all: the machine stands still or is starved, whatever runs in it, for a program that takes
/// long does not keep the agent from saying so.
fn silence(command: &str, limit: Duration) -> LabFault {
    LabFault(format!("the guest agent did not answer {command} within {}s", limit.as_secs()))
}

fn finished(status: &Value, took: Duration) -> Result<Output> {
    let text = |field: &str| -> Result<String> {
        let bytes = BASE64.decode(status[field].as_str().unwrap_or_default())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    if status["out-truncated"].as_bool() == Some(true) {
        bail!("the guest agent cut the output off: let the command write to a file");
    }
    // A signal is reported apart; shells show it as 128 plus its number, and so do we.
    let code = match (status["exitcode"].as_i64(), status["signal"].as_i64()) {
        (Some(code), _) => code,
        (None, signal) => 128 + signal.unwrap_or(0),
    };
    Ok(Output { code: i32::try_from(code)?, stdout: text("out-data")?, stderr: text("err-data")?, took })
}
