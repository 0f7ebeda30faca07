//! Texts of lspci as the tests read them, by other means than the program does.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use passthru_formats::config_space as space;
use passthru_model::address::PciAddress;

use crate::{files, name};

/// All texts there are: those beside the hosts' files in their archives, and the collected dumps.
pub(crate) fn texts() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> =
        files("hosts").iter().filter_map(|path| Some((name(path), beside(path)?))).collect();
    for path in files("pci/lspci-dumps") {
        let bytes = std::fs::read(&path).expect("reads");
        found.push((name(&path), String::from_utf8_lossy(&bytes).into_owned()));
    }
    found
}

/// The text that an archive of a host has beside the host's files.
pub(crate) fn beside(archive: &Path) -> Option<String> {
    let file = std::fs::File::open(archive).expect("opens");
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().expect("reads") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        if path.trim_start_matches("./").starts_with("lspci") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("reads");
            return Some(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    None
}

/// The lines of each function.
pub(crate) fn blocks(text: &str) -> BTreeMap<PciAddress, Vec<&str>> {
    let mut found: BTreeMap<PciAddress, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if line.starts_with("____") {
            break;
        }
        if let Some(address) = line.split(' ').next().and_then(|first| first.parse().ok()) {
            current = Some(address);
        }
        if let Some(address) = current {
            found.entry(address).or_default().push(line);
        }
    }
    found
}

/// The dumps of all functions.
pub(crate) fn dumps(text: &str) -> BTreeMap<PciAddress, Vec<u8>> {
    let is_row = |line: &&&str| {
        let offset = line.split(": ").next().unwrap_or_default();
        line.contains(": ") && (2..4).contains(&offset.len()) && usize::from_str_radix(offset, 16).is_ok()
    };
    let bytes = |line: &&str| -> Vec<u8> {
        let (_, row) = line.split_once(": ").expect("a row");
        row.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("a byte")).collect()
    };
    blocks(text)
        .into_iter()
        .map(|(address, lines)| {
            let mut dump: Vec<u8> = lines.iter().filter(is_row).flat_map(bytes).collect();
            // Some kernels show more of a function without PCI Express than it has; we read no further than 256 bytes.
            let is_express = space::find(&dump, space::id::EXPRESS).there().is_some();
            if !is_express && dump.len() > space::CONVENTIONAL {
                dump.truncate(space::CONVENTIONAL);
            }
            (address, dump)
        })
        .collect()
}

/// A capability in a text: its offset, whether it is in the extended list, its title, and its lines.
pub(crate) struct Chunk<'a> {
    pub(crate) offset: u16,
    pub(crate) extended: bool,
    pub(crate) title: &'a str,
    pub(crate) lines: Vec<&'a str>,
}

impl Chunk<'_> {
    /// What stands behind a label, up to the next label, in one line.
    pub(crate) fn part(&self, label: &str) -> Option<String> {
        let is_label = |line: &str| {
            let first = line.split_whitespace().next().unwrap_or_default();
            first.ends_with(':')
                && first.len() > 1
                && first.chars().all(|c| c.is_ascii_alphanumeric() || c == ':')
        };
        let start = self.lines.iter().position(|line| line.trim().starts_with(label))?;
        let mut part = self.lines[start].trim().strip_prefix(label)?.trim().to_owned();
        for line in self.lines[start + 1..].iter().take_while(|line| !is_label(line)) {
            part.push(' ');
            part.push_str(line.trim());
        }
        Some(part)
    }
}

/// The capabilities of a function, in the order of the text.
pub(crate) fn chunks<'a>(lines: &[&'a str]) -> Vec<Chunk<'a>> {
    let mut found: Vec<Chunk<'a>> = Vec::new();
    let mut is_open = false;
    for line in lines {
        let deep = line.starts_with("\t\t") || line.starts_with("\t ");
        if let Some(rest) = line.strip_prefix("\tCapabilities: [") {
            let Some((place, title)) = rest.split_once("] ") else { continue };
            let (offset, version) = place.split_once(' ').map_or((place, None), |(at, v)| (at, Some(v)));
            is_open = true;
            found.push(Chunk {
                offset: u16::from_str_radix(offset, 16).expect("an offset"),
                // Old versions do not name the capability's version.
                extended: version.is_some() || offset.len() > 2,
                title,
                lines: Vec::new(),
            });
        } else if deep && is_open {
            found.last_mut().expect("one is open").lines.push(line);
        } else {
            is_open = false;
        }
    }
    found
}

/// The value of `Name+` or `Name-`.
pub(crate) fn flag(text: &str, name: &str) -> Option<bool> {
    text.split([' ', ',', '(', ')', '\t']).find_map(|word| match word.strip_prefix(name)? {
        "+" => Some(true),
        "-" => Some(false),
        _ => None,
    })
}

/// What stands behind a mark, up to a space or a comma.
pub(crate) fn word<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(mark)?;
    rest.split([' ', ',', ';']).next()
}

/// Bits by the names of flags; `None` where one of the names is not in the text.
pub(crate) fn bits(text: &str, names: &[(&str, u32)]) -> Option<u32> {
    names.iter().try_fold(0, |sum, (name, bit)| Some(sum | u32::from(flag(text, name)?) << bit))
}
