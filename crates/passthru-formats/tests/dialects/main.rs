//! Every dialect beside what is known to go wrong with it, and beside the programs that read its files.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "the tests ask the programs that read the files, read real files and say what they skip"
)]

mod command_line;
mod corpora;
mod initramfs;
mod programs;

use passthru_formats::cmdline::{Change, Parameter};

fn parameter(text: &str) -> Parameter {
    Parameter::new(text).expect("one parameter")
}

fn add(text: &str) -> Change {
    Change::Add(parameter(text))
}

fn remove(text: &str) -> Change {
    Change::Remove(parameter(text))
}

fn replace(old: &str, new: &str) -> Change {
    Change::Replace { old: parameter(old), new: parameter(new) }
}
