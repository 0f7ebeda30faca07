//! os-release(5): assignments in the shell's syntax, without expansion.

use std::collections::BTreeMap;

/// Reads all assignments. Lines that are none are left out, as os-release(5) asks of readers.
pub fn parse(bytes: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().filter_map(assignment).collect()
}

/// The name to show: `PRETTY_NAME`, or `NAME`, or the `Linux` that os-release(5) gives as the default.
pub fn pretty_name(values: &BTreeMap<String, String>) -> &str {
    values.get("PRETTY_NAME").or_else(|| values.get("NAME")).map_or("Linux", String::as_str)
}

/// One line `NAME=value`, with the quotes and the backslashes taken off.
fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let (name, value) = line.split_once('=')?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(fits) {
        return None;
    }
    Some((name.to_owned(), unquoted(value)?))
}

/// A value without its quotes: nothing is special in single quotes; in double quotes a backslash protects `$`, a quote, a
/// backslash and a backtick; outside it protects anything.
fn unquoted(value: &str) -> Option<String> {
    if let Some(inner) = value.strip_prefix('\'') {
        return inner.strip_suffix('\'').map(str::to_owned);
    }
    let (inner, quoted) = match value.strip_prefix('"') {
        Some(inner) => (inner.strip_suffix('"')?, true),
        None => (value, false),
    };
    let mut plain = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(char) = rest.next() {
        if char != '\\' {
            plain.push(char);
            continue;
        }
        match rest.next() {
            Some(next) if quoted && !matches!(next, '$' | '"' | '\\' | '`') => plain.extend(['\\', next]),
            Some(next) => plain.push(next),
            None => return None,
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::{parse, pretty_name};
    use proptest::prelude::*;

    #[test]
    fn quotes_of_either_kind_are_taken_off() {
        let values = parse(
            b"PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\nHOME_URL='https://a/b'\n# no\nODD=\"a\\\"b\"\n",
        );
        assert_eq!(pretty_name(&values), "Debian GNU/Linux 13 (trixie)");
        assert_eq!(values.get("HOME_URL").map(String::as_str), Some("https://a/b"));
        assert_eq!(values.get("ODD").map(String::as_str), Some("a\"b"));
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn a_text_without_names_is_linux() {
        assert_eq!(pretty_name(&parse(b"=\nnot an assignment\nA=\"open")), "Linux");
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(value in "[^\\n\\r'\u{0}]{0,30}") {
            let values = parse(format!("A='{value}'").as_bytes());
            prop_assert_eq!(values.get("A"), Some(&value));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
