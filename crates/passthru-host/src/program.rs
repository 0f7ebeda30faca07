//! The programs that passthru runs: by argument vector, from fixed directories, in a clean environment, never for ever.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use passthru_model::program::{Program, command_line};

use crate::inside;

/// Where programs are looked up, in this order; `PATH` of the caller plays no part.
pub const DIRECTORIES: &[&str] =
    &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Of each stream this many bytes are kept, the last ones: enough for every message, and no program can fill memory.
const MOST_KEPT: usize = 8 * 1024 * 1024;
/// Lines of standard error in a message.
const TAIL: usize = 12;

/// Which stream a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What a program left behind that ended with success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its standard output; of more than eight mebibytes, the end.
    pub stdout: Vec<u8>,
    /// Its standard error, likewise.
    pub stderr: Vec<u8>,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is in none of the directories.
    #[error("{name} is not installed; Debian has it in the package {package}")]
    NotFound {
        /// The program.
        name: &'static str,
        /// The package that carries it.
        package: &'static str,
    },
    /// It could not be started.
    #[error("{command} could not be started: {source}")]
    CouldNotRun {
        /// The command line.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// It took too long and was killed, with what it had started.
    #[error("{command} took longer than {} seconds and was killed", limit.as_secs())]
    TimedOut {
        /// The command line.
        command: String,
        /// The time it had.
        limit: Duration,
    },
    /// It ended with an error.
    #[error("{command} failed ({status}){}", tail_clause(stderr))]
    Failed {
        /// The command line.
        command: String,
        /// How it ended: `exit status: 1`, `signal: 9 (SIGKILL)`.
        status: String,
        /// The last lines of its standard error.
        stderr: String,
    },
}

fn tail_clause(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(":\n{stderr}") }
}

/// Where a program is.
pub fn find(program: Program) -> Result<String, ProgramError> {
    let name = program.file_name();
    named(name).ok_or(ProgramError::NotFound { name, package: program.debian_package() })
}

/// The path of a program by its file's name, below the root of this process.
pub(crate) fn named(name: &str) -> Option<String> {
    paths(name).find(|path| is_executable(path))
}

/// Where a program of this name may be, in the order in which it is looked for.
pub(crate) fn paths(name: &str) -> impl Iterator<Item = String> {
    DIRECTORIES.iter().map(move |directory| format!("{directory}/{name}"))
}

