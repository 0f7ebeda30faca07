//! On a directory that stands for a function's, and with scripts that stand for the child.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{OFF, RomReadError, RomReader, read_here};

/// A function's directory with a ROM and power management.
fn function() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("power")).expect("makes it");
    std::fs::write(directory.path().join("power/control"), "auto\n").expect("writes");
    std::fs::write(directory.path().join("rom"), "").expect("writes");
    directory
}

fn text(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join(name)).expect("reads")
}

/// Reads with a shell for a child: what should be the function's directory is its script.
fn read_by(place: &Path, script: &str, limit: Duration) -> Result<Vec<u8>, RomReadError> {
    let file = place.join("script");
    std::fs::write(&file, script).expect("writes");
    RomReader { helper: PathBuf::from("/bin/sh"), limit }.read(&file)
}

#[test]
fn the_rom_is_switched_on_and_off_with_what_the_kernel_takes_for_it_and_power_management_is_put_back() {
    let function = function();
    // A plain file keeps the longer of what is written to its begin: the line that switches off stands last.
    let read = read_here(function.path()).expect("reads");
    assert_eq!(read, b"1\n");
    assert_eq!(text(function.path(), "rom").as_bytes(), OFF);
    assert_eq!(text(function.path(), "power/control"), "auto");
}

#[test]
fn a_rom_that_cannot_be_read_is_an_error_and_power_management_is_put_back_all_the_same() {
    let function = function();
    std::fs::remove_file(function.path().join("rom")).expect("removes");
    assert!(read_here(function.path()).is_err());
    std::fs::create_dir(function.path().join("rom")).expect("makes it");
    assert!(read_here(function.path()).is_err());
    assert_eq!(text(function.path(), "power/control"), "auto");
}

#[test]
fn a_device_that_is_kept_awake_by_somebody_else_stays_so() {
    let function = function();
    std::fs::write(function.path().join("power/control"), "on\n").expect("writes");
    read_here(function.path()).expect("reads");
    assert_eq!(text(function.path(), "power/control"), "on\n");
}

#[test]
fn the_childs_answer_is_the_rom_or_its_message() {
    let place = tempfile::tempdir().expect("a directory");
    let read = |script: &str| read_by(place.path(), script, Duration::from_secs(20));
    assert_eq!(read("printf 'R\\125\\252'").expect("a ROM"), [0x55, 0xaa]);
    assert!(matches!(read("printf Eno"), Err(RomReadError::Refused(why)) if why == "no"));
    assert!(matches!(read("exit 1"), Err(RomReadError::NoAnswer)));
    let missing = RomReader { helper: place.path().join("missing"), ..RomReader::default() };
    assert!(matches!(missing.read(Path::new("/x")), Err(RomReadError::NotStarted(_))));
}

#[test]
fn a_device_that_hangs_is_reported_in_time_and_its_reader_left_alone() {
    let place = tempfile::tempdir().expect("a directory");
    let done = place.path().join("done");
    let script = format!("sleep 1; touch {}", done.display());
    let limit = Duration::from_millis(100);
    let started = Instant::now();
    let answer = read_by(place.path(), &script, limit);
    assert!(matches!(answer, Err(RomReadError::TimedOut(_))), "{answer:?}");
    assert!(started.elapsed() < Duration::from_millis(900));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done.exists() {
        assert!(Instant::now() < deadline, "the child was killed before it could switch the ROM off");
        std::thread::sleep(Duration::from_millis(50));
    }
}
