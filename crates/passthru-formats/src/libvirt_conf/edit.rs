//! One item more or less in a list of libvirt's settings; every other byte stays.

use std::fmt::Write as _;
use std::ops::Range;

use passthru_model::virtualisation::Setting;

use super::{parse, without_comment};

/// What stands above a list that we made.
const MARK: &str = "# Written by passthru: the list that libvirt uses where none is set, and what was added.";

/// Why a list cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It is no list, or has no end.
    #[error("line {line}: ‘{name}’ is set to something that is no whole list in brackets")]
    NoList {
        /// The setting.
        name: String,
        /// From 1.
        line: usize,
    },
}

/// The bytes between the brackets of a list that is set, the last of them where there are several; `None`: it is not set.
fn inside(text: &str, name: &str) -> Result<Option<Range<usize>>, ListError> {
    let mut found = None;
    let mut start = 0;
    let mut skip = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let at = start;
        start += line.len();
        if at < skip {
            continue;
        }
        let Some((key, _)) = without_comment(line).split_once('=') else { continue };
        if key.trim() != name {
            continue;
        }
        let wrong = || ListError::NoList { name: name.to_owned(), line: index + 1 };
        let value = at + key.len() + 1;
        let blank =
            text.get(value..).map_or(0, |rest| rest.len() - rest.trim_start_matches([' ', '\t']).len());
        let open = value + blank;
        if !text.get(open..).is_some_and(|rest| rest.starts_with('[')) {
            return Err(wrong());
        }
        let close = closing(text, open + 1).ok_or_else(wrong)?;
        found = Some(open + 1..close);
        skip = close;
    }
    Ok(found)
}

