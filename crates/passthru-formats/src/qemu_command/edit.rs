//! Changes of a command line in its script, word by word: what is not changed stays as it is, and what a shell would first
//! have to work out is not changed.

use std::ops::Range;

use super::{QemuCommand, QemuOption};
use crate::cmdline::with_parts;

/// A change of one option, by its number from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandEdit {
    /// Takes it out.
    Remove(usize),
    /// Gives it another value.
    Value(usize, String),
    /// Sets a property of it, or takes out those of these names.
    Property {
        /// The option.
        option: usize,
        /// The names that the property has had.
        names: Vec<String>,
        /// Its value; nothing takes it out.
        value: Option<String>,
    },
}

impl CommandEdit {
    /// Sets a property.
    pub fn set(option: usize, name: &str, value: &str) -> Self {
        Self::Property { option, names: vec![name.to_owned()], value: Some(value.to_owned()) }
    }

    /// Takes a property out, by all of its names.
    pub fn unset(option: usize, names: &[&str]) -> Self {
        Self::Property { option, names: names.iter().map(ToString::to_string).collect(), value: None }
    }
}

/// The script with those of these changes that can be made for certain.
pub fn edited(text: &str, command: &QemuCommand, edits: &[CommandEdit]) -> String {
    let removed: Vec<usize> = edits
        .iter()
        .filter_map(|edit| if let CommandEdit::Remove(option) = edit { Some(*option) } else { None })
        .collect();
    let mut splices: Vec<(Range<usize>, String)> = Vec::new();
    for (number, option) in command.options.iter().enumerate() {
        if !is_literal(text, option) {
            continue;
        }
        if removed.contains(&number) {
            splices.extend(removal(text, option).map(|range| (range, String::new())));
            continue;
        }
        let value = edits.iter().find_map(|edit| match edit {
            CommandEdit::Value(option, value) if *option == number => Some(value.clone()),
            _ => None,
        });
        if let (Some(value), Some(place)) = (value, option.places.get(1)) {
            splices.push((place.clone(), value));
            continue;
        }
        let mine: Vec<&CommandEdit> = edits
            .iter()
            .filter(|edit| matches!(edit, CommandEdit::Property { option, .. } if *option == number))
            .collect();
        if let (Some(value), Some(place), false) = (option.known(), option.places.get(1), mine.is_empty()) {
            splices.push((place.clone(), with(value, &mine)));
        }
    }
    splices.sort_by_key(|(range, _)| range.start);
    // Two that overlap cannot both be made.
    let mut done = 0;
    splices.retain(|(range, _)| {
        let is_free = done <= range.start;
        if is_free {
            done = range.end;
        }
        is_free
    });
    with_parts(text, splices)
}

/// Whether an option stands in the text as QEMU gets it, without quotes and variables.
fn is_literal(text: &str, option: &QemuOption) -> bool {
    let said: Vec<&str> = option.places.iter().filter_map(|place| text.get(place.clone())).collect();
    match (said.as_slice(), option.known()) {
        ([name], None) => option.value.is_none() && name.trim_start_matches('-') == option.name,
        ([name, value], Some(known)) => name.trim_start_matches('-') == option.name && *value == known,
        _ => false,
    }
}

/// The words of an option with the blanks and line ends before them, so that what follows continues the line before.
fn removal(text: &str, option: &QemuOption) -> Option<Range<usize>> {
    let (first, last) = (option.places.first()?, option.places.last()?);
    let between = |range: Range<usize>| {
        text.get(range).is_some_and(|part| part.chars().all(|c| c.is_whitespace() || c == '\\'))
    };
    if !between(first.end..last.start.max(first.end)) {
        return None;
    }
    let before = text.get(..first.start)?;
    let start = before.trim_end_matches(|c: char| c.is_whitespace() || c == '\\').len();
    // A comment in the line before would take in what follows.
    let line = before.get(..start)?.rsplit('\n').next()?;
    (!line.contains('#')).then_some(start..last.end)
}

/// A value with changed properties.
fn with(value: &str, edits: &[&CommandEdit]) -> String {
    let mut parts: Vec<String> = super::split_raw(value);
    for edit in edits {
        let CommandEdit::Property { names, value, .. } = edit else { continue };
        let is_it = |part: &String| {
            let name = part.split('=').next().unwrap_or_default().trim_start_matches('+');
            names.iter().any(|wanted| wanted == name || wanted.replace('_', "-") == name)
        };
        let new =
            value.as_ref().and_then(|value| Some(format!("{}={}", names.first()?, value.replace(',', ",,"))));
        match (parts.iter().position(is_it), new) {
            (Some(at), Some(new)) => parts[at] = new,
            (None, Some(new)) => parts.push(new),
            (_, None) => parts.retain(|part| !is_it(part)),
        }
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse;
    use super::{CommandEdit, QemuOption, edited};

    const SCRIPT: &str = "qemu-system-x86_64 -enable-kvm -cpu host,kvm=off,hv_relaxed \\\n  -device virtio-balloon-pci \\\n  \\\n  -m \"$MEM\" -spice port=1\n";

    fn change(edits: &[CommandEdit]) -> String {
        edited(SCRIPT, &parse(SCRIPT).expect("a command"), edits)
    }

    #[test]
    fn options_and_properties_come_and_go_and_the_rest_stays() {
        assert_eq!(change(&[]), SCRIPT);
        assert_eq!(
            change(&[CommandEdit::Remove(2)]),
            SCRIPT.replace(" \\\n  -device virtio-balloon-pci", "")
        );
        assert_eq!(change(&[CommandEdit::Remove(4)]), SCRIPT.replace(" -spice port=1", ""));
        let edits = [
            CommandEdit::unset(1, &["kvm"]),
            CommandEdit::set(1, "hv_relaxed", "on"),
            CommandEdit::set(1, "hv_time", "on"),
        ];
        assert_eq!(
            change(&edits),
            SCRIPT.replace("host,kvm=off,hv_relaxed", "host,hv_relaxed=on,hv_time=on")
        );
        // What a shell works out is left alone.
        assert_eq!(change(&[CommandEdit::Remove(3)]), SCRIPT);
    }

    proptest! {
        #[test]
        fn what_is_taken_out_is_gone_and_nothing_else_is(
            options in proptest::collection::vec(("-[a-z]{2,6}", proptest::option::of("[a-z0-9=,]{1,12}")), 2..8),
            gone in 0_usize..8,
            breaks: bool,
        ) {
            let words: Vec<String> = options.iter().map(|(name, value)| format!("{name} {}", value.clone().unwrap_or_default())).collect();
            let separator = if breaks { " \\\n   " } else { " " };
            let script = format!("qemu-kvm {} # end\n", words.join(separator));
            let command = parse(&script).expect("a command");
            let gone = gone % command.options.len();
            let after = parse(&edited(&script, &command, &[CommandEdit::Remove(gone)]));
            let mut wanted: Vec<String> = command.options.iter().map(QemuOption::words).collect();
            wanted.remove(gone);
            if let Ok(after) = after {
                let said: Vec<String> = after.options.iter().map(QemuOption::words).collect();
                prop_assert_eq!(said, wanted);
            } else {
                prop_assert!(wanted.len() < 2);
            }
        }
    }
}
