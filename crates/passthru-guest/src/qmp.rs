//! A client of QEMU's machine protocol (`docs/interop/qmp-spec.rst`): one connection, one command at a time, and a time
//! limit on every wait.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::{Value, json};

/// The longest message taken; `query-pci` of a full machine has some tens of thousands of bytes.
const LONGEST_MESSAGE: usize = 16 << 20;

/// How many events are kept for the caller; older ones are forgotten first.
const KEPT_EVENTS: usize = 256;

/// What went wrong between us and QEMU.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// No connection.
    #[error("QEMU's control socket does not answer")]
    Connect(#[source] io::Error),
    /// The connection broke.
    #[error("the connection to QEMU broke")]
    Io(#[source] io::Error),
    /// QEMU closed it.
    #[error("QEMU closed the connection")]
    Closed,
    /// No answer in time.
    #[error("QEMU did not answer {waiting_for} within {} seconds", limit.as_secs())]
    Timeout {
        /// What was waited for.
        waiting_for: String,
        /// How long.
        limit: Duration,
    },
    /// Something that is not the protocol.
    #[error("QEMU's control socket said something that is not its protocol: {0}")]
    Malformed(String),
    /// QEMU refused a command.
    #[error("QEMU refused {command}: {description}")]
    Refused {
        /// The command.
        command: String,
        /// QEMU's words.
        description: String,
    },
}

/// A connection in command mode.
#[derive(Debug)]
pub struct Qmp {
    stream: UnixStream,
    buffer: Vec<u8>,
    next_id: u64,
    events: VecDeque<Value>,
}

impl Qmp {
    /// Connects, reads the greeting and negotiates capabilities.
    pub fn connect(socket: &Path, limit: Duration) -> Result<Self, QmpError> {
        let stream = open(socket).map_err(QmpError::Connect)?;
        let mut qmp = Self { stream, buffer: Vec::new(), next_id: 0, events: VecDeque::new() };
        let greeting = qmp.message("with its greeting", Instant::now() + limit, limit)?;
        if greeting.get("QMP").is_none() {
            return Err(QmpError::Malformed(shortened(&greeting.to_string())));
        }
        qmp.execute("qmp_capabilities", None, limit)?;
        Ok(qmp)
    }

    /// Runs one command and returns what it returns.
    pub fn execute(
        &mut self,
        command: &str,
        arguments: Option<Value>,
        limit: Duration,
    ) -> Result<Value, QmpError> {
        self.next_id += 1;
        let mut request = json!({ "execute": command, "id": self.next_id });
        if let Some(arguments) = arguments {
            request["arguments"] = arguments;
        }
        let deadline = Instant::now() + limit;
        self.stream.set_write_timeout(Some(limit)).map_err(QmpError::Io)?;
        self.stream.write_all(format!("{request}\n").as_bytes()).map_err(broken)?;
        loop {
            let mut answer = self.message(command, deadline, limit)?;
            if answer.get("event").is_some() {
                self.keep(answer);
            } else if answer["id"] != json!(self.next_id) {
                // The late answer to a command that was given up on.
            } else if let Some(error) = answer.get("error") {
                let description = error["desc"].as_str().unwrap_or("no reason given").to_owned();
                return Err(QmpError::Refused { command: command.to_owned(), description });
            } else {
                return Ok(answer["return"].take());
            }
        }
    }

    /// The events that came in so far, oldest first.
    pub fn take_events(&mut self) -> Vec<Value> {
        self.events.drain(..).collect()
    }

    /// Whether QEMU runs, as `query-status` has it: `running`, `paused`, `prelaunch`, …
    pub fn status(&mut self, limit: Duration) -> Result<String, QmpError> {
        let answer = self.execute("query-status", None, limit)?;
        let status = answer["status"].as_str().map(str::to_owned);
        status.ok_or_else(|| QmpError::Malformed(shortened(&answer.to_string())))
    }

    /// Lets the guest run, and says how it is then, as [`Qmp::status`] does.
    ///
    /// QEMU reads commands a byte in each round of its main loop (`monitor_can_read`, `monitor/monitor.c`), which a guest that runs
    /// holds up. So it is asked only where it has not told by itself (the events `RESUME` and `STOP`).
    pub fn resume(&mut self, limit: Duration) -> Result<String, QmpError> {
        self.execute("cont", None, limit)?;
        let told = self.events.iter().filter_map(|event| event["event"].as_str());
        match told.rev().find(|name| matches!(*name, "RESUME" | "STOP")) {
            Some("RESUME") => Ok("running".to_owned()),
            _ => self.status(limit),
        }
    }

    fn keep(&mut self, event: Value) {
        if self.events.len() == KEPT_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// The next message, one line of JSON.
    fn message(&mut self, waiting_for: &str, deadline: Instant, limit: Duration) -> Result<Value, QmpError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return serde_json::from_slice(&line)
                    .map_err(|_| QmpError::Malformed(shortened(&String::from_utf8_lossy(&line))));
            }
            if self.buffer.len() > LONGEST_MESSAGE {
                return Err(QmpError::Malformed("a message without an end".to_owned()));
            }
            let timeout = || QmpError::Timeout { waiting_for: waiting_for.to_owned(), limit };
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
            self.stream.set_read_timeout(Some(left.ok_or_else(timeout)?)).map_err(QmpError::Io)?;
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(QmpError::Closed),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Err(timeout());
                }
                Err(error) => return Err(broken(error)),
            }
        }
    }
}

