//! rEFInd's files: `refind_linux.conf` beside a kernel, lines of a label and options, both in quotes; and `refind.conf` with stanzas
//! `menuentry "TITLE" { … options "…" … }` (<https://www.rodsbooks.com/refind/linux.html>, `configfile.html`). Inside quotes `""` is
//! one double quote.

use std::ops::Range;

use crate::cmdline::{Change, Piece, with_parts};
use crate::error::Refused;
use crate::key_value::new_line;

/// One line of `refind_linux.conf`, or one stanza of `refind.conf` with options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the menu shows.
    pub title: String,
    /// The line of the options, from 1.
    pub line: usize,
    /// The kernel, which only a stanza names.
    pub loader: Option<String>,
    /// The options, without the quotes around them.
    pub options: String,
}

/// A word of a line, and the place of its text inside the quotes.
struct Word {
    value: String,
    place: Range<usize>,
    quoted: bool,
}

/// Cuts a line as rEFInd does: blanks, commas and equal signs separate outside of quotes, and `#` begins a comment.
fn words(line: &str, start: usize, number: usize) -> Result<Vec<Word>, Refused> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| !c.is_ascii_whitespace() && c != ',' && c != '=') {
        rest = &rest[at..];
        let from = start + (line.len() - rest.len());
        if rest.starts_with('#') {
            break;
        }
        if let Some(inner) = rest.strip_prefix('"') {
            let mut end = 0;
            loop {
                let quote = inner[end..].find('"').ok_or_else(|| {
                    Refused::at(
                        number,
                        "a quote that is opened here is never closed",
                        "close it on the same line",
                    )
                })?;
                end += quote;
                if !inner[end + 1..].starts_with('"') {
                    break;
                }
                end += 2;
            }
            found.push(Word {
                value: inner[..end].replace("\"\"", "\""),
                place: from + 1..from + 1 + end,
                quoted: true,
            });
            rest = &inner[end + 1..];
        } else {
            let end =
                rest.find(|c: char| c.is_ascii_whitespace() || ",=\"#".contains(c)).unwrap_or(rest.len());
            found.push(Word { value: rest[..end].to_owned(), place: from..from + end, quoted: false });
            rest = &rest[end..];
        }
    }
    Ok(found)
}

/// The words of each line, with its number.
fn lines(text: &str) -> impl Iterator<Item = Result<(usize, Vec<Word>), Refused>> {
    let mut at = 0;
    text.split_inclusive('\n').enumerate().map(move |(index, line)| {
        let start = at;
        at += line.len();
        Ok((index + 1, words(line, start, index + 1)?))
    })
}

/// An entry and the word that holds its options.
type Found = (Entry, Option<Word>);

/// The lines of `refind_linux.conf`.
fn linux_lines(text: &str) -> impl Iterator<Item = Result<Found, Refused>> {
    let found = |(number, words): (usize, Vec<Word>)| {
        let mut words = words.into_iter();
        let (title, options) = (words.next()?.value, words.next());
        let value = options.as_ref().map(|word| word.value.clone()).unwrap_or_default();
        Some((Entry { title, line: number, loader: None, options: value }, options))
    };
    lines(text).filter_map(move |line| line.map(found).transpose())
}

