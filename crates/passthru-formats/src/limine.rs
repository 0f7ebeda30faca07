//! Limine's menu, `limine.conf` (Limine's CONFIG.md): entries begin with `/TITLE`, options are `name: value`. In the `limine.cfg` of
//! version 7 and before they begin with `:TITLE`, and options are `NAME=value`.

use std::ops::Range;

use crate::cmdline::{Change, Piece, with_parts};
use crate::error::Refused;
use crate::key_value::{block_start, line_start, new_line, with_block};

/// One entry of the menu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What the menu shows.
    pub title: String,
    /// The line it begins on, from 1.
    pub line: usize,
    /// How it is started: `linux`, `efi` and others.
    pub protocol: Option<String>,
    /// The kernel or EFI image, with the hash behind `#` where there is one.
    pub image: Option<String>,
    /// The initramfs images, as [`Entry::image`] has the kernel.
    pub modules: Vec<String>,
    /// The command line.
    pub cmdline: Option<String>,
    /// The line of the command line, from 1.
    pub cmdline_line: Option<usize>,
}

impl Entry {
    /// Whether Limine checks the image against a hash: then a changed image does not start until the hash is written anew.
    pub fn is_hashed(&self) -> bool {
        self.image.as_deref().is_some_and(|path| path.contains('#'))
    }

    /// Whether it starts an EFI program, such as a unified kernel image that has its command line inside.
    fn is_efi(&self) -> bool {
        self.protocol.as_deref().is_some_and(|protocol| protocol.to_ascii_lowercase().starts_with("efi"))
    }
}

/// An entry with the places of what an edit needs.
#[derive(Default)]
struct Found {
    entry: Entry,
    /// All values of command lines, with their lines.
    cmdlines: Vec<(Range<usize>, usize)>,
    /// The last line that says something, without its line break.
    end: usize,
    indentation: String,
}

fn parse(text: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut at = 0;
    for (index, whole) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += whole.len();
        let line = whole.trim();
        let begins = start + (whole.len() - whole.trim_start().len());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with(['/', ':']) {
            let title = line.trim_start_matches(['/', ':', '+']).trim().to_owned();
            let entry = Entry { title, line: index + 1, ..Entry::default() };
            found.push(Found {
                entry,
                end: begins + line.len(),
                indentation: "    ".to_owned(),
                ..Found::default()
            });
            continue;
        }
        let (Some(last), Some(separator)) = (found.last_mut(), line.find([':', '='])) else { continue };
        last.end = begins + line.len();
        text.get(start..begins).unwrap_or_default().clone_into(&mut last.indentation);
        let (name, value) = (&line[..separator], line[separator + 1..].trim());
        let entry = &mut last.entry;
        match name.trim().to_ascii_lowercase().as_str() {
            "cmdline" | "kernel_cmdline" => {
                last.cmdlines.push((begins + separator + 1..begins + line.len(), index + 1));
                entry.cmdline = entry.cmdline.take().or(Some(value.to_owned()));
                entry.cmdline_line = entry.cmdline_line.or(Some(index + 1));
            }
            "path" | "kernel_path" | "image_path" => entry.image = Some(value.to_owned()),
            "module_path" => entry.modules.push(value.to_owned()),
            "protocol" => entry.protocol = Some(value.to_owned()),
            _ => {}
        }
    }
    found
}

/// The entries of the menu, in order; directories of entries are among them, without a command line.
pub fn entries(text: &str) -> Vec<Entry> {
    parse(text).into_iter().map(|found| found.entry).collect()
}

/// The menu with one change made to the command lines of the entries that are `meant`. Images and their hashes stay as they are.
pub fn edit(text: &str, change: &Change, meant: impl Fn(&Entry) -> bool) -> Result<String, Refused> {
    let mut parts = Vec::new();
    for Found { entry, cmdlines, end, indentation } in
        parse(text).into_iter().filter(|found| meant(&found.entry))
    {
        match (cmdlines.as_slice(), change) {
            ([(range, line)], _) => {
                let value = text.get(range.clone()).unwrap_or_default();
                if value.contains("${") {
                    return Err(Refused::at(
                        *line,
                        "the command line has a macro ${…}, whose words are not to be seen on the line",
                        "write the words in the macro's place",
                    ));
                }
                let mut piece = [Piece { line: *line, value: value.to_owned() }];
                change.make(&mut piece)?;
                let [Piece { value, .. }] = piece;
                let blank = if value.starts_with(' ') || value.is_empty() { "" } else { " " };
                let is_old = text.get(range.start - 1..range.start) == Some("=");
                parts.push((range.clone(), if is_old { value } else { format!("{blank}{value}") }));
            }
            ([_, (_, second), ..], _) => {
                return Err(Refused::at(
                    *second,
                    format!("the entry ‘{}’ has a second command line", entry.title),
                    "leave only the one that is meant",
                ));
            }
            ([], Change::Add(_)) if entry.is_efi() => {
                return Err(Refused::at(
                    entry.line,
                    format!("the entry ‘{}’ starts an image that has its command line inside", entry.title),
                    "change the command line that the image is made from, and make the image anew",
                ));
            }
            ([], Change::Add(_)) if entry.image.is_none() => {
                return Err(Refused::at(
                    entry.line,
                    format!("the entry ‘{}’ names no kernel", entry.title),
                    "choose an entry that starts one",
                ));
            }
            ([], Change::Add(new)) => {
                let line = format!("{indentation}cmdline: {}", new.as_str());
                let at = text[end..].find('\n').map_or(text.len(), |more| end + more + 1);
                parts.push((at..at, new_line(&text[..at], &line)));
            }
            ([], _) => {}
        }
    }
    Ok(with_parts(text, parts))
}

