//! libvirt's settings files, such as `/etc/libvirt/qemu.conf`: `name = "text"`, `name = 1`, `name = [ "a", "b" ]`
//! (`src/util/virconf.c`).

mod edit;

use std::collections::BTreeMap;

use passthru_model::virtualisation::Setting;

pub use edit::{ListError, add_to_list, remove_from_list};

/// The settings, by name, with the line of each, from 1. What cannot be read is left out; of a name that is set twice the
/// last counts.
pub fn parse(bytes: &[u8]) -> BTreeMap<String, (Setting, usize)> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = BTreeMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = without_comment(line);
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim();
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        {
            continue;
        }
        let mut value = value.trim().to_owned();
        // A list may go on over many lines.
        while value.starts_with('[') && !value.ends_with(']') {
            match lines.next() {
                Some((_, more)) => value.push_str(without_comment(more).trim()),
                None => break,
            }
        }
        if let Some(setting) = setting(&value) {
            found.insert(name.to_owned(), (setting, index + 1));
        }
    }
    found
}

/// A line up to a `#` that stands outside of quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('#', None) => return line.get(..at).unwrap_or_default(),
            _ => {}
        }
    }
    line
}

fn setting(value: &str) -> Option<Setting> {
    if let Some(inside) = value.strip_prefix('[') {
        let inside = inside.strip_suffix(']')?;
        return Some(Setting::List(quoted(inside)));
    }
    if value.starts_with(['"', '\'']) {
        return quoted(value).into_iter().next().map(Setting::Text);
    }
    value.parse().ok().map(Setting::Number)
}

/// The quoted texts in a piece of a line.
fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(char, String)> = None;
    for c in text.chars() {
        match (&mut open, c) {
            (Some((quote, _)), _) if *quote == c => found.extend(open.take().map(|(_, text)| text)),
            (Some((_, text)), _) => text.push(c),
            (None, '"' | '\'') => open = Some((c, String::new())),
            (None, _) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Setting, parse};
    use proptest::prelude::*;

    #[test]
    fn texts_numbers_and_lists_over_lines_are_read() {
        let found = parse(
            b"# user = \"no\"\nuser = \"libvirt-qemu\" # why\nsched_core=\"none\"\nrelaxed_acs_check = 1\ncgroup_device_acl = [\n    \"/dev/null\", \"/dev/full\",\n  #\"/dev/no\",\n    \"/dev/kvmfr0\"\n]\nbad\n",
        );
        assert_eq!(found.get("user"), Some(&(Setting::Text("libvirt-qemu".to_owned()), 2)));
        assert_eq!(found.get("relaxed_acs_check"), Some(&(Setting::Number(1), 4)));
        let list = ["/dev/null", "/dev/full", "/dev/kvmfr0"].map(str::to_owned).to_vec();
        assert_eq!(found.get("cgroup_device_acl"), Some(&(Setting::List(list), 5)));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn the_page_s_list_of_firmware_is_read() {
        let found =
            parse(b"nvram = [ \"/usr/share/ovmf/ovmf_code_x64.bin:/usr/share/ovmf/ovmf_vars_x64.bin\" ]");
        assert!(matches!(found.get("nvram"), Some((Setting::List(list), 1)) if list.len() == 1));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "[a-z=\\[\\]\"', #\n0-9]{0,80}") {
            let _ = (parse(&bytes), parse(text.as_bytes()));
        }
    }
}