/// The stanzas of `refind.conf`, and the entries below them, that have options of their own.
fn stanzas(text: &str) -> Result<Vec<Found>, Refused> {
    let mut found: Vec<Found> = Vec::new();
    // The title, and the loader as far as it is known; below a stanza its loader counts.
    let mut open: Vec<(String, Option<String>)> = Vec::new();
    for line in lines(text) {
        let (number, words) = line?;
        let mut words = words.into_iter();
        let Some(first) = words.next() else { continue };
        let second = words.next();
        let value = || second.as_ref().map(|word| word.value.clone());
        match first.value.to_ascii_lowercase().as_str() {
            "menuentry" | "submenuentry" => {
                let loader = open.last().and_then(|(_, loader)| loader.clone());
                open.push((value().unwrap_or_default(), loader));
            }
            "}" => {
                open.pop();
            }
            "loader" => {
                if let Some((title, loader)) = open.last_mut() {
                    *loader = value();
                    for (entry, _) in found.iter_mut().filter(|(entry, _)| entry.title == *title) {
                        entry.loader.clone_from(loader);
                    }
                }
            }
            "options" => {
                let Some((title, loader)) = open.last() else { continue };
                if found
                    .iter()
                    .any(|(entry, _)| entry.title == *title && loader.is_some() && entry.loader == *loader)
                {
                    return Err(Refused::at(
                        number,
                        format!("the stanza ‘{title}’ has options a second time"),
                        "leave only the line that is meant",
                    ));
                }
                let options = value().unwrap_or_default();
                found.push((
                    Entry { title: title.clone(), line: number, loader: loader.clone(), options },
                    second,
                ));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn changed(
    text: &str,
    found: Vec<Found>,
    change: &Change,
    meant: impl Fn(&Entry) -> bool,
) -> Result<String, Refused> {
    let mut parts = Vec::new();
    for (entry, options) in found.into_iter().filter(|(entry, _)| meant(entry)) {
        let Some(word) = options.filter(|word| word.quoted) else {
            return Err(Refused::at(
                entry.line,
                format!("the options of ‘{}’ are not in double quotes", entry.title),
                "put double quotes around all of them",
            ));
        };
        let mut piece = [Piece { line: entry.line, value: word.value }];
        change.make(&mut piece)?;
        let [Piece { value, .. }] = piece;
        parts.push((word.place, value.replace('"', "\"\"")));
    }
    Ok(with_parts(text, parts))
}

/// The lines of `refind_linux.conf` that can be read: a label and options each.
pub fn read_linux(text: &str) -> Vec<Entry> {
    linux_lines(text).flatten().map(|(entry, _)| entry).collect()
}

/// `refind_linux.conf` with one change made to the options of the lines that are `meant`.
pub fn edit_linux(text: &str, change: &Change, meant: impl Fn(&Entry) -> bool) -> Result<String, Refused> {
    changed(text, linux_lines(text).collect::<Result<_, _>>()?, change, meant)
}

/// `refind_linux.conf` with one line more at its end: the options of the first line that is `meant`, with changes, under another
/// label. The first line, which rEFInd starts when nobody chooses, stays the first.
pub fn copy_linux(
    text: &str,
    meant: impl Fn(&Entry) -> bool,
    title: &str,
    changes: &[Change],
) -> Result<String, Refused> {
    let found: Vec<Found> = linux_lines(text).collect::<Result<_, _>>()?;
    let Some((entry, _)) = found.into_iter().find(|(entry, _)| meant(entry)) else {
        return Err(Refused::whole(
            "no line of it is for a usual start",
            "add a line with a label and options",
        ));
    };
    let quoted = |text: &str| text.replace('"', "\"\"");
    let mut line = format!("\"{}\" \"{}\"", quoted(title), quoted(&entry.options));
    for change in changes {
        line = edit_linux(&line, change, |_| true)?;
    }
    Ok(format!("{text}{}", new_line(text, &line)))
}

/// `refind_linux.conf` without the lines that are `meant`.
pub fn without_linux(text: &str, meant: impl Fn(&Entry) -> bool) -> String {
    let gone: Vec<usize> =
        linux_lines(text).flatten().map(|(entry, _)| entry).filter(meant).map(|entry| entry.line).collect();
    let kept = text.split_inclusive('\n').enumerate().filter(|(index, _)| !gone.contains(&(index + 1)));
    kept.map(|(_, line)| line).collect()
}

/// The stanzas of `refind.conf` that have options.
pub fn read_stanzas(text: &str) -> Result<Vec<Entry>, Refused> {
    Ok(stanzas(text)?.into_iter().map(|(entry, _)| entry).collect())
}

/// `refind.conf` with one change made to the options of the stanzas that are `meant`.
pub fn edit_stanzas(text: &str, change: &Change, meant: impl Fn(&Entry) -> bool) -> Result<String, Refused> {
    changed(text, stanzas(text)?, change, meant)
}

#[cfg(test)]
mod tests {
    use super::{Entry, copy_linux, edit_linux, edit_stanzas, read_linux, read_stanzas, without_linux};
    use crate::cmdline::change::tests::{add, remove, replace};
    use proptest::prelude::*;

    const LINUX: &str = "# made by mkrlconf\n\"Boot with standard options\"  \"ro root=UUID=1 quiet\" # usual\n\n\
                         \"Boot to single-user mode\"    \"ro root=UUID=1 single\"\n\"Debug \"\"all\"\"\" \"ro dyndbg=\"\"file x +p\"\"\"\r\n";

    #[test]
    fn one_word_changes_in_the_second_column_of_the_lines_that_are_meant() {
        let normal = |entry: &Entry| !entry.options.contains("single");
        let longer = edit_linux(LINUX, &add("intel_iommu=on"), normal).expect("plain");
        assert_eq!(
            longer,
            LINUX.replace("quiet\"", "quiet intel_iommu=on\"").replace("+p\"\"\"", "+p\"\" intel_iommu=on\"")
        );
        assert_eq!(edit_linux(&longer, &remove("intel_iommu=on"), normal).as_deref(), Ok(LINUX));
        assert_eq!(
            edit_linux(LINUX, &replace("dyndbg=\"file x +p\"", "a=\"b c\""), |_| true),
            Ok(LINUX.replace("dyndbg=\"\"file x +p\"\"", "a=\"\"b c\"\""))
        );
        let titles: Vec<String> = read_linux(LINUX).into_iter().map(|entry| entry.title).collect();
        assert_eq!(titles, ["Boot with standard options", "Boot to single-user mode", "Debug \"all\""]);
    }

    #[test]
    fn a_line_is_copied_to_the_end_under_another_label_and_taken_out_again() {
        let changes = [add("passthru.off"), remove("quiet")];
        let longer = copy_linux(LINUX, |_| true, "Without \"it\"", &changes).expect("plain");
        assert_eq!(longer, format!("{LINUX}\"Without \"\"it\"\"\" \"ro root=UUID=1 passthru.off\"\r\n"));
        let ours = |entry: &Entry| entry.options.contains("passthru.off");
        assert_eq!(without_linux(&longer, ours), LINUX);
        assert_eq!(
            copy_linux("# none\n", |_| true, "x", &[]).map_err(|refused| refused.to_string()),
            Err("no line of it is for a usual start; add a line with a label and options".to_owned())
        );
    }

    const STANZAS: &str = "timeout 20\ninclude more.conf\nmenuentry \"Arch\" {\n    icon /EFI/refind/icons/os_arch.png\n    \
                           loader /vmlinuz-linux\n    options \"root=UUID=1 rw # not a comment\"\n    submenuentry \"Fallback\" {\n        \
                           initrd /fallback.img\n    }\n    submenuentry \"Text\" {\n        options \"root=UUID=1 3\"\n    }\n    \
                           # options \"no\"\n    disabled\n}\nmenuentry Windows {\n    loader \\EFI\\Microsoft\\x.efi\n}\n";

    #[test]
    fn stanzas_are_edited_where_they_have_options() {
        let seen: Vec<_> = read_stanzas(STANZAS)
            .expect("plain")
            .into_iter()
            .map(|entry| (entry.title, entry.line, entry.loader.unwrap_or_default()))
            .collect();
        let kernel = || "/vmlinuz-linux".to_owned();
        assert_eq!(seen, [("Arch".to_owned(), 6, kernel()), ("Text".to_owned(), 11, kernel())]);
        let longer = edit_stanzas(STANZAS, &add("x=1"), |entry| entry.title == "Arch").expect("plain");
        assert_eq!(longer, STANZAS.replace("comment\"", "comment x=1\""));
        assert_eq!(edit_stanzas(&longer, &remove("x=1"), |_| true).as_deref(), Ok(STANZAS));
    }

    #[test]
    fn what_is_not_in_quotes_or_open_or_there_twice_is_refused() {
        let refused = |text| edit_linux(text, &add("x"), |_| true).map_err(|refused| refused.to_string());
        assert_eq!(
            refused("\n\"A\" \"ro\n"),
            Err("line 2: a quote that is opened here is never closed; close it on the same line".to_owned())
        );
        let bare = "the options of ‘A’ are not in double quotes; put double quotes around all of them";
        assert_eq!(refused("\"A\" ro quiet\n"), Err(format!("line 1: {bare}")));
        assert_eq!(refused("\"A\"\n"), Err(format!("line 1: {bare}")));
        assert_eq!(
            refused("\"A\" \"ro a=\"\"b\"\n"),
            Err("line 1: a double quote is opened and not closed on the line; close it on the same line"
                .to_owned())
        );
        let twice = "menuentry A {\nloader /a\noptions \"a\"\noptions \"b\"\n}\n";
        assert_eq!(
            edit_stanzas(twice, &add("x"), |_| true).map_err(|refused| refused.to_string()),
            Err("line 4: the stanza ‘A’ has options a second time; leave only the line that is meant"
                .to_owned())
        );
    }

    proptest! {
        #[test]
        fn adding_and_taking_out_gives_the_same_bytes(
            lines in prop::collection::vec(
                prop_oneof![
                    "\"[A-Za-z ]{1,6}(\"\"[a-z]\"\")?\"[ \t]{1,3}\"[a-z=,#]{0,4}( [a-z]{1,3}=\"\"[a-z ]{0,3}\"\"){0,2}\"( # .?)?",
                    "#[ -~]{0,6}", "[ \t]{0,2}",
                ],
                0..6,
            ),
            end in "\n?",
        ) {
            let text = format!("{}{end}", lines.join("\n"));
            let longer = edit_linux(&text, &add("new_word=1"), |_| true).expect("plain");
            prop_assert_eq!(edit_linux(&text, &remove("new_word=1"), |_| true), Ok(text.clone()));
            let entries = read_linux(&longer);
            prop_assert!(entries.iter().all(|entry| crate::cmdline::CommandLine::new(&entry.options).has_word("new_word=1")));
            prop_assert_eq!(edit_linux(&longer, &remove("new_word=1"), |_| true), Ok(text));
        }

        #[test]
        fn no_text_makes_it_panic(text: String, code in "(menuentry |options |loader |[{}\"\n #=,a])*") {
            for text in [text, code] {
                let _ = (edit_linux(&text, &add("x"), |_| true), edit_stanzas(&text, &add("x"), |_| true));
            }
        }
    }
}
