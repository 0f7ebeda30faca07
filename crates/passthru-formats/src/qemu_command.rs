//! The command line of QEMU (`qemu-options.hx`), as scripts have it, and as libvirt's logs do.

mod domain;
mod edit;
mod wiring;

use std::ops::Range;

pub use domain::CommandDomain;
pub use edit::{CommandEdit, edited};

use crate::shell::{self, CommandWord, ShellError};

/// Why a text has no command of QEMU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QemuCommandError {
    /// No shell could read it.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// It starts something else, or nothing.
    #[error("it starts no qemu-system-x86_64")]
    NoCommand,
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QemuCommand {
    /// The program, as it is written.
    pub program: String,
    /// The line of the program, from 1.
    pub line: usize,
    /// Its options, in order.
    pub options: Vec<QemuOption>,
    /// What the script sets in QEMU's environment for sound, as was done before QEMU 8.2.
    pub environment: Vec<EnvironmentVariable>,
}

/// A variable that is set for QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentVariable {
    /// Its name.
    pub name: String,
    /// Its value, as it is written.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QemuOption {
    /// Its name without dashes; nothing for a disk that is named without an option.
    pub name: String,
    /// Its value, where it has one; shell code where only a running shell could tell it.
    pub value: Option<Result<String, String>>,
    /// The line of its name, from 1.
    pub line: usize,
    /// Where it stands in the text, name and value.
    pub places: Vec<Range<usize>>,
}

impl QemuOption {
    /// The value, where it is known.
    pub fn known(&self) -> Option<&str> {
        self.value.as_ref()?.as_deref().ok()
    }

    /// Its properties; the first may be named by its value alone, and is `implied` then.
    pub fn properties(&self, implied: &str) -> Properties {
        Properties::parse(self.known().unwrap_or_default(), implied)
    }

    /// One property of it, with what it belongs to.
    pub fn words_of(&self, name: &str, value: &str) -> String {
        let first = self.known().unwrap_or_default().split(',').next().unwrap_or_default();
        if first.starts_with('{') {
            let driver = self.properties("driver").get("driver").unwrap_or_default().to_owned();
            return format!("{driver}: {name}={value}");
        }
        format!("{first}: {name}={value}")
    }

    /// It as it is written, but for quotes.
    pub fn words(&self) -> String {
        let dash = if self.name.is_empty() { "" } else { "-" };
        match &self.value {
            None => format!("{dash}{}", self.name),
            Some(Ok(value) | Err(value)) => format!("{dash}{} {value}", self.name).trim_start().to_owned(),
        }
    }
}

/// Options that are followed by no value, of those that people use.
const BARE: [&str; 21] = [
    "enable-kvm",
    "no-acpi",
    "no-hpet",
    "nodefaults",
    "no-user-config",
    "no-reboot",
    "no-shutdown",
    "no-fd-bootchk",
    "nographic",
    "S",
    "s",
    "snapshot",
    "daemonize",
    "full-screen",
    "usb",
    "win2k-hack",
    "rtc-td-hack",
    "mem-prealloc",
    "no-quit",
    "preconfig",
    "only-migratable",
];

/// The names of QEMU for x86-64, its own and those of distributions.
const PROGRAMS: [&str; 4] = ["qemu-system-x86_64", "qemu-kvm", "kvm", "qemu-system-x86_64-spice"];

/// Whether a path is that of a QEMU that runs guests of x86-64.
pub fn is_qemu(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    PROGRAMS.contains(&name)
}

/// Reads the first command of QEMU in a script, a log or a copied command line. Nothing is run.
pub fn parse(text: &str) -> Result<QemuCommand, QemuCommandError> {
    // A text that names no such program needs no reading, and need be no shell's.
    if !PROGRAMS.iter().any(|program| text.contains(program)) {
        return Err(QemuCommandError::NoCommand);
    }
    // Looking for the program, or asking it for its version, is no guest.
    let starts = |words: &Vec<CommandWord>| words.iter().filter(|word| is_option(word)).count() > 1;
    let commands = shell::commands(text, is_qemu)?;
    let mut words =
        commands.into_iter().find(starts).ok_or(QemuCommandError::NoCommand)?.into_iter().peekable();
    let program = words.next().ok_or(QemuCommandError::NoCommand)?;
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        options.push(option(word, || words.next_if(|next| !is_option(next))));
    }
    Ok(QemuCommand {
        program: program.text.unwrap_or_default(),
        line: program.line,
        options,
        environment: environment(text),
    })
}

/// The variables for QEMU's sound that a text sets anywhere but in comments.
fn environment(text: &str) -> Vec<EnvironmentVariable> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim_start().starts_with('#'));
    let words = lines.flat_map(|(text, line)| text.split([' ', '\t', ';']).map(move |word| (word, line)));
    let set = words.filter_map(|(word, line)| {
        let (name, value) = word.split_once('=')?;
        let is_sound = ["QEMU_AUDIO_", "QEMU_PA_", "QEMU_ALSA_"].iter().any(|start| name.starts_with(start));
        is_sound.then(|| EnvironmentVariable { name: name.to_owned(), value: value.to_owned(), line })
    });
    set.collect()
}

/// Whether a word begins an option. A lone dash is a value.
fn is_option(word: &CommandWord) -> bool {
    word.text.as_ref().is_ok_and(|text| text.len() > 1 && text.starts_with('-'))
}

