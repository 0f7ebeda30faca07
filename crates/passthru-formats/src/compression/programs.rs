//! The programs that make what is unpacked here, for tests.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// The programs that pack what is unpacked here, with what makes them write to a pipe.
pub(crate) const PROGRAMS: [(&str, &[&str]); 6] = [
    ("gzip", &["-c"]),
    ("bzip2", &["-c"]),
    ("zstd", &["-q", "-c"]),
    ("xz", &["-c"]),
    ("lzma", &["-c"]),
    ("lz4", &["-q", "-l", "-c"]),
];

/// What a program makes of bytes; `None` where it is not installed.
pub(crate) fn packed(program: &str, arguments: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take().expect("a pipe");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().expect("ended");
    writer.join().expect("joined").expect("taken");
    output.status.success().then_some(output.stdout)
}