fn is_executable(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Runs a program to its end, at most for `limit`. `seen` is told each line as it comes.
///
/// The environment holds `PATH` and `LC_ALL=C` and nothing else, the standard input is empty, the directory is `/`.
pub fn run(
    program: Program,
    arguments: &[String],
    limit: Duration,
    seen: &mut dyn FnMut(Stream, &str),
) -> Result<Output, ProgramError> {
    run_path(&find(program)?, arguments, limit, seen)
}

/// The same inside the system whose root is another directory: there the program is looked up, and there it runs, with this
/// system's `/dev`, `/proc`, `/sys` and `/run` lent to it and to nobody else. Takes root, and Linux 5.2.
pub fn run_inside(
    root: &Path,
    program: Program,
    arguments: &[String],
    limit: Duration,
    seen: &mut dyn FnMut(Stream, &str),
) -> Result<Output, ProgramError> {
    let shown = format!("{} in {}", program.command_line(arguments), root.display());
    watch(&mut inside::command(root, program.file_name(), arguments), shown, limit, seen)
}

fn run_path(
    path: &str,
    arguments: &[String],
    limit: Duration,
    seen: &mut dyn FnMut(Stream, &str),
) -> Result<Output, ProgramError> {
    watch(Command::new(path).args(arguments), command_line(path, arguments), limit, seen)
}

/// How long nothing may come any more of a program that has ended and left its output open to another one.
const SILENCE: Duration = Duration::from_secs(1);

/// Starts a command, which is called `command` in messages, and waits for its end.
fn watch(
    start: &mut Command,
    command: String,
    limit: Duration,
    seen: &mut dyn FnMut(Stream, &str),
) -> Result<Output, ProgramError> {
    let end = Instant::now() + limit;
    let start = start
        .env_clear()
        .env("PATH", DIRECTORIES.join(":"))
        .env("LC_ALL", "C")
        .current_dir(Path::new("/"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what it starts can be ended with it.
        .process_group(0)
        .spawn();
    let mut child = match start {
        Ok(child) => child,
        Err(source) => return Err(ProgramError::CouldNotRun { command, source }),
    };
    let (sender, lines) = mpsc::sync_channel(256);
    let pipes: [(Stream, Option<Box<dyn Read + Send>>); 2] = [
        (Stream::Out, child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
        (Stream::Err, child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
    ];
    for (stream, pipe) in pipes {
        let (Some(pipe), sender) = (pipe, sender.clone()) else { continue };
        thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            loop {
                let mut line = Vec::new();
                // A line without an end is cut, so that it cannot fill memory.
                match reader.by_ref().take(64 * 1024).read_until(b'\n', &mut line) {
                    Ok(1..) if sender.send((stream, line)).is_ok() => {}
                    _ => break,
                }
            }
        });
    }
    drop(sender);
    let mut output = Output::default();
    let status = loop {
        let now = Instant::now();
        // The wait is short, for a program may end and leave its output open to one that it started.
        match lines.recv_timeout(end.saturating_duration_since(now).min(Duration::from_millis(50))) {
            Ok((stream, line)) if now < end => take(&mut output, stream, &line, seen),
            Err(RecvTimeoutError::Timeout) if now < end => {
                if let Ok(Some(status)) = child.try_wait() {
                    // On a busy machine its last lines may still be with the threads that read them.
                    while Instant::now() < end
                        && let Ok((stream, line)) = lines.recv_timeout(SILENCE)
                    {
                        take(&mut output, stream, &line, seen);
                    }
                    break status;
                }
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {
                end_group(&mut child);
                return Err(ProgramError::TimedOut { command, limit });
            }
            Err(RecvTimeoutError::Disconnected) => match child.try_wait() {
                Ok(Some(status)) => break status,
                // It has closed its output and goes on.
                Ok(None) if now < end => thread::sleep(Duration::from_millis(2)),
                Ok(None) => {
                    end_group(&mut child);
                    return Err(ProgramError::TimedOut { command, limit });
                }
                Err(source) => return Err(ProgramError::CouldNotRun { command, source }),
            },
        }
    };
    if status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let all: Vec<&str> = text.lines().collect();
    let stderr = all.get(all.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n");
    Err(ProgramError::Failed { command, status: status.to_string(), stderr })
}

fn take(output: &mut Output, stream: Stream, line: &[u8], seen: &mut dyn FnMut(Stream, &str)) {
    seen(stream, String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']));
    let kept = match stream {
        Stream::Out => &mut output.stdout,
        Stream::Err => &mut output.stderr,
    };
    kept.extend_from_slice(line);
    if kept.len() > MOST_KEPT {
        kept.drain(..kept.len() - MOST_KEPT / 2);
    }
}

/// Kills a child of ours and all of its group, and waits for it a moment: one in an uninterruptible sleep never ends.
fn end_group(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // Fails only where the group has ended already.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    for _ in 0..100 {
        match child.try_wait() {
            Ok(None) => thread::sleep(Duration::from_millis(10)),
            _ => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ProgramError, Stream, command_line, run_path};
    use std::time::{Duration, Instant};

    fn shell(script: &str, limit: Duration) -> (Result<super::Output, ProgramError>, Vec<(Stream, String)>) {
        let mut lines = Vec::new();
        let arguments = ["-c".to_owned(), script.to_owned()];
        let result =
            run_path("/bin/sh", &arguments, limit, &mut |stream, line| lines.push((stream, line.to_owned())));
        (result, lines)
    }

    #[test]
    fn the_environment_is_clean_and_the_input_empty() {
        let (result, lines) =
            shell("cat; echo \"$LC_ALL ${HOME-none} $PWD\"; echo two >&2", Duration::from_secs(10));
        assert_eq!(result.expect("runs").stdout, b"C none /\n");
        assert!(lines.contains(&(Stream::Err, "two".to_owned())), "{lines:?}");
    }

    #[test]
    fn a_failure_names_the_command_and_the_last_words() {
        let (result, _) = shell("echo why >&2; exit 3", Duration::from_secs(10));
        let text = result.expect_err("fails").to_string();
        assert_eq!(text, "/bin/sh -c 'echo why >&2; exit 3' failed (exit status: 3):\nwhy");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_started() {
        let begin = Instant::now();
        let (result, _) = shell("sleep 60 & sleep 60", Duration::from_millis(200));
        assert!(matches!(result, Err(ProgramError::TimedOut { .. })), "{result:?}");
        assert!(begin.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_talks_without_end_is_killed_too() {
        let (result, lines) = shell("while :; do echo more; done", Duration::from_millis(200));
        assert!(matches!(result, Err(ProgramError::TimedOut { .. })) && !lines.is_empty());
    }

    #[test]
    fn a_program_that_closes_its_output_and_hangs_is_killed_too() {
        let (result, _) = shell("exec >&- 2>&-; sleep 60", Duration::from_millis(200));
        assert!(matches!(result, Err(ProgramError::TimedOut { .. })), "{result:?}");
    }

    #[test]
    fn one_left_behind_in_the_background_is_not_waited_for() {
        let begin = Instant::now();
        let (result, _) = shell("sleep 5 & echo done", Duration::from_secs(30));
        assert_eq!(result.expect("runs").stdout, b"done\n");
        assert!(begin.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn what_is_not_there_could_not_be_run() {
        let result = run_path("/nowhere/x", &[], Duration::from_secs(1), &mut |_, _| {});
        assert!(matches!(result, Err(ProgramError::CouldNotRun { .. })), "{result:?}");
        assert_eq!(command_line("/bin/a", &["it's".to_owned(), String::new()]), "/bin/a 'it'\\''s' ''");
    }
}
