//! `syslinux.cfg` and `extlinux.conf`: `LABEL`, `LINUX` or `KERNEL`, `APPEND`, in letters of either case
//! (<https://wiki.syslinux.org/wiki/index.php?title=Config>); U-Boot reads the same file.

use std::fmt::Write as _;

use crate::cmdline::{Change, with_parts};
use crate::error::Refused;
use crate::key_value::{self, Line, block_start, line_start, with_block};

/// One label of the menu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The label.
    pub label: String,
    /// The line it begins on, from 1.
    pub line: usize,
    /// The kernel.
    pub kernel: Option<String>,
    /// The label's own parameters.
    pub append: Option<String>,
    /// The line of the parameters, from 1.
    pub append_line: Option<usize>,
}

/// A label with the lines that an edit needs.
#[derive(Default)]
struct Found<'a> {
    entry: Entry,
    appends: Vec<Line<'a>>,
    last: Option<Line<'a>>,
}

/// The lines that say something; what is shown as help is text and only looks like settings.
fn said(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut in_help = false;
    key_value::lines(text).filter(move |line| {
        let begins = line.key.eq_ignore_ascii_case("text") && line.value.eq_ignore_ascii_case("help");
        let help = in_help || begins;
        in_help = help && !line.key.eq_ignore_ascii_case("endtext");
        !help
    })
}

/// The labels, and the `APPEND` above them all, which counts for those that have none of their own.
fn parse(text: &str) -> (Vec<Found<'_>>, Option<Line<'_>>) {
    let mut found: Vec<Found<'_>> = Vec::new();
    let mut above = None;
    for line in said(text) {
        let key = line.key.to_ascii_lowercase();
        if key == "label" {
            let entry = Entry { label: line.value.to_owned(), line: line.number, ..Entry::default() };
            found.push(Found { entry, last: Some(line), ..Found::default() });
            continue;
        }
        let Some(Found { entry, appends, last }) = found.last_mut() else {
            if key == "append" {
                above = Some(line);
            }
            continue;
        };
        match key.as_str() {
            "linux" | "kernel" => {
                entry.kernel = Some(line.value.to_owned());
                *last = Some(line);
            }
            "append" => {
                entry.append = Some(line.value.to_owned());
                entry.append_line = Some(line.number);
                appends.push(line);
            }
            _ => {}
        }
    }
    (found, above)
}

/// The labels of the menu, in order.
pub fn entries(text: &str) -> Vec<Entry> {
    parse(text).0.into_iter().map(|found| found.entry).collect()
}

/// The menu with one change made to the parameters of the labels that are `meant`.
pub fn edit(text: &str, change: &Change, meant: impl Fn(&Entry) -> bool) -> Result<String, Refused> {
    let (found, above) = parse(text);
    let mut edited = text.to_owned();
    // From the end to the beginning, so that the places ahead stay.
    for Found { entry, appends, last } in found.into_iter().rev().filter(|found| meant(&found.entry)) {
        match (appends.as_slice(), &above, change) {
            ([only], _, _) if only.value == "-" => {
                return Err(Refused::at(
                    only.number,
                    format!("‘APPEND -’ says that the label ‘{}’ has no parameters at all", entry.label),
                    "write its parameters in the place of the -",
                ));
            }
            ([only], _, _) => edited = key_value::change(&edited, std::slice::from_ref(only), change)?,
            ([_, second, ..], _, _) => {
                return Err(Refused::at(
                    second.number,
                    format!("the label ‘{}’ has APPEND a second time", entry.label),
                    "leave only the line that is meant",
                ));
            }
            ([], Some(above), _) => {
                return Err(Refused::at(
                    above.number,
                    format!("the label ‘{}’ has its parameters from this line, as others may", entry.label),
                    "give the label an APPEND line of its own, with the same parameters",
                ));
            }
            ([], None, Change::Add(new)) => {
                let Some(last) = last.filter(|_| entry.kernel.is_some()) else {
                    return Err(Refused::at(
                        entry.line,
                        format!("the label ‘{}’ names no kernel", entry.label),
                        "choose a label that starts one",
                    ));
                };
                let end = last.place.end;
                let at = edited[end..].find('\n').map_or(edited.len(), |more| end + more + 1);
                let begin = edited[..last.place.start].rfind('\n').map_or(0, |before| before + 1);
                let indentation: String =
                    edited[begin..].chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
                let line =
                    key_value::new_line(&edited[..at], &format!("{indentation}APPEND {}", new.as_str()));
                edited.insert_str(at, &line);
            }
            ([], None, _) => {}
        }
    }
    Ok(edited)
}