/// The menu with one entry more at its end: a copy of the first entry that is `meant`, with changes to its command line, under
/// another title. Entries are counted from the beginning where one is started by default, so that none changes its number.
pub fn copy(
    text: &str,
    meant: impl Fn(&Entry) -> bool,
    title: &str,
    changes: &[Change],
) -> Result<String, Refused> {
    let Some(found) = parse(text).into_iter().find(|found| meant(&found.entry)) else {
        return Err(Refused::whole(
            "no entry of it is for a usual start",
            "add an entry that starts a kernel",
        ));
    };
    let begin = line_start(text, found.entry.line);
    let block = text.get(begin..found.end).unwrap_or_default();
    let (head, body) = block.split_once('\n').unwrap_or((block, ""));
    let sign = if head.trim_start().starts_with(':') { ':' } else { '/' };
    let mut block = format!("{sign}{title}\n{body}");
    for change in changes {
        block = edit(&block, change, |_| true)?;
    }
    Ok(with_block(text, &format!("{}\n", block.trim_end_matches('\n'))))
}

/// Where a file is on the partition of the menu, without its hash; `None`: it is on another one.
pub fn beside_menu(path: &str) -> Option<&str> {
    let file = path.split('#').next()?.trim().strip_prefix("boot():")?;
    file.starts_with('/').then_some(file)
}

/// The menu without the entries that are `meant`, and without the empty line ahead of each.
pub fn without(text: &str, meant: impl Fn(&Entry) -> bool) -> String {
    let mut parts = Vec::new();
    for found in parse(text).into_iter().filter(|found| meant(&found.entry)) {
        let begin = block_start(text, found.entry.line);
        let end = text[found.end..].find('\n').map_or(text.len(), |more| found.end + more + 1);
        parts.push((begin..end, String::new()));
    }
    with_parts(text, parts)
}

#[cfg(test)]
mod tests {
    use super::{Entry, beside_menu, copy, edit, entries, without};
    use crate::cmdline::change::tests::{add, remove, replace};
    use proptest::prelude::*;

    const MENU: &str = "timeout: 5\n${X}=quiet\n\n/Arch Linux\n    # the usual one\n    protocol: linux\n    \
                        path: boot():/vmlinuz-linux#0a1b2c\n    cmdline: root=UUID=1 rd.luks.name=2=root rw\n    \
                        module_path: boot():/initramfs.img#3d4e\n/+Others\n//Arch LTS\n\tprotocol: linux\n\tKERNEL_CMDLINE: root=UUID=1\n\
                        \tpath: boot():/vmlinuz-lts\n/Image\n    protocol: efi\n    path: boot():/EFI/Linux/arch.efi#9f\n";

    fn linux(entry: &Entry) -> bool {
        entry.protocol.as_deref() == Some("linux")
    }

    #[test]
    fn an_entry_is_copied_to_the_end_under_another_title_and_taken_out_again() {
        let longer = copy(MENU, linux, "Without", &[add("passthru.off")]).expect("plain");
        assert_eq!(
            longer,
            format!(
                "{MENU}\n/Without\n    # the usual one\n    protocol: linux\n    path: boot():/vmlinuz-linux#0a1b2c\n    \
                 cmdline: root=UUID=1 rd.luks.name=2=root rw passthru.off\n    module_path: boot():/initramfs.img#3d4e\n"
            )
        );
        assert_eq!(without(&longer, |entry| entry.title == "Without"), MENU);
        assert_eq!(
            copy("timeout: 5\n", linux, "x", &[]).map_err(|refused| refused.to_string()),
            Err("no entry of it is for a usual start; add an entry that starts a kernel".to_owned())
        );
    }

    #[test]
    fn files_beside_the_menu_are_told_from_others() {
        assert_eq!(beside_menu("boot():/1/linux/vmlinuz-linux#cd"), Some("/1/linux/vmlinuz-linux"));
        assert_eq!((beside_menu("guid(1):/a"), beside_menu("boot():a")), (None, None));
        let modules: Vec<Vec<String>> = entries(MENU).into_iter().map(|entry| entry.modules).collect();
        assert_eq!(modules[0], ["boot():/initramfs.img#3d4e"]);
    }

