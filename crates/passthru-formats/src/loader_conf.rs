//! systemd-boot's `loader/loader.conf` (loader.conf(5)): which entry is started when nobody chooses.

use crate::error::Refused;
use crate::key_value;

/// What `default` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultEntry {
    /// The entry that was started last time (`@saved`).
    Saved,
    /// The entries whose ids match a shell pattern; the first of them in the menu is started.
    Matching(String),
}

impl DefaultEntry {
    /// Whether it could be this entry. The id of an entry is its file's name, whose letters' case does not matter.
    pub fn could_be(&self, id: &str) -> bool {
        match self {
            Self::Saved => true,
            Self::Matching(pattern) => {
                matches(pattern.to_lowercase().as_bytes(), id.to_lowercase().as_bytes())
            }
        }
    }
}

/// The default entry; `None`: the file names none, and the first one of the menu is started.
///
/// A choice that was made in the menu is kept in a variable of the firmware (`LoaderEntryDefault`) and comes first.
pub fn default_entry(text: &str) -> Option<DefaultEntry> {
    let value = key_value::lines(text).filter(|line| line.key == "default").last()?.value.trim_matches('"');
    match value {
        "" => None,
        "@saved" => Some(DefaultEntry::Saved),
        pattern => Some(DefaultEntry::Matching(pattern.to_owned())),
    }
}

/// How long the menu is shown, as it is written: seconds or a word such as `menu-force`; `None`: it is not shown.
pub fn timeout(text: &str) -> Option<&str> {
    key_value::lines(text).filter(|line| line.key == "timeout").last().map(|line| line.value)
}

/// The file with one key set: its value is written anew, or a line is added at the end.
pub fn set(text: &str, key: &str, value: &str) -> Result<String, Refused> {
    key_value::set(text, key, value, None)
}

/// Whether a pattern of `*`, `?` and `[…]` stands for the whole of a name.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star takes one byte more.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(at), name.get(from)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                retry = Some((at, from));
                at += 1;
                continue;
            }
            (Some(b'?'), Some(_)) => Some(1),
            (Some(b'['), Some(byte)) => match set_of(pattern.get(at + 1..).unwrap_or_default()) {
                Some((set, length)) => contains(set, *byte).then_some(length + 1),
                None => (*byte == b'[').then_some(1),
            },
            (Some(b'\\'), Some(byte)) if pattern.get(at + 1) == Some(byte) => Some(2),
            (Some(one), Some(byte)) if one == byte => Some(1),
            _ => None,
        };
        match (step, retry) {
            (Some(step), _) => (at, from) = (at + step, from + 1),
            (None, Some((star, begun))) if begun < name.len() => {
                retry = Some((star, begun + 1));
                (at, from) = (star + 1, begun + 1);
            }
            (None, _) => return false,
        }
    }
}

/// What is between `[` and `]`, and how many bytes it takes with the bracket; `None`: it is never closed. A `]` that comes first
/// is part of the set.
fn set_of(rest: &[u8]) -> Option<(&[u8], usize)> {
    let skip = usize::from(rest.first() == Some(&b'!')) + 1;
    let end = rest.iter().skip(skip).position(|byte| *byte == b']')? + skip;
    Some((rest.get(..end)?, end + 1))
}

fn contains(set: &[u8], byte: u8) -> bool {
    let (set, wanted) = set.strip_prefix(b"!").map_or((set, true), |set| (set, false));
    let mut rest = set;
    let mut found = false;
    while let Some(first) = rest.first() {
        if let [low, b'-', high, ..] = rest {
            found |= (*low..=*high).contains(&byte);
            rest = rest.get(3..).unwrap_or_default();
        } else {
            found |= *first == byte;
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    found == wanted
}

#[cfg(test)]
mod tests {
    use super::{DefaultEntry, default_entry, set, timeout};
    use proptest::prelude::*;

    fn could_be(pattern: &str, id: &str) -> bool {
        DefaultEntry::Matching(pattern.to_owned()).could_be(id)
    }

    #[test]
    fn the_default_is_a_pattern_or_the_saved_entry() {
        let text = "#default no\ntimeout 3\ndefault  arch-*\neditor no\n";
        assert_eq!(default_entry(text), Some(DefaultEntry::Matching("arch-*".to_owned())));
        assert_eq!(timeout(text), Some("3"));
        assert_eq!(default_entry("default @saved"), Some(DefaultEntry::Saved));
        assert_eq!(default_entry("timeout 3"), None);
        assert_eq!(set(text, "default", "arch-lts.conf"), Ok(text.replace("arch-*", "arch-lts.conf")));
        assert_eq!(set("timeout 3", "default", "@saved").as_deref(), Ok("timeout 3\ndefault @saved\n"));
        assert!(set("default a\ndefault b\n", "default", "c").is_err());
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, id) in [
            ("arch-*", "arch-linux.conf"),
            ("*", ""),
            ("*-6.?.*.conf", "1f-6.9.1.conf"),
            ("Arch.conf", "arch.CONF"),
            ("a[0-9x].conf", "ax.conf"),
            ("a[!0-9].conf", "ax.conf"),
            ("a[]]", "a]"),
            ("a[", "a["),
        ] {
            assert!(could_be(pattern, id), "{pattern} {id}");
        }
        for (pattern, id) in [
            ("arch", "arch.conf"),
            ("a?", "a"),
            ("a[0-9]", "ax"),
            ("*.conf", "a.efi"),
            ("", "a"),
            ("a*b*c", "a-b"),
        ] {
            assert!(!could_be(pattern, id), "{pattern} {id}");
        }
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_and_what_has_stars_put_in(name in "[a-z0-9.-]{0,12}", at: prop::sample::Index) {
            prop_assert!(could_be(&name, &name));
            let at = at.index(name.len() + 1);
            let starred = format!("{}*{}", &name[..at], &name[at..]);
            prop_assert!(could_be(&starred, &name));
        }

        #[test]
        fn no_text_makes_it_panic(text: String, pattern in "[a*?\\[\\]!\\\\-]{0,12}", id: String) {
            let _ = (default_entry(&text), timeout(&text), set(&text, "default", "x"), could_be(&pattern, &id));
        }
    }
}
