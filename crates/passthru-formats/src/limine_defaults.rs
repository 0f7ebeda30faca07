//! The settings of Limine's entry tool, `/etc/default/limine` and `/etc/limine-entry-tool.d/*.conf`: shell assignments, of which
//! `KERNEL_CMDLINE[default]+=" …"` gives the command line of all entries, and `KERNEL_CMDLINE[NAME]` that of one kernel.

use crate::cmdline::Change;
use crate::error::Refused;
use crate::shell::{ShellError, ShellFile};

/// The variable of a kernel's command line; of `default`, that of all kernels without one of their own.
pub fn variable(kernel: &str) -> String {
    format!("KERNEL_CMDLINE[{kernel}]")
}

/// The command line that a file gives; `None`: it gives none.
pub fn read(text: &str, kernel: &str) -> Result<Option<String>, ShellError> {
    ShellFile::parse(text)?.value(&variable(kernel))
}

/// The kernels that a file gives a command line, `default` among them, each with the line of the first.
pub fn kernels(text: &str) -> Result<Vec<(String, usize)>, ShellError> {
    let kernel = |name: &str| Some(name.strip_prefix("KERNEL_CMDLINE[")?.strip_suffix(']')?.to_owned());
    let names = ShellFile::parse(text)?.names();
    Ok(names.into_iter().filter_map(|(name, line)| Some((kernel(&name)?, line))).collect())
}

/// A file with one change made to a command line. What is added to a file that gives none comes on a line of its own.
pub fn edit(text: &str, kernel: &str, change: &Change) -> Result<String, Refused> {
    let (file, name) = (ShellFile::parse(text)?, variable(kernel));
    match change {
        Change::Add(new) => match file.append(&name, new.as_str()) {
            Err(ShellError::NotAssigned { .. }) => {
                // A blank keeps the word apart from what is there.
                Ok(file.add_assignment(&name, "+=", &format!(" {}", new.as_str()))?)
            }
            edited => Ok(edited?),
        },
        Change::Remove(old) => Ok(file.remove(&name, old.as_str())?),
        Change::Replace { old, new } => Ok(file.replace(&name, old.as_str(), new.as_str())?),
    }
}

#[cfg(test)]
mod tests {
    use super::{edit, kernels, read};
    use crate::cmdline::change::tests::{add, remove, replace};
    use crate::shell::oracle::bash;
    use proptest::prelude::*;

    /// What bash gives for all entries, and for one kernel.
    fn oracle(text: &str) -> Option<String> {
        let print = "printf '%s|%s|%s' \"${KERNEL_CMDLINE[default]}\" \"${KERNEL_CMDLINE[fallback]}\" \"$X\"";
        bash(&format!("declare -A KERNEL_CMDLINE\n{text}\n"), print)
    }

    #[test]
    fn one_word_changes_inside_the_quotes_of_the_right_kernel() {
        let text = "ESP_PATH=\"/boot\"\n#KERNEL_CMDLINE[default]=no\nKERNEL_CMDLINE[default]=\"root=UUID=1 rw\"\n\
                    KERNEL_CMDLINE[default]+=\" quiet\" # more\nKERNEL_CMDLINE[fallback]=\"root=UUID=1\"\nBOOT_ORDER=\"*, *fallback, Snapshots\"\n";
        let longer = edit(text, "default", &add("intel_iommu=on")).expect("plain");
        assert_eq!(longer, text.replace("quiet\"", "quiet intel_iommu=on\""));
        assert_eq!(edit(&longer, "default", &remove("intel_iommu=on")).as_deref(), Ok(text));
        assert_eq!(edit(text, "default", &replace("rw", "ro")), Ok(text.replace("1 rw", "1 ro")));
        assert_eq!(edit(text, "fallback", &add("x")), Ok(text.replace("1\"\nBOOT", "1 x\"\nBOOT")));
        assert_eq!(kernels(text), Ok(vec![("default".to_owned(), 3), ("fallback".to_owned(), 5)]));
        assert_eq!(read(&longer, "default"), Ok(Some("root=UUID=1 rw quiet intel_iommu=on".to_owned())));
        if let Some(seen) = oracle(&longer) {
            assert_eq!(seen, "root=UUID=1 rw quiet intel_iommu=on|root=UUID=1|");
        }
    }

    #[test]
    fn quotes_in_the_brackets_are_not_part_of_the_name() {
        let text = "KERNEL_CMDLINE[\"default\"]='a'\n";
        assert_eq!(edit(text, "default", &add("x")).as_deref(), Ok("KERNEL_CMDLINE[\"default\"]='a x'\n"));
        assert!(oracle("KERNEL_CMDLINE[\"default\"]='a x'").is_none_or(|seen| seen == "a x||"));
    }

    #[test]
    fn a_file_without_the_line_gets_one_with_a_blank_in_front() {
        assert_eq!(
            edit("ESP_PATH=/boot\n", "default", &add("dyndbg=\"file x +p\"")).as_deref(),
            Ok("ESP_PATH=/boot\nKERNEL_CMDLINE[default]+=\" dyndbg=\\\"file x +p\\\"\"\n")
        );
    }

    #[test]
    fn code_and_the_variable_as_a_whole_are_refused() {
        for text in [
            "\nKERNEL_CMDLINE[default]+=\" $(cat /x)\"",
            "\nKERNEL_CMDLINE[default]+= \"a\"",
            "\nKERNEL_CMDLINE=\"a\"\nKERNEL_CMDLINE[default]=b",
            "\nKERNEL_CMDLINE=([default]=a)",
            "\nKERNEL_CMDLINE[$x]=a",
            "\nKERNEL_CMDLINE[default]=\"a",
        ] {
            let refused = edit(text, "default", &add("x")).expect_err(text);
            assert_eq!(refused.line, Some(2), "{text:?}: {refused}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn bash_sees_one_word_more_and_nothing_else(
            lines in prop::collection::vec(
                ("(KERNEL_CMDLINE\\[(default|fallback)\\]|X)", "\\+?=", "(\" ?[a-z=]{0,3}( [a-z]{1,3}){0,2}\"|' ?[a-z ]{0,6}'|[a-z]{0,4})( # .?)?")
                    .prop_map(|(name, sign, value)| name + &sign + &value.replace('\0', "")),
                0..5,
            ),
        ) {
            let text = lines.join("\n");
            let longer = edit(&text, "default", &add("new_word=1")).expect("plain");
            prop_assert_eq!(edit(&text, "default", &remove("new_word=1")), Ok(text.clone()));
            if text.contains("[default]") {
                prop_assert_eq!(edit(&longer, "default", &remove("new_word=1")), Ok(text.clone()));
            }
            let (Some(before), Some(after)) = (oracle(&text), oracle(&longer)) else { return Ok(()) };
            let (before, after): (Vec<&str>, Vec<&str>) = (before.split('|').collect(), after.split('|').collect());
            prop_assert_eq!(&before[1..], &after[1..]);
            let mut words: Vec<&str> = before[0].split_ascii_whitespace().collect();
            words.push("new_word=1");
            prop_assert_eq!(words, after[0].split_ascii_whitespace().collect::<Vec<_>>(), "{:?}", longer);
        }
    }
}
