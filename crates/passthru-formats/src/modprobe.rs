//! modprobe.d(5): what modprobe and udev load modules with. Read as kmod reads it (`libkmod/libkmod-config.c`).

use std::collections::BTreeMap;

use passthru_model::binding::{ModprobeCommand, Said};

use crate::modules::canonical;

/// One file, cut into what counts and what does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModprobeFile {
    /// The commands, in order.
    pub commands: Vec<Said<ModprobeCommand>>,
    /// Commented lines that would be commands about vfio-pci or pci-stub.
    pub commented: Vec<Said<String>>,
    /// Lines that are no command.
    pub misunderstood: Vec<Said<String>>,
}

/// Reads one file. `path` is only for saying where a thing was said.
pub fn parse(path: &str, bytes: &[u8]) -> ModprobeFile {
    let text = String::from_utf8_lossy(bytes);
    let mut file = ModprobeFile::default();
    for (line, words) in joined_lines(&text) {
        let said = |what: String| Said { path: path.to_owned(), line, what };
        let trimmed = words.trim();
        if let Some(comment) = trimmed.strip_prefix('#') {
            let comment = comment.trim_start_matches(['#', ' ', '\t']);
            if let Some(command) = command(comment)
                && command.module().is_some_and(is_stub)
            {
                file.commented.push(said(comment.to_owned()));
            }
        } else if !trimmed.is_empty() {
            match command(trimmed) {
                Some(what) => file.commands.push(Said { path: path.to_owned(), line, what }),
                None => file.misunderstood.push(said(trimmed.to_owned())),
            }
        }
    }
    file
}

/// A file with commands replaced or taken out: by the line on which each begins, from 1, and what stands there afterwards. All
/// other bytes stay as they are.
pub fn edited(bytes: &[u8], edits: &BTreeMap<usize, Option<String>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    // Of the command that is edited: whether its next line belongs to it.
    let mut goes_on = false;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let edit = edits.get(&(index + 1));
        if !goes_on && edit.is_none() {
            out.extend_from_slice(line);
            continue;
        }
        if let (false, Some(Some(instead))) = (goes_on, edit) {
            out.extend_from_slice(instead.as_bytes());
            // The end of the last of its lines follows.
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let first = if goes_on { None } else { edit };
        goes_on = text.ends_with(b"\\");
        if matches!(first, Some(Some(_))) {
            out.extend_from_slice(line.get(text.len()..).unwrap_or_default());
        }
    }
    out
}

/// The modules that hold devices for guests.
fn is_stub(module: &str) -> bool {
    matches!(module, "vfio_pci" | "pci_stub")
}

/// Lines with those that end in a backslash joined to the next; the number is that of the first, from 1.
fn joined_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let (part, goes_on) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| open) {
            Some((_, last)) => last.push_str(part),
            None => lines.push((index + 1, part.to_owned())),
        }
        open = goes_on;
    }
    lines
}