/// Connects without waiting: a socket whose queue is full would otherwise hold us for ever.
fn open(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn broken(error: io::Error) -> QmpError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => QmpError::Closed,
        _ => QmpError::Io(error),
    }
}

/// The beginning of a text, for a message.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use super::{Qmp, QmpError};
    use serde_json::json;

    const LIMIT: Duration = Duration::from_millis(300);

    /// Serves one connection: the greeting, then for each line that comes in the next of these answers.
    fn served(answers: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("qmp");
        let listener = UnixListener::bind(&path).expect("a socket");
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
            stream.write_all(b"{\"QMP\": {\"version\": {}}}\r\n").expect("written");
            for answer in answers {
                if lines.next().is_none() || stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
            while lines.next().is_some() {}
        });
        (directory, path)
    }

    #[test]
    fn events_between_a_command_and_its_answer_are_kept_and_not_mistaken_for_it() {
        let (_directory, path) = served(&[
            "{\"return\": {}, \"id\": 1}\n",
            "{\"event\": \"RESUME\"}\n{\"return\": \"late\", \"id\": 1}\n{\"return\": {\"status\": \"running\"}, \"id\": 2}\n",
        ]);
        let mut qmp = Qmp::connect(&path, LIMIT).expect("connected");
        assert_eq!(qmp.status(LIMIT).expect("a status"), "running");
        assert_eq!(qmp.take_events(), [json!({ "event": "RESUME" })]);
    }

    #[test]
    fn a_guest_that_goes_on_is_asked_how_it_is_only_where_qemu_has_not_told() {
        let (_directory, path) = served(&[
            "{\"return\": {}, \"id\": 1}\n",
            "{\"event\": \"RESUME\"}\n{\"return\": {}, \"id\": 2}\n",
            "{\"event\": \"STOP\"}\n{\"return\": {}, \"id\": 3}\n",
            "{\"return\": {\"status\": \"io-error\"}, \"id\": 4}\n",
        ]);
        let mut qmp = Qmp::connect(&path, LIMIT).expect("connected");
        assert_eq!(qmp.resume(LIMIT).expect("goes on"), "running");
        assert_eq!(qmp.resume(LIMIT).expect("stops again"), "io-error");
    }

    #[test]
    fn silence_is_an_error_after_the_time_limit_and_an_end_at_once() {
        let (_directory, path) = served(&["{\"return\": {}, \"id\": 1}\n", ""]);
        let mut qmp = Qmp::connect(&path, LIMIT).expect("connected");
        assert!(matches!(qmp.status(LIMIT), Err(QmpError::Timeout { .. })));
        let missing = path.with_file_name("nobody");
        assert!(matches!(Qmp::connect(&missing, LIMIT), Err(QmpError::Connect(_))));
    }

    #[test]
    fn refusals_carry_the_words_of_qemu_and_nonsense_is_named() {
        let (_directory, path) = served(&[
            "{\"return\": {}, \"id\": 1}\n",
            "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no such command\"}, \"id\": 2}\n",
            "what?\u{1b}[2J\n",
        ]);
        let mut qmp = Qmp::connect(&path, LIMIT).expect("connected");
        let refused = qmp.execute("x", None, LIMIT).expect_err("refused").to_string();
        assert_eq!(refused, "QEMU refused x: no such command");
        let nonsense = qmp.execute("y", None, LIMIT).expect_err("nonsense").to_string();
        assert!(nonsense.ends_with("what?[2J"), "{nonsense:?}");
    }
}
