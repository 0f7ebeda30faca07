//! GRUB's generated menu, read to tell what the next boot will read. It is never edited: `update-grub` writes it.
//!
//! Only what `grub-mkconfig` and people write for Linux is looked at: `menuentry` and `submenu` lines, and the `linux`
//! lines inside them. GRUB's own conditions around entries are not judged.

/// One menu entry that boots Linux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// What the menu shows.
    pub title: String,
    /// Its id (`$menuentry_id_option 'ID'` or `--id ID`), which `grub-reboot` takes.
    pub id: Option<String>,
    /// The titles of the submenus that it stands in, from the outermost.
    pub submenus: Vec<String>,
    /// The kernel image, as GRUB's file system shows it.
    pub kernel: String,
    /// The kernel's command line.
    pub cmdline: String,
    /// The line of the file, from 1, on which the kernel is named.
    pub line: usize,
}

impl MenuEntry {
    /// Whether it is a recovery entry: single-user mode, to which `GRUB_CMDLINE_LINUX_DEFAULT` is not given.
    pub fn is_recovery(&self) -> bool {
        self.id.as_deref().is_some_and(|id| id.contains("-recovery-"))
            || self.cmdline.split_ascii_whitespace().any(|word| matches!(word, "single" | "recovery"))
    }
}

/// A block that is open while lines are read.
enum Block {
    Submenu(String),
    Entry { title: String, id: Option<String> },
    Other,
}

/// The entries of a menu that boot Linux, in order. An entry with several `linux` lines is there once for each.
pub fn entries(text: &str) -> Vec<MenuEntry> {
    let mut found = Vec::new();
    let mut open: Vec<Block> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words = words(line);
        let Some(first) = words.first() else { continue };
        let opens = words.last().is_some_and(|word| word == "{");
        match first.as_str() {
            "}" => {
                open.pop();
            }
            "menuentry" | "submenu" if opens => {
                let title = words.get(1).cloned().unwrap_or_default();
                let id = words
                    .iter()
                    .position(|word| {
                        matches!(word.as_str(), "$menuentry_id_option" | "${menuentry_id_option}" | "--id")
                    })
                    .and_then(|at| words.get(at + 1).cloned());
                open.push(if first == "submenu" {
                    Block::Submenu(title)
                } else {
                    Block::Entry { title, id }
                });
            }
            "linux" | "linux16" | "linuxefi" => {
                let submenus = || {
                    let title = |block: &Block| match block {
                        Block::Submenu(title) => Some(title.clone()),
                        _ => None,
                    };
                    open.iter().filter_map(title).collect()
                };
                let entry = open.iter().rev().find_map(|block| match block {
                    Block::Entry { title, id } => Some((title.clone(), id.clone())),
                    _ => None,
                });
                if let (Some((title, id)), Some(kernel)) = (entry, words.get(1)) {
                    found.push(MenuEntry {
                        title,
                        id,
                        submenus: submenus(),
                        kernel: kernel.clone(),
                        cmdline: words[2..].join(" "),
                        line: index + 1,
                    });
                }
            }
            _ if opens => open.push(Block::Other),
            _ => {}
        }
    }
    found
}

/// The words of a line as GRUB cuts it: blanks separate, quotes and backslashes keep together (GRUB manual, "Quoting").
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (_, Some(open)) if c == open => quote = None,
            ('\\', None) => word.get_or_insert_default().extend(chars.next()),
            ('\\', Some('"')) => match chars.next() {
                Some(next @ ('"' | '\\' | '$')) => word.get_or_insert_default().push(next),
                next => {
                    let word = word.get_or_insert_default();
                    word.push('\\');
                    word.extend(next);
                }
            },
            ('#', None) if word.is_none() => break,
            (_, None) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::entries;
    use proptest::prelude::*;

    const MENU: &str = "\
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  fi
}
menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-1' {
\tif [ x$grub_platform = xxen ]; then insmod xzio; fi
\tlinux\t/boot/vmlinuz-6.12 root=UUID=1 ro  quiet intel_iommu=on
\tinitrd\t/boot/initrd.img-6.12
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-1' {
\tmenuentry 'Debian, with Linux 6.12 (recovery mode)' --class x $menuentry_id_option 'gnulinux-6.12-recovery-1' {
\t\tlinux\t/boot/vmlinuz-6.12 root=UUID=1 ro single
\t}
}
menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {
\tfwsetup
}
";

    #[test]
    fn the_entries_that_boot_linux_are_found_with_what_they_pass() {
        let found = entries(MENU);
        let seen: Vec<_> = found
            .iter()
            .map(|entry| {
                (entry.title.as_str(), entry.id.as_deref(), entry.submenus.len(), entry.cmdline.as_str())
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("Debian GNU/Linux", Some("gnulinux-simple-1"), 0, "root=UUID=1 ro quiet intel_iommu=on"),
                (
                    "Debian, with Linux 6.12 (recovery mode)",
                    Some("gnulinux-6.12-recovery-1"),
                    1,
                    "root=UUID=1 ro single"
                ),
            ]
        );
        assert!(found[1].is_recovery() && !found[0].is_recovery());
        assert_eq!(found[0].line, 8);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(menuentry|submenu|linux|[{}'\"\\\\ \n#$a]){0,40}", any in "\\PC{0,60}") {
            let _ = (entries(&text), entries(&any));
        }
    }
}
