//! modprobe.d(5): what modprobe and udev load modules with. Read as kmod reads it (`libkmod/libkmod-config.c`).

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
    use super::{ModprobeCommand, parse};
    use proptest::prelude::*;

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
        fn no_bytes_make_it_panic_and_no_line_is_counted_past_the_end(bytes: Vec<u8>) {
            let file = parse("f", &bytes);
            let lines = String::from_utf8_lossy(&bytes).lines().count();
            prop_assert!(file.commands.iter().all(|said| said.line >= 1 && said.line <= lines));
        }
    }
}