    #[test]
    fn one_word_changes_on_each_entry_that_is_meant_and_hashes_stay() {
        let longer = edit(MENU, &add("intel_iommu=on"), linux).expect("plain");
        assert_eq!(
            longer,
            MENU.replace("root rw\n", "root rw intel_iommu=on\n")
                .replace("KERNEL_CMDLINE: root=UUID=1\n", "KERNEL_CMDLINE: root=UUID=1 intel_iommu=on\n")
        );
        assert_eq!(edit(&longer, &remove("intel_iommu=on"), linux).as_deref(), Ok(MENU));
        assert_eq!(
            edit(MENU, &replace("rw", "ro"), |entry| entry.title == "Arch Linux"),
            Ok(MENU.replace("root rw", "root ro"))
        );
        let hashed: Vec<bool> = entries(MENU).iter().map(Entry::is_hashed).collect();
        assert_eq!(hashed, [true, false, false, true]);
    }

    #[test]
    fn an_entry_without_a_command_line_gets_one_in_its_own_indentation() {
        let text = "/A\n  path: boot():/a\n/B\n  path: boot():/b";
        assert_eq!(
            edit(text, &add("x"), |_| true).as_deref(),
            Ok("/A\n  path: boot():/a\n  cmdline: x\n/B\n  path: boot():/b\n  cmdline: x\n")
        );
        assert_eq!(
            edit("/A\npath: a\ncmdline:\n", &add("x"), |_| true).as_deref(),
            Ok("/A\npath: a\ncmdline: x\n")
        );
    }

    #[test]
    fn the_syntax_of_version_7_is_edited_too() {
        let text = ":Arch\nPROTOCOL=linux\nKERNEL_PATH=boot:///vmlinuz\nCMDLINE=root=UUID=1 rw\n";
        assert_eq!(edit(text, &add("x"), |_| true), Ok(text.replace("rw\n", "rw x\n")));
        assert_eq!(edit(text, &remove("root=UUID=1"), |_| true), Ok(text.replace("root=UUID=1 ", "")));
    }

    #[test]
    fn what_is_inside_an_image_or_a_macro_or_there_twice_is_refused() {
        let refused = |text| edit(text, &add("x"), |_| true).map_err(|refused| refused.to_string());
        assert_eq!(
            refused("/Image\nprotocol: efi\npath: boot():/a.efi#9f\n"),
            Err("line 1: the entry ‘Image’ starts an image that has its command line inside; change the command line that the \
                 image is made from, and make the image anew"
                .to_owned())
        );
        assert_eq!(
            refused("/A\npath: a\ncmdline: ${X} rw\n"),
            Err("line 3: the command line has a macro ${…}, whose words are not to be seen on the line; write the words in the \
                 macro's place"
                .to_owned())
        );
        assert_eq!(
            refused("/A\npath: a\ncmdline: a\nkernel_cmdline: b\n"),
            Err("line 4: the entry ‘A’ has a second command line; leave only the one that is meant"
                .to_owned())
        );
        assert_eq!(
            refused("/A\n"),
            Err("line 1: the entry ‘A’ names no kernel; choose an entry that starts one".to_owned())
        );
    }

    proptest! {
        #[test]
        fn adding_and_taking_out_gives_the_same_bytes(
            lines in prop::collection::vec(
                prop_oneof![
                    "[ ]{0,2}//?[A-Za-z ]{1,5}", "[ \t]{0,2}path: [a-z/():#]{1,6}", "[ \t]{1,2}(cmdline|KERNEL_CMDLINE): [a-z=]{1,4}( [a-z=,]{1,4}){0,3}[ ]{0,2}",
                    "[ ]{0,2}#[ -~]{0,6}", "[ ]{0,2}", "timeout: [0-9]",
                ],
                0..12,
            ),
            end in "\n?",
        ) {
            let text = format!("{}{end}", lines.join("\n"));
            let has = |entry: &Entry| entry.cmdline.is_some();
            prop_assert_eq!(edit(&text, &remove("new_word=1"), |_| true).unwrap_or_else(|_| text.clone()), text.clone());
            if let Ok(longer) = edit(&text, &add("new_word=1"), has) {
                let count = entries(&longer).iter().filter(|entry| has(entry)).count();
                prop_assert_eq!(longer.matches(" new_word=1").count(), count);
                prop_assert_eq!(edit(&longer, &remove("new_word=1"), has), Ok(text));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text: String, code in "(/A|cmdline|path|[:= \n\t#a])*") {
            for text in [text, code] {
                let _ = (edit(&text, &add("x"), |_| true), edit(&text, &remove("a"), |_| true));
            }
        }
    }
}