/// The option that begins with a word.
fn option(word: CommandWord, value: impl FnOnce() -> Option<CommandWord>) -> QemuOption {
    let line = word.line;
    if !is_option(&word) {
        return QemuOption { name: String::new(), value: Some(word.text), line, places: vec![word.place] };
    }
    let written = word.text.unwrap_or_default();
    // QEMU takes two dashes for one.
    let dashes = if written.starts_with("--") { 2 } else { 1 };
    let name = written.get(dashes..).unwrap_or_default().to_owned();
    let value = if BARE.contains(&name.as_str()) { None } else { value() };
    let places = std::iter::once(word.place).chain(value.as_ref().map(|value| value.place.clone())).collect();
    QemuOption { name, value: value.map(|value| value.text), line, places }
}

/// What an option says, property by property, in order. Properties within others are named with a dot, as in
/// `file.filename`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(Vec<(String, String)>);

impl Properties {
    /// Reads `value,name=value,…` as QEMU does (`util/keyval.c`: a doubled comma is one), and JSON. A name alone is `on`,
    /// or with a `no` before it, of old, `off`.
    pub fn parse(text: &str, implied: &str) -> Self {
        if text.trim_start().starts_with('{') {
            let mut found = Vec::new();
            if let Ok(value) = serde_json::from_str(text) {
                flatten("", &value, &mut found);
            }
            return Self(found);
        }
        let parts = split(text);
        let property = |(place, part): (usize, String)| match part.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None if place == 0 => (implied.to_owned(), part),
            None => (part, "on".to_owned()),
        };
        Self(parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty()).map(property).collect())
    }

    /// What a property says; the last word counts.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a property is on.
    pub fn is_on(&self, name: &str) -> bool {
        matches!(self.get(name), Some("on" | "true" | "yes"))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Cuts at commas; a doubled comma is one.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == ',' && rest.next_if_eq(&',').is_none() {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

/// The same, with doubled commas as they are.
fn split_raw(text: &str) -> Vec<String> {
    split(text).into_iter().map(|part| part.replace(',', ",,")).collect()
}

/// JSON as properties, with booleans as QEMU's other form has them.
fn flatten(name: &str, value: &serde_json::Value, found: &mut Vec<(String, String)>) {
    use serde_json::Value;
    let inner = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(part, value)| flatten(&inner(part), value, found)),
        Value::Array(list) => {
            for (place, value) in list.iter().enumerate() {
                flatten(&inner(&place.to_string()), value, found);
            }
        }
        Value::Bool(on) => found.push((name.to_owned(), if *on { "on" } else { "off" }.to_owned())),
        Value::String(text) => found.push((name.to_owned(), text.clone())),
        Value::Number(number) => found.push((name.to_owned(), number.to_string())),
        Value::Null => {}
    }
}

/// A size as QEMU writes it: `8G`, `4096` of `unit` bytes each, `0x1000`.
pub fn size(text: &str, unit: u64) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor =
        match text.get(digits.len()..)?.to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
            "" if text.ends_with(['b', 'B']) => 1,
            "" => unit,
            "k" => 1 << 10,
            "m" => 1 << 20,
            "g" => 1 << 30,
            "t" => 1 << 40,
            _ => return None,
        };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::{CommandDomain, Properties, QemuCommandError, parse, size};
    use proptest::prelude::*;

    #[test]
    fn options_have_values_and_lines() {
        let script = "#!/bin/bash\nexec qemu-system-x86_64 -enable-kvm \\\n  -m 8G \\\n  --cpu host,kvm=off -S disk.img\n";
        let command = parse(script).expect("a command");
        let said: Vec<String> =
            command.options.iter().map(|one| format!("{}: {}", one.line, one.words())).collect();
        assert_eq!(said, ["2: -enable-kvm", "3: -m 8G", "4: -cpu host,kvm=off", "4: -S", "4: disk.img"]);
        for other in ["ls -l\n", "which qemu-system-x86_64 || exit\n", "qemu-system-x86_64 --version\n", ""] {
            assert_eq!(parse(other), Err(QemuCommandError::NoCommand), "{other}");
        }
    }

    #[test]
    fn properties_are_the_same_in_both_of_qemus_forms() {
        let plain = Properties::parse("virtio-blk-pci,drive=a,,b,bootindex=1,readonly", "driver");
        let json = Properties::parse(
            r#"{"driver":"virtio-blk-pci","drive":"a,b","bootindex":1,"readonly":true}"#,
            "driver",
        );
        assert_eq!(plain, json);
        let nested = Properties::parse(r#"{"driver":"qcow2","file":{"driver":"file"}}"#, "driver");
        assert_eq!(nested.get("file.driver"), Some("file"));
    }

    #[test]
    fn sizes_have_the_unit_that_is_meant_where_none_is_named() {
        assert_eq!(size("4096", 1 << 20), Some(4 << 30));
        assert_eq!([size("8G", 1), size("64M", 1), size("7b", 9)], [Some(8 << 30), Some(64 << 20), Some(7)]);
        assert_eq!([size("", 1), size("G", 1), size("1x", 1), size("99999999999T", 1)], [None; 4]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,80}", options in "[-a-z,={}\":\\[\\] ]{0,60}") {
            let _ = parse(&text);
            if let Ok(command) = parse(&format!("kvm -m 1 {options}")) {
                let read = CommandDomain::of("a.sh", "a", &command);
                prop_assert!(read.domain.pci.len() <= command.options.len());
            }
            let _ = Properties::parse(&options, "driver");
            let _ = size(&options, 1);
        }

        #[test]
        fn a_value_with_commas_comes_back(text in "[a-z,]{1,20}") {
            let written = format!("x,file={}", text.replace(',', ",,"));
            let read = Properties::parse(&written, "driver");
            prop_assert_eq!(read.get("file"), Some(text.as_str()));
        }
    }
}
