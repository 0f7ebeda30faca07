//! QEMU's own socket: ending a machine, stopping it, saving its state.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A connection past the greeting.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects to a QEMU that was just started.
    pub fn connect(path: &Path, limit: Duration) -> Result<Self> {
        let stream = connect(path, limit)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let mut qmp = Self { reader: BufReader::new(stream) };
        qmp.line().context("no greeting from QEMU")?;
        qmp.call("qmp_capabilities", &Value::Null)?;
        Ok(qmp)
    }

    /// Runs one command; events in between are of no interest here.
    pub fn call(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let mut request = json!({ "execute": command });
        if !arguments.is_null() {
            request["arguments"] = arguments.clone();
        }
        self.reader.get_mut().write_all(format!("{request}\n").as_bytes())?;
        loop {
            let mut answer: Value = serde_json::from_str(&self.line()?)?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                bail!("QEMU refused {command}: {error}");
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("QEMU closed its socket");
        }
        Ok(line)
    }
}

/// Connects as soon as the socket is there.
pub fn connect(path: &Path, limit: Duration) -> Result<UnixStream> {
    let until = Instant::now() + limit;
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > until => {
                return Err(error).with_context(|| format!("cannot connect to {}", path.display()));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(30)),
        }
    }
}
