//! The settings of Debian's u-boot-update, `/etc/default/u-boot` and `/etc/u-boot-menu/conf.d/*.conf` (u-boot-update(8)): shell
//! assignments that are sourced one file after the other, of which `U_BOOT_PARAMETERS` is the command line of all entries.

use crate::cmdline::Change;
use crate::error::Refused;
use crate::shell::{ShellError, ShellFile};

/// The variable of the command line; `root=` comes from another.
pub const PARAMETERS: &str = "U_BOOT_PARAMETERS";
/// What stands for it where it is not set, and there is no `/etc/kernel/cmdline` either.
pub const BUILT_IN: &str = "ro quiet";

/// Whether a file sets the command line, or could.
pub fn sets_parameters(text: &str) -> bool {
    !matches!(ShellFile::parse(text).and_then(|file| file.value(PARAMETERS)), Ok(None))
}

/// A file with one change made to the command line. Where it sets none, a word is added to what stands for it then.
pub fn edit(text: &str, change: &Change) -> Result<String, Refused> {
    let file = ShellFile::parse(text)?;
    match change {
        Change::Add(new) => match file.append(PARAMETERS, new.as_str()) {
            Err(ShellError::NotAssigned { .. }) => {
                Ok(file.add_assignment(PARAMETERS, "=", &format!("{BUILT_IN} {}", new.as_str()))?)
            }
            edited => Ok(edited?),
        },
        Change::Remove(old) => Ok(file.remove(PARAMETERS, old.as_str())?),
        Change::Replace { old, new } => Ok(file.replace(PARAMETERS, old.as_str(), new.as_str())?),
    }
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, PARAMETERS, edit, sets_parameters};
    use crate::cmdline::change::tests::{add, remove, replace};
    use crate::shell::oracle::bash;
    use crate::shell::value_of_all as value;
    use proptest::prelude::*;

    #[test]
    fn one_word_changes_inside_the_quotes() {
        let text = "## /etc/default/u-boot\n#U_BOOT_PARAMETERS=\"no\"\nU_BOOT_PARAMETERS=\"ro  console=ttyS0\" # mine\nU_BOOT_TIMEOUT=\"50\"\n";
        let longer = edit(text, &add("intel_iommu=on")).expect("plain");
        assert_eq!(longer, text.replace("ttyS0\"", "ttyS0 intel_iommu=on\""));
        assert_eq!(edit(&longer, &remove("intel_iommu=on")).as_deref(), Ok(text));
        assert_eq!(edit(text, &replace("ro", "rw")), Ok(text.replace("\"ro ", "\"rw ")));
        assert_eq!(value(&[&longer, "#"], PARAMETERS).as_deref(), Ok("ro  console=ttyS0 intel_iommu=on"));
    }

    #[test]
    fn a_file_without_the_line_keeps_what_stood_for_it() {
        assert_eq!(edit("", &add("x")), Ok(format!("U_BOOT_PARAMETERS=\"{BUILT_IN} x\"\n")));
        assert!(
            !sets_parameters("U_BOOT_ROOT=root=/dev/a\n") && sets_parameters("U_BOOT_PARAMETERS=$(cat /x)")
        );
    }

    #[test]
    fn a_later_file_counts_more_and_code_is_named_with_its_file() {
        assert_eq!(
            value(&["U_BOOT_PARAMETERS=a", "U_BOOT_PARAMETERS=\"$U_BOOT_PARAMETERS b\""], PARAMETERS)
                .as_deref(),
            Ok("a b")
        );
        assert!(matches!(value(&["", "\nU_BOOT_PARAMETERS=`cat /x`"], PARAMETERS), Err((1, _))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_shell_sees_one_word_more_and_nothing_else(
            lines in prop::collection::vec(
                ("(U_BOOT_PARAMETERS|U_BOOT_ROOT)=", "(\"[a-z=]{1,3}( [a-z]{1,3}){0,2}\"|'[a-z ]{1,6}'|[a-z]{1,4})( # .?)?")
                    .prop_map(|(name, value)| name + &value.replace('\0', "")),
                0..4,
            ),
        ) {
            let text = lines.join("\n");
            let longer = edit(&text, &add("new_word=1")).expect("plain");
            if sets_parameters(&text) {
                prop_assert_eq!(edit(&longer, &remove("new_word=1")), Ok(text.clone()));
            }
            let seen = |text: &str| bash(&format!("{text}\n"), "printf '%s|%s' \"${U_BOOT_PARAMETERS:-ro quiet}\" \"$U_BOOT_ROOT\"");
            let (Some(before), Some(after)) = (seen(&text), seen(&longer)) else { return Ok(()) };
            let (before, before_root) = before.split_once('|').expect("a bar");
            let (after, after_root) = after.split_once('|').expect("a bar");
            prop_assert_eq!(before_root, after_root);
            let mut words: Vec<&str> = before.split_ascii_whitespace().collect();
            words.push("new_word=1");
            prop_assert_eq!(words, after.split_ascii_whitespace().collect::<Vec<_>>(), "{:?}", longer);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = (edit(&text, &add("x")), edit(&text, &remove("a")), value(&[&text], PARAMETERS));
        }
    }
}
