//! What `udevadm info --export-db` prints (udevadm(8)), and the recordings of `umockdev-record` (umockdev-record(1)), which
//! have the same shape and the attributes of sysfs besides.
//!
//! A block of lines is a device, each line a letter and a value: `P` the path below `/sys`, `E` a property, `A` an attribute
//! as text, `H` one as hexadecimal digits, `L` a link (of umockdev; udev writes a priority there).

use std::collections::BTreeMap;

use crate::error::FormatError;

/// A path may be this long, as in the kernel (`PATH_MAX`).
const MOST_PATH: usize = 4096;

/// A device as far as the text tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The line that begins it, counted from 1.
    pub line: usize,
    /// Its path below `/sys`, such as `/devices/pci0000:00/0000:00:14.0`: clean, without `..`.
    pub path: String,
    /// Its properties: the kernel's of `uevent`, and udev's own.
    pub properties: BTreeMap<String, String>,
    /// Attributes by their path below the device, where they were recorded.
    pub attributes: BTreeMap<String, Vec<u8>>,
    /// Links by their name, where they were recorded.
    pub links: BTreeMap<String, String>,
}

impl Device {
    /// The last part of its path: the kernel's name for it.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// A property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }
}

/// Whether a text looks like one of these: its first line that is neither empty nor a comment is a device's path.
pub fn is_database(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.starts_with("P: /devices/"))
}

/// Reads a text whole. A device that is in it twice is two devices here.
pub fn parse(text: &str) -> Result<Vec<Device>, FormatError> {
    let mut devices: Vec<Device> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let wrong = |reason: String| FormatError::new("the devices' database", number, reason);
        let line = line.trim_end_matches('\r');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((kind, value)) = tagged(line) else {
            // A value may hold a newline, which nothing marks: what follows a property and is no line of its own goes on.
            if goes_on {
                continue;
            }
            let begin: String = line.chars().take(40).collect();
            return Err(wrong(format!("‘{begin}’ is not a letter, a colon and a value")));
        };
        goes_on = kind == 'E';
        if kind == 'P' {
            if !value.starts_with("/devices/") || !is_clean(value) {
                return Err(wrong("the path does not stay below /devices".to_owned()));
            }
            devices.push(Device { line: number, path: value.to_owned(), ..Device::default() });
            continue;
        }
        let Some(device) = devices.last_mut() else {
            return Err(wrong("a device begins with its path (P:)".to_owned()));
        };
        let Some((name, value)) = value.split_once('=') else { continue };
        match kind {
            'E' => {
                device.properties.insert(name.to_owned(), value.to_owned());
            }
            'A' | 'H' | 'L' if !is_clean(name) || name.starts_with('/') => {
                return Err(wrong("the attribute's name leaves the device".to_owned()));
            }
            'A' => {
                device.attributes.insert(name.to_owned(), unescaped(value));
            }
            'H' => {
                let bytes =
                    unhexed(value).ok_or_else(|| wrong("these are not pairs of digits".to_owned()))?;
                device.attributes.insert(name.to_owned(), bytes);
            }
            'L' => {
                device.links.insert(name.to_owned(), value.to_owned());
            }
            _ => {}
        }
    }
    Ok(devices)
}

/// A letter and what follows the colon. Newer versions of udev know more letters than we use.
fn tagged(line: &str) -> Option<(char, &str)> {
    let (kind, value) = line.split_once(':')?;
    let mut letters = kind.chars();
    let letter = letters.next().filter(char::is_ascii_uppercase)?;
    letters.next().is_none().then_some((letter, value.strip_prefix(' ').unwrap_or(value)))
}

/// Whether a path has no empty part, none that leads up, and an end.
fn is_clean(path: &str) -> bool {
    path.len() <= MOST_PATH
        && !path.contains('\0')
        && path.strip_prefix('/').unwrap_or(path).split('/').all(|part| !["", ".", ".."].contains(&part))
}

/// A value in which `\n` and `\\` stand for a newline and a backslash.
fn unescaped(value: &str) -> Vec<u8> {
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out.into_bytes()
}

fn unhexed(value: &str) -> Option<Vec<u8>> {
    let digits = value.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{is_database, parse};
    use proptest::prelude::*;

    const RECORDING: &str = "\
P: /devices/pci0000:00/0000:00:1a.0/usb1/1-1
N: bus/usb/001/009=1201
S: input/by-id/x
E: BUSNUM=001
E: ID_MODEL=a=b
E: MODALIAS=hid:1
MODALIAS=hid:2
A: busnum=1\\n
A: power/control=auto
H: descriptors=1201
L: driver=../../../bus/usb/drivers/usb

P: /devices/virtual/net/lo
L: 0
V: 1
E: SUBSYSTEM=net
";

    #[test]
    fn properties_attributes_and_links_are_told_apart() {
        assert!(is_database(RECORDING) && !is_database("E: A=b\n"));
        let devices = parse(RECORDING).expect("right");
        assert_eq!(devices.len(), 2);
        assert_eq!((devices[0].name(), devices[0].property("ID_MODEL")), ("1-1", Some("a=b")));
        assert_eq!(devices[0].attributes["busnum"], b"1\n");
        assert_eq!(devices[0].attributes["descriptors"], [0x12, 0x01]);
        assert_eq!(devices[0].links["driver"], "../../../bus/usb/drivers/usb");
        assert_eq!((devices[1].line, devices[1].links.len()), (13, 0));
    }

    #[test]
    fn what_leads_out_and_what_is_no_line_is_refused_with_its_line() {
        for (text, line, piece) in [
            ("P: /devices/a\nP: /devices/../../etc\n", 2, "below /devices"),
            ("P: /etc/passwd\n", 1, "below /devices"),
            ("P: /devices/a\nA: ../../x=1\n", 2, "leaves the device"),
            ("P: /devices/a\nH: x=123\n", 2, "pairs of digits"),
            ("P: /devices/a\nnonsense\n", 2, "a letter"),
            ("E: A=b\n", 1, "begins with its path"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.line, line, "{error}");
            assert!(error.to_string().contains(piece), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([PEAHLN]: [/a-z0-9=.\\\\\n]{0,20}\n){0,8}") {
            let _ = (parse(&text), is_database(&text));
        }
    }
}
