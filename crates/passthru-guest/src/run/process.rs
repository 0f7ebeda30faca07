//! Knowing our own QEMU again: a process id alone may be anybody's by now, so its start time is compared too.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};

/// Which process a guest is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its id.
    pub(crate) pid: i32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub(crate) start_time: u64,
    /// Which boot that was.
    pub(crate) boot_id: String,
}

/// A process that is ours, held by a descriptor: its id cannot become another's meanwhile.
#[derive(Debug)]
pub(crate) struct Process {
    fd: OwnedFd,
}

impl Record {
    /// The process that runs this code; what it turns into by `exec` keeps id and start time.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let start_time = start_time(pid).ok_or_else(|| io::Error::other("/proc/PID/stat cannot be read"))?;
        Ok(Self { pid, start_time, boot_id: boot_id()? })
    }

    /// A process by its id; `None`: there is none.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Some(Self { pid, start_time: start_time(pid)?, boot_id: boot_id().ok()? })
    }

    /// Reads a record; `None`: there is none.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        write_whole(path, self)
    }

    /// The process, if it still is the one that was written down.
    pub(crate) fn process(&self) -> io::Result<Option<Process>> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        if boot_id()? != self.boot_id {
            return Ok(None);
        }
        let fd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            // The second: it has ended, and its id stays that of a group or session in which others live (`pidfd_open`, kernel/pid.c).
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Looked at after the descriptor was opened: what it holds is what is compared.
        Ok((start_time(self.pid) == Some(self.start_time)).then_some(Process { fd }))
    }
}

impl Process {
    /// The process of a program that writes its id down itself, with that, if it still is the one that was started with this argument.
    pub(crate) fn of_pid_file(path: &Path, argument: &str) -> Option<(i32, Self)> {
        let pid: i32 = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
        let fd = rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        words.split(|byte| *byte == 0).any(|word| word == argument.as_bytes()).then_some((pid, Self { fd }))
    }

    /// Waits for its end; false: it still runs.
    pub(crate) fn ended_within(&self, limit: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Ends it without asking.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match rustix::process::pidfd_send_signal(&self.fd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Writes a value as JSON, whole or not at all, for its owner alone.
pub(super) fn write_whole(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&mut file, value)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// When a process started; `None`: there is none, or only its remains.
fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&String::from_utf8_lossy(&stat))
}

/// The state is field 3 and the start time field 22; the name, field 2, may hold spaces and parentheses (proc(5)).
fn parse_stat(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::CommandExt as _;
    use std::time::Duration;

    use rustix::process::{Pid, Signal};

    use super::{Record, parse_stat};
    use proptest::prelude::*;

    #[test]
    fn this_process_is_known_again_and_one_that_started_at_another_time_is_not() {
        let record = Record::of_this_process().expect("a record");
        let process = record.process().expect("looked at").expect("running");
        assert!(!process.ended_within(Duration::ZERO).expect("waited"));
        let other = Record { start_time: record.start_time + 1, ..record.clone() };
        assert!(other.process().expect("looked at").is_none());
        let other = Record { boot_id: "another boot".to_owned(), ..record };
        assert!(other.process().expect("looked at").is_none());
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) Z (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(parse_stat(stat), Some(4242));
        assert_eq!(parse_stat(&stat.replace(" S ", " Z ")), None);
    }

    proptest! {
        #[test]
        fn any_stat_is_an_answer_and_never_a_panic(text in ".{0,100}") {
            let _ = parse_stat(&text);
        }
    }

    #[test]
    fn a_process_whose_group_outlives_it_has_ended() {
        let mut leader = std::process::Command::new("sh")
            .args(["-c", "read line; sleep 600 & echo $!"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("sh");
        let record = Record::of(i32::try_from(leader.id()).expect("an id")).expect("it runs");
        drop(leader.stdin.take());
        let mut said = String::new();
        BufReader::new(leader.stdout.take().expect("a pipe")).read_line(&mut said).expect("an id");
        leader.wait().expect("its end");
        let found = record.process().map(|process| process.is_some());
        let member = Pid::from_raw(said.trim().parse().expect("an id")).expect("an id");
        rustix::process::kill_process(member, Signal::KILL).expect("killed");
        assert!(matches!(found, Ok(false)), "{found:?}");
    }
}