/// Where the bracket is that ends a list: outside of quotes and comments.
fn closing(text: &str, from: usize) -> Option<usize> {
    let mut quote = None;
    let mut comment = false;
    for (at, c) in text.get(from..)?.char_indices() {
        match (c, quote) {
            ('\n', _) => (quote, comment) = (None, false),
            _ if comment => {}
            (_, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('#', None) => comment = true,
            (']', None) => return Some(from + at),
            _ => {}
        }
    }
    None
}

/// Where the last item of a list ends, outside of comments.
fn last_item(text: &str, range: &Range<usize>) -> Option<usize> {
    let mut end = None;
    let mut start = range.start;
    for line in text.get(range.clone())?.split_inclusive('\n') {
        let items = without_comment(line).trim_end().trim_end_matches([',', ' ', '\t']);
        if !items.trim().is_empty() {
            end = Some(start + items.len());
        }
        start += line.len();
    }
    end
}

/// Adds an item at the end of a list. A list that is not set is made at the end of the file: of what the file shows as libvirt's
/// own in a comment, or else of `usual`, for a list that is set takes the place of libvirt's. One that is there already is left.
///
/// # Errors
///
/// The setting is there and is no whole list.
pub fn add_to_list(text: &str, name: &str, usual: &[&str], item: &str) -> Result<String, ListError> {
    let Some(range) = inside(text, name)? else {
        let shown = shown_in_comment(text, name);
        let mut items: Vec<&str> =
            if shown.is_empty() { usual.to_vec() } else { shown.iter().map(String::as_str).collect() };
        if !items.contains(&item) {
            items.push(item);
        }
        let mut new = text.to_owned();
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        let quoted: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
        let _ = writeln!(new, "{MARK}\n{name} = [ {} ]", quoted.join(", "));
        return Ok(new);
    };
    if items(text, name).iter().any(|one| one == item) {
        return Ok(text.to_owned());
    }
    let (at, addition) = match last_item(text, &range) {
        Some(end) => (end, format!(", \"{item}\"")),
        None => (range.start, format!(" \"{item}\" ")),
    };
    let (before, after) = text.split_at(at);
    Ok(format!("{before}{addition}{after}"))
}

/// Takes an item out of a list, and the list with it where we made it. One that is not there is no error.
///
/// # Errors
///
/// The setting is there and is no whole list.
pub fn remove_from_list(text: &str, name: &str, item: &str) -> Result<String, ListError> {
    let Some(range) = inside(text, name)? else { return Ok(text.to_owned()) };
    let line = text.get(..range.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let above = format!("{MARK}\n");
    if text.get(..line).is_some_and(|before| before.ends_with(&above)) {
        let end = text
            .get(range.end..)
            .and_then(|rest| rest.find('\n'))
            .map_or(text.len(), |at| range.end + at + 1);
        let (before, after) = (text.get(..line - above.len()), text.get(end..));
        return Ok(format!("{}{}", before.unwrap_or_default(), after.unwrap_or_default()));
    }
    let list = text.get(range.clone()).unwrap_or_default();
    for quote in ['"', '\''] {
        let quoted = format!("{quote}{item}{quote}");
        for piece in [format!(", {quoted}"), format!(",{quoted}"), format!(" {quoted} "), quoted] {
            if let Some(at) = list.find(&piece).map(|at| range.start + at) {
                let (before, rest) = text.split_at(at);
                let rest = rest.get(piece.len()..).unwrap_or_default();
                // Of the first item, the comma behind it goes too.
                let rest = if piece.starts_with(',') { rest } else { rest.strip_prefix(',').unwrap_or(rest) };
                return Ok(format!("{before}{rest}"));
            }
        }
    }
    Ok(text.to_owned())
}

fn items(text: &str, name: &str) -> Vec<String> {
    match parse(text.as_bytes()).remove(name) {
        Some((Setting::List(items), _)) => items,
        _ => Vec::new(),
    }
}

/// The list that the file shows in a comment.
fn shown_in_comment(text: &str, name: &str) -> Vec<String> {
    let bare = |line: &str| line.trim_start().strip_prefix('#').map(|rest| rest.trim_start().to_owned());
    let mut lines = text.lines().skip_while(|line| {
        !bare(line).is_some_and(|rest| {
            rest.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
        })
    });
    let mut shown = String::new();
    for line in lines.by_ref().map_while(bare) {
        shown.push_str(&line);
        shown.push('\n');
        if line.trim_end().ends_with(']') {
            return items(&shown, name);
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::{ListError, add_to_list, items, remove_from_list};
    use proptest::prelude::*;

    const NAME: &str = "cgroup_device_acl";
    const NODE: &str = "/dev/kvmfr0";

    fn there_and_back(text: &str, list: &[&str]) -> String {
        let new = add_to_list(text, NAME, &["/dev/null", "/dev/zero"], NODE).expect("added");
        assert_eq!(items(&new, NAME), list, "{new}");
        assert_eq!(add_to_list(&new, NAME, &[], NODE).as_deref(), Ok(new.as_str()), "once is enough");
        assert_eq!(remove_from_list(&new, NAME, NODE).as_deref(), Ok(text), "{new}");
        new
    }

    #[test]
    fn a_list_that_is_not_set_is_made_of_what_libvirt_uses_otherwise() {
        there_and_back("", &["/dev/null", "/dev/zero", NODE]);
        let new = there_and_back(
            "# The list:\n#cgroup_device_acl = [\n#    \"/dev/null\", \"/dev/full\",\n#    \"/dev/ptmx\"\n#]\nuser = \"root\"\n",
            &["/dev/null", "/dev/full", "/dev/ptmx", NODE],
        );
        assert!(new.contains("user = \"root\"\n# Written by passthru"), "{new}");
    }

    #[test]
    fn a_list_that_is_set_keeps_its_shape() {
        for (text, first) in [
            ("cgroup_device_acl = [ \"/dev/null\", \"/dev/full\" ]\n", "/dev/full"),
            (
                "user=\"a\"\ncgroup_device_acl=[\n  \"/dev/null\", # none\n  \"/dev/full\" # the last ]\n]\n# end",
                "/dev/full",
            ),
            ("cgroup_device_acl = [\"/dev/null\",\n 'b#]']\n", "b#]"),
        ] {
            let new = there_and_back(text, &["/dev/null", first, NODE]);
            assert!(!new.contains("Written by"), "{new}");
        }
        there_and_back("cgroup_device_acl = []\n", &[NODE]);
    }

    #[test]
    fn what_the_user_put_in_himself_is_taken_out_where_it_stands() {
        let text = "cgroup_device_acl = [ \"/dev/kvmfr0\", \"/dev/null\" ]\n";
        let new = remove_from_list(text, NAME, NODE).expect("removed");
        assert_eq!(items(&new, NAME), ["/dev/null"], "{new}");
    }

    #[test]
    fn what_is_no_whole_list_is_refused_with_its_line() {
        for text in ["\ncgroup_device_acl = [ \"/dev/null\"\n", "\ncgroup_device_acl = \"/dev/null\"\n"] {
            let error = add_to_list(text, NAME, &[], NODE);
            assert_eq!(error, Err(ListError::NoList { name: NAME.to_owned(), line: 2 }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_added_to_any_text_is_in_the_list_and_is_taken_out_again(
            text in "([a-z#=\\[\\]\"', \n]|cgroup_device_acl|/dev/null){0,20}",
        ) {
            if let Ok(new) = add_to_list(&text, NAME, &["/dev/null"], NODE) {
                let back = remove_from_list(&new, NAME, NODE);
                prop_assert!(back.is_ok_and(|back| !items(&back, NAME).iter().any(|item| item == NODE)));
            }
        }
    }
}
