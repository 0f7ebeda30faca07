//! `topology` on machines of many kinds: made by hand, and real ones.

mod corpora;
mod guests;
mod handmade;
mod hostile;
mod made;
mod usb;

#[path = "../../../passthru-guest/tests/backends/said.rs"]
mod said;

#[path = "../../../passthru-plan/tests/it/sound.rs"]
mod sound;

use std::path::Path;
use std::process::{Command, Stdio};

/// What the program prints of a host.
fn passthru(host: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_passthru"))
        .arg("--host")
        .arg(host)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8") + &String::from_utf8_lossy(&output.stderr);
    let is_for_people = !arguments.contains(&"--json");
    for line in text.lines().filter(|_| is_for_people) {
        assert!(line.chars().count() <= 100, "wider than 100 columns: {line}");
    }
    text
}
