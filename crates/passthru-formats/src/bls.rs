//! Entries of the Boot Loader Specification, `loader/entries/*.conf`: lines `key value`, several `options` lines one after another
//! (<https://uapi-group.org/specifications/specs/boot_loader_specification/>).

use crate::cmdline::Change;
use crate::error::Refused;
use crate::key_value::{self, Line};

/// What one entry says, as far as passthru looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What the menu shows.
    pub title: Option<String>,
    /// By what entries are put in order, ahead of the version.
    pub sort_key: Option<String>,
    /// The kernel image, or the EFI program.
    pub kernel: Option<String>,
    /// The words of all `options` lines.
    pub options: String,
    /// The first `options` line, from 1.
    pub options_line: Option<usize>,
}

/// Reads an entry. Of a key that stands there twice the last counts, as it does for systemd-boot.
pub fn read(text: &str) -> Entry {
    let mut entry = Entry::default();
    for line in key_value::lines(text) {
        let value = || Some(line.value.to_owned());
        match line.key {
            "title" => entry.title = value(),
            "sort-key" => entry.sort_key = value(),
            "linux" | "efi" | "uki" => entry.kernel = value(),
            "options" => {
                entry.options_line = entry.options_line.or(Some(line.number));
                if !entry.options.is_empty() {
                    entry.options.push(' ');
                }
                entry.options.push_str(line.value);
            }
            _ => {}
        }
    }
    entry
}

/// The second line of options, from 1. systemd-boot puts all of them together; GRUB reads one (`bls_get_val`).
pub fn second_options(text: &str) -> Option<usize> {
    key_value::lines(text).filter(|line| line.key == "options").nth(1).map(|line| line.number)
}

