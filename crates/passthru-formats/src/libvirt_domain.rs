//! Domain XML of libvirt (<https://libvirt.org/formatdomain.html>), read for what checks ask, and changed where they say how.

mod devices;
mod edit;
mod processors;
mod tree;
mod write;

use std::collections::BTreeMap;

use passthru_model::virtualisation::{Domain, DomainFirmware, Place};
use roxmltree::{Document, Node};

pub use edit::{edited, lines};
pub use tree::{ReadElement, host_address, memory_of_cells, size, tree};
pub use write::written;

/// Why a file is no domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// It is no XML.
    #[error("{path}: {why}")]
    Xml {
        /// The file.
        path: String,
        /// What the parser says, with line and column.
        why: String,
    },
    /// It is XML about something else.
    #[error("{path}: its root is <{found}>, not <domain>")]
    Root {
        /// The file.
        path: String,
        /// The root that was found.
        found: String,
    },
}

/// The text without what is nobody's business: passwords of graphics, serial numbers of disks and machines. It stays the
/// same domain, and line numbers stay.
pub fn without_secrets(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut line = line.to_owned();
        for quote in ['\'', '"'] {
            blank(&mut line, &format!("passwd={quote}"), quote);
        }
        blank(&mut line, "<serial>", '<');
        for name in ["serial", "asset"] {
            for quote in ['\'', '"'] {
                blank(&mut line, &format!("name={quote}{name}{quote}>"), '<');
            }
        }
        out.push_str(&line);
    }
    out.into_bytes()
}

/// Takes out what stands between a text and the next `end`.
fn blank(line: &mut String, start: &str, end: char) {
    if let Some(at) = line.find(start).map(|at| at + start.len())
        && let Some(length) = line.get(at..).and_then(|rest| rest.find(end))
    {
        line.replace_range(at..at + length, "");
    }
}

/// Elements are not nested deeper than this in any domain; a file that is would cost the parser its stack.
const DEEPEST: usize = 128;

/// Reads a domain. What is missing or cannot be read as what it should be is left at nothing.
pub fn parse(path: &str, bytes: &[u8]) -> Result<Domain, DomainError> {
    let (text, bad_comment) = readable(path, bytes)?;
    let document = document(path, &text)?;
    let root = document.root_element();
    let mut domain = Domain {
        path: path.to_owned(),
        name: text_of(root, "name").unwrap_or_default(),
        kind: attribute(root, "type").unwrap_or_default(),
        memory: child(root, "memory").and_then(bytes_of),
        vcpus: text_of(root, "vcpu").and_then(|count| count.parse().ok()),
        vcpus_now: child(root, "vcpu").and_then(|vcpu| vcpu.attribute("current")?.parse().ok()),
        bad_comment,
        ..Domain::default()
    };
    domain.os = root
        .descendants()
        .find(|node| {
            node.tag_name().name() == "os"
                && node.tag_name().namespace().is_some_and(|uri| uri.contains("libosinfo"))
        })
        .and_then(|node| attribute(node, "id"));
    if let Some(os) = child(root, "os") {
        domain.machine = child(os, "type").and_then(|kind| attribute(kind, "machine"));
        domain.firmware = firmware(os);
    }
    processors::read(root, &mut domain);
    if let Some(devices) = child(root, "devices") {
        domain.emulator = text_of(devices, "emulator");
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for device in devices.children().filter(Node::is_element) {
            let name = device.tag_name().name();
            let number = numbers.entry(name).and_modify(|number| *number += 1).or_insert(1);
            let place = Place::new(format!("devices/{name}[{number}]"));
            devices::read(device, place, &mut domain);
        }
    }
    if let Some(line) = child(root, "commandline") {
        let elements = |wanted: &'static str| {
            let named = line.children().filter(move |node| node.tag_name().name() == wanted);
            named
                .zip(1..)
                .map(move |(node, number)| (node, Place::new(format!("commandline/{wanted}[{number}]"))))
        };
        domain.qemu_arguments.extend(
            elements("arg").filter_map(|(node, place)| attribute(node, "value").map(|value| (value, place))),
        );
        domain.qemu_environment.extend(elements("env").filter_map(|(node, place)| {
            Some((attribute(node, "name")?, (attribute(node, "value").unwrap_or_default(), place)))
        }));
    }
    Ok(domain)
}

/// The text as a parser takes it, and where it was no XML before.
fn readable(path: &str, bytes: &[u8]) -> Result<(String, Option<(usize, usize)>), DomainError> {
    let wrong = |why: String| DomainError::Xml { path: path.to_owned(), why };
    let text = std::str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    let (text, bad_comment) = without_comments(text);
    if depth(&text) > DEEPEST {
        return Err(wrong(format!("elements are nested more than {DEEPEST} deep")));
    }
    Ok((text, bad_comment))
}

