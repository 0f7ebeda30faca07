//! `/etc/kernel/cmdline`, `/etc/kernel/cmdline.d/*.conf` and `/etc/cmdline.d/*.conf`: one command line over all lines of a file.
//!
//! Read by kernel-install(8), ukify(1), mkinitcpio(8), dracut(8) and sdbootutil. Line breaks are blanks. Lines that begin with `#`
//! are comments here, as they are for most of these, but not for all: kernel-install's plugin for entries (`loaderentry`,
//! systemd 252) and ukify (systemd 257) hand the words of such a line to the kernel like any others, which was tried. A `#`
//! further on is part of a word.

use std::ops::Range;

use crate::cmdline::{Change, CommandLine, Piece, with_parts};
use crate::error::Refused;

/// Words of a running command line that belong to that boot alone: the loader gave the first two, and with the third somebody
/// started without passthrough.
const OF_ONE_BOOT: [&str; 3] = ["BOOT_IMAGE", "initrd", "passthru.off"];

/// The lines that hold parameters: their places without the blanks at their ends, and their numbers, from 1.
fn lines(text: &str) -> Vec<(Range<usize>, usize)> {
    let mut at = 0;
    let mut found = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            found.push((start..start + line.trim_end().len(), index + 1));
        }
    }
    found
}

/// The command line that a file gives; empty where it gives none.
pub fn read(text: &str) -> String {
    let lines: Vec<&str> = lines(text).into_iter().map(|(range, _)| text[range].trim()).collect();
    lines.join(" ")
}

/// A file with one change made. What is added goes to the end of the last line that holds parameters.
///
/// A file without parameters is not added to: generators would take the new word for the whole command line, root device and
/// all. [`from_running`] gives what to begin with.
pub fn edit(text: &str, change: &Change) -> Result<String, Refused> {
    let lines = lines(text);
    if lines.is_empty() && matches!(change, Change::Add(_)) {
        return Err(Refused::whole(
            "it holds no parameters, and with one alone the system would not find its root",
            "write the whole command line into it first, as /proc/cmdline shows it without BOOT_IMAGE= and initrd=, or delete it",
        ));
    }
    let mut pieces: Vec<Piece> = lines
        .iter()
        .map(|(range, line)| Piece { line: *line, value: text[range.clone()].to_owned() })
        .collect();
    change.make(&mut pieces)?;
    Ok(with_parts(
        text,
        lines.into_iter().map(|(range, _)| range).zip(pieces.into_iter().map(|one| one.value)),
    ))
}

/// A file to begin with where there is none: what `/proc/cmdline` says, without the words that belong to that boot alone.
///
/// kernel-install(8) takes the running command line where the file is missing, likewise without `BOOT_IMAGE=` and `initrd=`.
pub fn from_running(running: &str) -> String {
    let words: Vec<&str> = CommandLine::new(running)
        .words()
        .filter(|word| !OF_ONE_BOOT.iter().any(|name| word.is_named(name)))
        .map(crate::cmdline::Token::text)
        .collect();
    format!("{}\n", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{edit, from_running, read};
    use crate::cmdline::change::tests::{add, parameter, remove, replace};
    use crate::cmdline::{Change, CommandLine};
    use proptest::prelude::*;

    #[test]
    fn order_comments_and_lines_stay_and_one_word_comes_last() {
        let text = "# by hand: iommu=pt\n\nrd.luks.name=1=root root=/dev/mapper/root  \r\n  # no\n console=tty0 console=ttyS0\n";
        let longer = edit(text, &add("intel_iommu=on")).expect("plain");
        assert_eq!(longer, text.replace("ttyS0", "ttyS0 intel_iommu=on"));
        assert_eq!(edit(&longer, &remove("intel_iommu=on")).as_deref(), Ok(text));
        assert_eq!(
            read(&longer),
            "rd.luks.name=1=root root=/dev/mapper/root console=tty0 console=ttyS0 intel_iommu=on"
        );
    }

    #[test]
    fn a_file_without_a_last_line_break_and_quoted_words_are_kept() {
        let text = "root=/dev/sda1 dyndbg=\"file x +p\" #tag";
        assert_eq!(edit(text, &add("a=\"b c\"")), Ok(format!("{text} a=\"b c\"")));
        assert_eq!(
            edit(text, &replace("dyndbg=\"file x +p\"", "dyndbg=+p")).as_deref(),
            Ok("root=/dev/sda1 dyndbg=+p #tag")
        );
    }

    #[test]
    fn what_cannot_be_edited_says_where_and_what_to_do() {
        let refused = |text| edit(text, &add("x")).map_err(|refused| refused.to_string());
        assert_eq!(
            refused("root=/dev/sda1\ndyndbg=\"file x\n+p\"\n"),
            Err("line 2: a double quote is opened and not closed on the line; close it on the same line"
                .to_owned())
        );
        assert_eq!(
            refused("# root=/dev/sda1\n"),
            Err("it holds no parameters, and with one alone the system would not find its root; write the whole command line into \
                 it first, as /proc/cmdline shows it without BOOT_IMAGE= and initrd=, or delete it"
                .to_owned())
        );
    }

    #[test]
    fn a_new_file_is_what_runs_without_what_the_loader_gave() {
        assert_eq!(
            from_running(
                "BOOT_IMAGE=/vmlinuz initrd=\\initrd root=UUID=1 ro passthru.off cryptdevice=/dev/sda2:a\n"
            ),
            "root=UUID=1 ro cryptdevice=/dev/sda2:a\n"
        );
    }

    fn file() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            3 => "([ \t]{0,2}[a-z_.]{1,5}(=[a-z,:/#]{0,4}|=\"[a-z ]{0,4}\")?){1,4}[ \t\r]{0,2}",
            1 => "[ ]{0,2}#[ -~]{0,9}",
            1 => "[ \t\r]{0,2}",
        ];
        (prop::collection::vec(line, 0..5), "\n?")
            .prop_map(|(lines, end)| format!("{}{end}", lines.join("\n")))
    }

    proptest! {
        #[test]
        fn adding_and_taking_out_gives_the_same_bytes(text in file()) {
            prop_assert_eq!(edit(&text, &remove("new_word=1")), Ok(text.clone()));
            if let Ok(longer) = edit(&text, &add("new_word=1")) {
                prop_assert!(CommandLine::new(&read(&longer)).has_word("new_word=1"));
                prop_assert_eq!(edit(&longer, &remove("new_word=1")), Ok(text));
            }
        }

        #[test]
        fn a_change_leaves_all_other_words_as_they_were(text in file(), at: prop::sample::Index) {
            let before = read(&text);
            let words: Vec<&str> = CommandLine::new(&before).words().map(crate::cmdline::Token::text).collect();
            prop_assume!(!words.is_empty());
            let victim = words[at.index(words.len())];
            let other = Change::Replace { old: parameter(victim), new: parameter("new_word=1") };
            let after = read(&edit(&text, &other).expect("quotes are closed"));
            let expected: Vec<&str> =
                words.iter().map(|word| if *word == victim { "new_word=1" } else { word }).collect();
            prop_assert_eq!(CommandLine::new(&after).words().map(crate::cmdline::Token::text).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = (edit(&text, &add("x")), edit(&text, &remove("a")), read(&text), from_running(&text));
        }
    }
}