/// The lines of a label that a copy of it has too: what is started, and not what the menu makes of it.
const COPIED: [&str; 6] = ["linux", "kernel", "initrd", "append", "fdt", "fdtdir"];

/// The menu with one label more at its end: a copy of the first one that is `meant`, with changes to its parameters, under
/// another label and title.
pub fn copy(
    text: &str,
    meant: impl Fn(&Entry) -> bool,
    (label, title): (&str, &str),
    changes: &[Change],
) -> Result<String, Refused> {
    let found = parse(text).0.into_iter().map(|found| found.entry).find(|entry| meant(entry));
    let Some(entry) = found else {
        return Err(Refused::whole(
            "no label of it is for a usual start",
            "add a label that starts a kernel",
        ));
    };
    let of_label = said(text)
        .skip_while(|line| line.number <= entry.line)
        .take_while(|line| !line.key.eq_ignore_ascii_case("label"));
    let mut block = format!("LABEL {label}\n  MENU LABEL {title}\n");
    for line in of_label.filter(|line| COPIED.iter().any(|key| line.key.eq_ignore_ascii_case(key))) {
        let _ = writeln!(block, "  {} {}", line.key, line.value);
    }
    // Parameters that stand above all labels count for the copy as for what it is made from.
    let above = text.get(..line_start(text, entry.line)).unwrap_or_default();
    for change in changes {
        let whole = edit(&format!("{above}{block}"), change, |entry| entry.label == label)?;
        whole.get(above.len()..).unwrap_or_default().clone_into(&mut block);
    }
    Ok(with_block(text, &block))
}

/// The menu without the labels that are `meant`, and without the empty line ahead of each.
pub fn without(text: &str, meant: impl Fn(&Entry) -> bool) -> String {
    let entries = entries(text);
    let mut parts = Vec::new();
    for (position, entry) in entries.iter().enumerate().filter(|(_, entry)| meant(entry)) {
        let begin = block_start(text, entry.line);
        let end = entries.get(position + 1).map_or(text.len(), |next| line_start(text, next.line));
        parts.push((begin..end, String::new()));
    }
    with_parts(text, parts)
}

#[cfg(test)]
mod tests {
    use super::{Entry, copy, edit, entries, without};
    use crate::cmdline::change::tests::{add, remove, replace};
    use proptest::prelude::*;

    const MENU: &str = "DEFAULT arch\nPROMPT 0\n# LABEL no\nLABEL arch\n    MENU LABEL Arch Linux\n    LINUX ../vmlinuz-linux\n    \
                        APPEND root=/dev/sda3 rw initrd=../a.img\n    INITRD ../initramfs-linux.img\nTEXT HELP\n  append this\nENDTEXT\n\
                        label lts\n\tkernel ../vmlinuz-lts\n\tappend root=/dev/sda3 ro\nLABEL hdt\n    COM32 hdt.c32\n";

    #[test]
    fn a_label_is_copied_to_the_end_under_another_one_and_taken_out_again() {
        let name = ("passthru-off", "Without");
        let longer = copy(MENU, linux, name, &[add("passthru.off")]).expect("plain");
        assert_eq!(
            longer,
            format!(
                "{MENU}\nLABEL passthru-off\n  MENU LABEL Without\n  LINUX ../vmlinuz-linux\n  \
                 APPEND root=/dev/sda3 rw initrd=../a.img passthru.off\n  INITRD ../initramfs-linux.img\n"
            )
        );
        assert_eq!(without(&longer, |entry| entry.label == "passthru-off"), MENU);
        let above = "APPEND quiet\nLABEL a\nLINUX /a\n";
        assert!(copy(above, linux, name, &[add("x")]).is_err(), "the parameters are those of all labels");
    }