fn command(line: &str) -> Option<ModprobeCommand> {
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let name = words.next()?;
    let module = words.next().map(canonical);
    Some(match (name, module) {
        ("options", Some(module)) => {
            ModprobeCommand::Options { module, parameters: words.map(str::to_owned).collect() }
        }
        ("install", Some(module)) => {
            ModprobeCommand::Install { module, command: words.collect::<Vec<_>>().join(" ") }
        }
        ("blacklist", Some(module)) => ModprobeCommand::Blacklist { module },
        ("softdep", Some(module)) => {
            let (mut pre, mut post) = (Vec::new(), Vec::new());
            let mut into: Option<&mut Vec<String>> = None;
            for word in words {
                match word {
                    "pre:" => into = Some(&mut pre),
                    "post:" => into = Some(&mut post),
                    _ => {
                        if let Some(list) = into.as_mut() {
                            list.push(canonical(word));
                        }
                    }
                }
            }
            ModprobeCommand::Softdep { module, pre, post }
        }
        // The last two are kept by kmod for old files, and without effect.
        ("alias" | "remove" | "weakdep", Some(_)) | ("include" | "config", _) => ModprobeCommand::Other,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{ModprobeCommand, edited, parse};
    use proptest::prelude::*;

    #[test]
    fn a_command_goes_with_its_continued_lines_and_the_rest_stays_byte_for_byte() {
        let text =
            b"# mine\r\noptions vfio-pci ids=1:2 \\\n  disable_vga=1\nblacklist x\r\nsoftdep a pre: vfio-pci";
        let edits = BTreeMap::from([(2, Some("options vfio-pci disable_vga=1".to_owned())), (5, None)]);
        let text = edited(text, &edits);
        assert_eq!(
            String::from_utf8_lossy(&text),
            "# mine\r\noptions vfio-pci disable_vga=1\nblacklist x\r\n"
        );
    }

    #[test]
    fn commands_are_read_with_their_lines_and_dashes_do_not_matter() {
        let file = parse(
            "f",
            b"# note\noptions vfio-pci ids=10de:13c2,10de:0fbb \\\n  disable_vga=1\n\nsoftdep snd-hda-intel pre: vfio-pci post: x\n\
              blacklist nouveau\ninstall vfio-pci /usr/bin/x; modprobe -i vfio-pci\nalias a b\n",
        );
        let found: Vec<_> = file.commands.iter().map(|said| (said.line, said.what.clone())).collect();
        let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            found,
            [
                (
                    2,
                    ModprobeCommand::Options {
                        module: "vfio_pci".to_owned(),
                        parameters: strings(&["ids=10de:13c2,10de:0fbb", "disable_vga=1"]),
                    }
                ),
                (
                    5,
                    ModprobeCommand::Softdep {
                        module: "snd_hda_intel".to_owned(),
                        pre: strings(&["vfio_pci"]),
                        post: strings(&["x"]),
                    }
                ),
                (6, ModprobeCommand::Blacklist { module: "nouveau".to_owned() }),
                (
                    7,
                    ModprobeCommand::Install {
                        module: "vfio_pci".to_owned(),
                        command: "/usr/bin/x; modprobe -i vfio-pci".to_owned(),
                    }
                ),
                (8, ModprobeCommand::Other),
            ]
        );
        assert!(file.commented.is_empty() && file.misunderstood.is_empty());
    }

    #[test]
    fn commented_lines_about_vfio_and_lines_that_are_no_command_are_kept_apart() {
        let file =
            parse("f", b"#options vfio-pci ids=1:2\n# options for vfio-pci\nvfio-pci ids=1:2\noptions\n");
        assert_eq!(file.commands, []);
        assert_eq!(
            file.commented.iter().map(|said| said.what.as_str()).collect::<Vec<_>>(),
            ["options vfio-pci ids=1:2"]
        );
        assert_eq!(file.misunderstood.iter().map(|said| said.line).collect::<Vec<_>>(), [3, 4]);
    }

    proptest! {
        #[test]
        fn without_edits_a_file_stays_and_without_its_commands_it_has_none(
            lines in proptest::collection::vec("(#? ?)(options|blacklist|softdep|alias)? [a-z_]{1,4}( [a-z=:\\\\]{0,6})?\r?", 0..8),
        ) {
            let text = lines.join("\n").into_bytes();
            prop_assert_eq!(&edited(&text, &BTreeMap::new()), &text);
            let all = parse("f", &text).commands.iter().map(|said| (said.line, None)).collect();
            prop_assert_eq!(parse("f", &edited(&text, &all)).commands, []);
        }

        #[test]
        fn no_bytes_make_it_panic_and_no_line_is_counted_past_the_end(bytes: Vec<u8>) {
            let file = parse("f", &bytes);
            let lines = String::from_utf8_lossy(&bytes).lines().count();
            prop_assert!(file.commands.iter().all(|said| said.line >= 1 && said.line <= lines));
        }
    }
}