/// The document of a domain in a readable text.
fn document<'a>(path: &str, text: &'a str) -> Result<Document<'a>, DomainError> {
    let document = Document::parse(text)
        .map_err(|error| DomainError::Xml { path: path.to_owned(), why: error.to_string() })?;
    let found = document.root_element().tag_name().name();
    if found == "domain" {
        Ok(document)
    } else {
        Err(DomainError::Root { path: path.to_owned(), found: found.to_owned() })
    }
}

/// The text with blanks in the place of comments, byte for byte, and line and column of the first two dashes within one:
/// people put them there, which XML forbids, and mean no harm.
fn without_comments(text: &str) -> (String, Option<(usize, usize)>) {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut bad = None;
    while let Some((before, comment)) = rest.split_once("<!--") {
        let Some((comment, after)) = comment.split_once("-->") else { break };
        out.push_str(before);
        out.push_str("    ");
        // The last dash may touch the end too.
        let dashes = comment.find("--").or_else(|| comment.ends_with('-').then(|| comment.len() - 1));
        if let (None, Some(dashes)) = (bad, dashes) {
            bad = text.get(..out.len() + dashes).map(position);
        }
        out.extend(comment.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        out.push_str("   ");
        rest = after;
    }
    out.push_str(rest);
    (out, bad)
}

/// Line and column, from 1, of what comes after a text.
fn position(before: &str) -> (usize, usize) {
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// How deep elements could be nested at most, counted without parsing: an opening tag goes down, a closing one up.
fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0_usize);
    for tag in text.split('<').skip(1) {
        if tag.starts_with('/') {
            now = now.saturating_sub(1);
        } else if !tag.starts_with(['!', '?'])
            && !tag.split('>').next().is_some_and(|inside| inside.ends_with('/'))
        {
            now += 1;
            most = most.max(now);
        }
    }
    most
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name)
        .and_then(|child| child.text())
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

fn attribute(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.attribute(name).map(str::to_owned)
}

/// A size: `<memory unit='KiB'>`. KiB is libvirt's unit where none is named.
fn bytes_of(node: Node<'_, '_>) -> Option<u64> {
    let number: u64 = node.text()?.trim().parse().ok()?;
    number.checked_mul(unit(node.attribute("unit").unwrap_or("KiB"))?)
}

fn unit(name: &str) -> Option<u64> {
    let letters = name.trim();
    if matches!(letters, "b" | "bytes") {
        return Some(1);
    }
    let base: u64 = if letters.ends_with("iB") || letters.len() == 1 { 1024 } else { 1000 };
    let power = match letters.chars().next()?.to_ascii_lowercase() {
        'k' => 1,
        'm' => 2,
        'g' => 3,
        't' => 4,
        _ => return None,
    };
    base.checked_pow(power)
}

fn firmware(os: Node<'_, '_>) -> DomainFirmware {
    match child(os, "loader") {
        Some(loader) if loader.text().is_some_and(|text| !text.trim().is_empty()) => DomainFirmware::File {
            code: loader.text().unwrap_or_default().trim().to_owned(),
            kind: attribute(loader, "type").unwrap_or_else(|| "rom".to_owned()),
            vars: text_of(os, "nvram"),
            template: child(os, "nvram").and_then(|nvram| attribute(nvram, "template")),
        },
        _ if os.attribute("firmware") == Some("efi") => DomainFirmware::Automatic,
        _ => DomainFirmware::Bios,
    }
}

/// The sizes that QEMU arguments give a Looking Glass buffer: `"size":67108864` or `size=64M` of an object that is shared
/// memory for ivshmem, by its path.
pub fn shared_memory_of_arguments<'a>(
    arguments: impl Iterator<Item = &'a str>,
) -> BTreeMap<String, Option<u64>> {
    let mut found = BTreeMap::new();
    for argument in arguments.filter(|argument| argument.contains("memory-backend-file")) {
        let value = |name: &str| {
            let at = argument.find(name)?;
            let rest = argument.get(at + name.len()..)?.trim_start_matches(['"', '\'', ':', '=', ' ']);
            Some(rest.split(['"', '\'', ',', '}', ' ']).next().unwrap_or_default().to_owned())
        };
        if let Some(path) = value("mem-path") {
            let size = value("size").and_then(|size| {
                let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                let letters = size.get(digits.len()..).unwrap_or_default();
                let factor = if letters.is_empty() { 1 } else { unit(letters.get(..1)?)? };
                digits.parse::<u64>().ok()?.checked_mul(factor)
            });
            found.insert(path, size);
        }
    }
    found
}

#[cfg(test)]
#[path = "libvirt_domain/tests.rs"]
mod tests;