    fn linux(entry: &Entry) -> bool {
        entry.kernel.is_some()
    }

    #[test]
    fn one_word_changes_on_the_append_line_of_each_label_that_is_meant() {
        let longer = edit(MENU, &add("intel_iommu=on"), linux).expect("plain");
        assert_eq!(
            longer,
            MENU.replace("a.img\n", "a.img intel_iommu=on\n")
                .replace("sda3 ro\n", "sda3 ro intel_iommu=on\n")
        );
        assert_eq!(edit(&longer, &remove("intel_iommu=on"), linux).as_deref(), Ok(MENU));
        assert_eq!(
            edit(MENU, &replace("rw", "ro"), |entry| entry.label == "arch"),
            Ok(MENU.replace("rw", "ro"))
        );
        assert_eq!(entries(MENU).len(), 3);
    }

    #[test]
    fn a_label_without_the_line_gets_one_below_its_kernel() {
        assert_eq!(
            edit("LABEL a\n  LINUX /a\n  INITRD /b\n", &add("x"), linux).as_deref(),
            Ok("LABEL a\n  LINUX /a\n  APPEND x\n  INITRD /b\n")
        );
    }

    #[test]
    fn what_counts_for_others_or_says_none_or_is_there_twice_is_refused() {
        let refused = |text| edit(text, &add("x"), |_| true).map_err(|refused| refused.to_string());
        assert_eq!(
            refused("APPEND a\nLABEL l\nLINUX /a\n"),
            Err("line 1: the label ‘l’ has its parameters from this line, as others may; give the label an APPEND line of its own, \
                 with the same parameters"
                .to_owned())
        );
        assert_eq!(
            refused("LABEL l\nLINUX /a\nAPPEND -\n"),
            Err("line 3: ‘APPEND -’ says that the label ‘l’ has no parameters at all; write its parameters in the place of the -"
                .to_owned())
        );
        assert_eq!(
            refused("LABEL l\nLINUX /a\nAPPEND a\nappend b\n"),
            Err("line 4: the label ‘l’ has APPEND a second time; leave only the line that is meant"
                .to_owned())
        );
        assert_eq!(
            refused("LABEL l\n"),
            Err("line 1: the label ‘l’ names no kernel; choose a label that starts one".to_owned())
        );
    }

    proptest! {
        #[test]
        fn adding_and_taking_out_gives_the_same_bytes(
            lines in prop::collection::vec(
                prop_oneof![
                    "[ ]{0,2}LABEL [a-z]{1,3}", "[ \t]{0,2}(LINUX|kernel) /[a-z]{1,3}", "[ \t]{0,2}(APPEND|append)[ \t]{1,2}[a-z=]{1,4}( [a-z=,]{1,4}){0,3}[ ]{0,2}",
                    "[ ]{0,2}#[ -~]{0,6}", "[ ]{0,2}",
                ],
                0..12,
            ),
            end in "\n?",
        ) {
            let text = format!("{}{end}", lines.join("\n"));
            let has = |entry: &Entry| entry.append.is_some();
            if let Ok(longer) = edit(&text, &add("new_word=1"), has) {
                let count = entries(&longer).iter().filter(|entry| has(entry)).count();
                prop_assert_eq!(longer.matches(" new_word=1").count(), count);
                prop_assert_eq!(edit(&longer, &remove("new_word=1"), has), Ok(text));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text: String, code in "(LABEL |APPEND|LINUX |TEXT HELP|[ \n\t#a-])*") {
            for text in [text, code] {
                let _ = (edit(&text, &add("x"), |_| true), edit(&text, &remove("a"), |_| true));
            }
        }
    }
}