/// The files that an entry has loaded, each from the root of its partition: kernel, devicetree and initramfs images, in their
/// order. GRUB reads several from one line, and variables of its own beside them.
pub fn files(text: &str) -> Vec<String> {
    // A path of another form could lead out of the partition.
    let plain = |path: &&str| {
        path.starts_with('/') && path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."))
    };
    key_value::lines(text)
        .filter(|line| matches!(line.key, "linux" | "initrd" | "devicetree"))
        .flat_map(|line| line.value.split_whitespace().filter(plain).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// An entry with one change made to its options. What is added goes to the end of the last `options` line.
///
/// Words that GRUB puts in (`$kernelopts`) stay as they are and are not looked into.
pub fn edit(text: &str, change: &Change) -> Result<String, Refused> {
    let options =
        |text| key_value::lines(text).filter(|line: &Line<'_>| line.key == "options").collect::<Vec<_>>();
    let before = options(text);
    if let (true, Change::Add(new)) = (before.is_empty(), change) {
        let image = key_value::lines(text).find(|line| matches!(line.key, "efi" | "uki"));
        if let Some(image) = image {
            return Err(Refused::at(
                image.number,
                "the entry starts an image that has its command line inside, and options here would take its place",
                "change the command line that the image is made from, in /etc/kernel/cmdline",
            ));
        }
        return key_value::set(text, "options", new.as_str(), None);
    }
    quoted_as_a_whole(&before)?;
    let edited = key_value::change(text, &before, change)?;
    quoted_as_a_whole(&options(&edited))?;
    Ok(edited)
}

/// systemd-boot takes quotes off a value that begins and ends with one (`line_get_key_value`); GRUB does not.
fn quoted_as_a_whole(lines: &[Line<'_>]) -> Result<(), Refused> {
    match lines.iter().find(|line| line.value.starts_with('"') && line.value.ends_with('"')) {
        Some(line) => Err(Refused::at(
            line.number,
            "options that begin and end with a double quote are read in two ways",
            "put a word without quotes first, or take off the quotes around the whole line",
        )),
        None => Ok(()),
    }
}

/// An entry with its title written anew; a new line comes first.
pub fn set_title(text: &str, title: &str) -> Result<String, Refused> {
    if key_value::lines(text).any(|line| line.key == "title") {
        return key_value::set(text, "title", title, None);
    }
    Ok(format!("{}{text}", key_value::set("", "title", title, None)?))
}

/// An entry with its sort key written anew; a new line follows the title.
pub fn set_sort_key(text: &str, key: &str) -> Result<String, Refused> {
    key_value::set(text, "sort-key", key, Some("title"))
}

/// A copy of an entry under another title, with changes to its options, and without a sort key.
pub fn copy(text: &str, title: &str, changes: &[Change]) -> Result<String, Refused> {
    let keyed: Vec<usize> =
        key_value::lines(text).filter(|line| line.key == "sort-key").map(|line| line.number).collect();
    let kept = text.split_inclusive('\n').enumerate().filter(|(index, _)| !keyed.contains(&(index + 1)));
    let mut copy = set_title(&kept.map(|(_, line)| line).collect::<String>(), title)?;
    for change in changes {
        copy = edit(&copy, change)?;
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::{copy, edit, files, read, second_options, set_sort_key, set_title};
    use crate::cmdline::CommandLine;
    use crate::cmdline::change::tests::{add, remove, replace};
    use proptest::prelude::*;

    const ARCH: &str = "# made by hand\ntitle\tArch Linux\nlinux   /vmlinuz-linux\ninitrd /initramfs-linux.img\n\
                        options root=UUID=1 rd.luks.name=2=root rw\noptions\tconsole=tty0 console=ttyS0  \n";

    #[test]
    fn the_files_of_an_entry_are_those_below_the_root_of_its_partition() {
        let text = "title x\nlinux /t/6.12/linux\ninitrd\t/t/6.12/initrd.img $tuned_initrd \ninitrd /../../etc/shadow\ndevicetree dtb\n# initrd /no\n";
        assert_eq!(files(text), ["/t/6.12/linux", "/t/6.12/initrd.img"]);
    }

    #[test]
    fn a_word_goes_to_the_last_of_several_options_lines_and_out_again() {
        assert_eq!(second_options(ARCH), Some(6));
        let longer = edit(ARCH, &add("intel_iommu=on")).expect("plain");
        assert_eq!(longer, ARCH.replace("ttyS0  \n", "ttyS0 intel_iommu=on  \n"));
        assert_eq!(edit(&longer, &remove("intel_iommu=on")).as_deref(), Ok(ARCH));
        assert_eq!(edit(ARCH, &replace("rw", "ro")), Ok(ARCH.replace(" rw\n", " ro\n")));
        assert_eq!(
            read(&longer).options,
            "root=UUID=1 rd.luks.name=2=root rw console=tty0 console=ttyS0 intel_iommu=on"
        );
    }

    #[test]
    fn an_entry_without_options_gets_a_line_and_one_with_an_empty_line_a_word() {
        assert_eq!(edit("linux /a", &add("x")).as_deref(), Ok("linux /a\noptions x\n"));
        assert_eq!(edit("linux /a\r\n", &add("x")).as_deref(), Ok("linux /a\r\noptions x\r\n"));
        assert_eq!(edit("linux /a\noptions\n", &add("x")).as_deref(), Ok("linux /a\noptions x\n"));
        assert_eq!(edit("linux /a\noptions  x\n", &remove("x")).as_deref(), Ok("linux /a\noptions \n"));
    }

    #[test]
    fn what_loaders_read_in_two_ways_or_have_inside_is_refused() {
        let refused = |text, word| edit(text, &add(word)).map_err(|refused| refused.to_string());
        let whole = "options that begin and end with a double quote are read in two ways; put a word without quotes first, or \
                     take off the quotes around the whole line";
        assert_eq!(refused("linux /a\noptions \"a b\"\n", "x"), Err(format!("line 2: {whole}")));
        assert_eq!(refused("linux /a\noptions \"a b\"=c\n", "x=\"y\""), Err(format!("line 2: {whole}")));
        assert_eq!(
            refused("title A\nefi /EFI/Linux/a.efi\n", "x"),
            Err("line 2: the entry starts an image that has its command line inside, and options here would take its place; \
                 change the command line that the image is made from, in /etc/kernel/cmdline"
                .to_owned())
        );
        assert_eq!(
            refused("options a=\"b\noptions c\"\n", "x"),
            Err("line 1: a double quote is opened and not closed on the line; close it on the same line"
                .to_owned())
        );
    }

    #[test]
    fn a_copy_has_another_title_more_options_and_no_sort_key() {
        let text = ARCH.replace("Linux\n", "Linux\nsort-key arch\n");
        assert_eq!(
            copy(&text, "Without", &[add("passthru.off"), remove("rw")]),
            Ok(ARCH
                .replace("Arch Linux", "Without")
                .replace("ttyS0  ", "ttyS0 passthru.off  ")
                .replace(" rw", ""))
        );
    }

    #[test]
    fn title_and_sort_key_are_written_on_their_lines_or_on_new_ones() {
        let off = set_title(ARCH, "Arch Linux, passthrough off").and_then(|text| set_sort_key(&text, "zz"));
        assert_eq!(off, Ok(ARCH.replace("\tArch Linux\n", "\tArch Linux, passthrough off\nsort-key zz\n")));
        assert_eq!(set_title("linux /a\n", "A").as_deref(), Ok("title A\nlinux /a\n"));
        let entry = read("title A\nsort-key b\ntitle C\n");
        assert_eq!((entry.title.as_deref(), entry.sort_key.as_deref()), (Some("C"), Some("b")));
        assert_eq!(
            set_title("title A\ntitle C\n", "D").map_err(|refused| refused.to_string()),
            Err("line 2: title is set a second time; leave only the line that is meant".to_owned())
        );
        assert!(set_title(ARCH, "two\nlines").is_err());
    }

    fn entry() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            "[ \t]{0,2}(title|linux|initrd|sort-key)[ \t]{1,3}[a-zA-Z/ ]{1,9}",
            "[ \t]{0,2}options([ \t]{1,2}[a-z]{1,3}(=[a-z,/]{0,3}|=\"[a-z ]{0,4}\")?){0,4}[ \t]{0,2}",
            "#[ -~]{0,9}",
            "[ \t]{0,2}",
        ];
        (prop::collection::vec(line, 0..7), prop_oneof![Just("\n"), Just("\r\n")], "\n?")
            .prop_map(|(lines, end, last)| format!("{}{last}", lines.join(end)))
    }

    proptest! {
        #[test]
        fn adding_and_taking_out_gives_the_same_bytes(text in entry()) {
            prop_assert_eq!(edit(&text, &remove("new_word=1")), Ok(text.clone()));
            let longer = edit(&text, &add("new_word=1")).expect("no quotes around all");
            prop_assert!(CommandLine::new(&read(&longer).options).has_word("new_word=1"), "{:?}", longer);
            let (before, after) = (read(&text), read(&longer));
            prop_assert_eq!((before.title, before.kernel), (after.title, after.kernel));
            let shorter = edit(&longer, &remove("new_word=1")).expect("as before");
            if before.options.is_empty() {
                prop_assert_eq!(read(&shorter).options, "");
            } else {
                prop_assert_eq!(shorter, text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text: String, more in "(options|title|[a \t\n\r\"#])*") {
            for text in [text, more] {
                let _ = (edit(&text, &add("x")), edit(&text, &remove("a")), read(&text));
                let _ = (set_title(&text, "x"), set_sort_key(&text, "x"));
            }
        }
    }
}
