//! With a shell that stands for the child, and a FIFO that stands for an attribute whose driver does not let go.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{AttributeFailure, AttributeWriter, write_here};

/// Writes with a shell for a child: what should be the attribute is its script, and the text its first argument.
fn write_by(place: &Path, script: &str, limit: Duration) -> Result<(), AttributeFailure> {
    let file = place.join("script");
    std::fs::write(&file, script).expect("writes");
    let writer = AttributeWriter { helper: PathBuf::from("/bin/sh"), limit };
    writer.write(file.to_str().expect("UTF-8"), "0000:02:00.0")
}

#[test]
fn a_text_is_written_with_its_lines_end_and_what_is_not_there_is_not_made() {
    let place = tempfile::tempdir().expect("a directory");
    let attribute = place.path().join("driver_override");
    assert!(write_here(&attribute, "vfio-pci").is_err());
    assert!(!attribute.exists());
    std::fs::write(&attribute, "").expect("writes");
    write_here(&attribute, "").expect("writes");
    assert_eq!(std::fs::read(&attribute).expect("reads"), b"\n");
}

#[test]
fn the_childs_answer_is_a_word_or_the_kernels() {
    let place = tempfile::tempdir().expect("a directory");
    let write = |script: &str| write_by(place.path(), script, Duration::from_secs(20));
    assert_eq!(write("test \"$1\" = 0000:02:00.0 && printf R"), Ok(()));
    let refused = |answer| match answer {
        Err(AttributeFailure::Refused { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(write("printf 'ENo such device (os error 19)'")), "No such device (os error 19)");
    assert_eq!(refused(write("exit 1")), "the writer ended without an answer");
    let missing = AttributeWriter { helper: place.path().join("missing"), ..AttributeWriter::default() };
    assert!(refused(missing.write("/x", "1")).starts_with("the writer could not be started"));
}

#[test]
fn a_write_that_hangs_is_reported_at_the_limit_and_its_writer_is_left_alone() {
    let place = tempfile::tempdir().expect("a directory");
    let (fifo, done) = (place.path().join("unbind"), place.path().join("done"));
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("makes a FIFO");
    // To open it waits for a reader, and there is none.
    let script = format!("echo \"$1\" > '{}'; touch '{}'; printf R", fifo.display(), done.display());
    let limit = Duration::from_millis(200);
    let started = Instant::now();
    let answer = write_by(place.path(), &script, limit);
    assert!(
        matches!(&answer, Err(AttributeFailure::Hung { limit: waited, .. }) if *waited == limit),
        "{answer:?}"
    );
    assert!(started.elapsed() >= limit && started.elapsed() < Duration::from_secs(10));
    assert!(!done.exists());
    assert_eq!(std::fs::read_to_string(&fifo).expect("the writer is still there"), "0000:02:00.0\n");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done.exists() {
        assert!(Instant::now() < deadline, "the writer was killed");
        std::thread::sleep(Duration::from_millis(20));
    }
}
