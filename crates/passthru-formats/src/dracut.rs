//! dracut's settings (dracut.conf(5)): shell files that are sourced one after the other.
//!
//! Lists are strings that are joined as they are, so what is added needs blanks at both ends: `force_drivers+=" vfio_pci "`.

use crate::error::Refused;
use crate::modules::canonical;
use crate::shell::{Place, ShellError, ShellFile, Variables};

/// A list that passthru reads or edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Modules that are put into the image and loaded before udev starts.
    ForceDrivers,
    /// Modules that are put into the image.
    AddDrivers,
    /// Modules that are left out.
    OmitDrivers,
    /// Files that are put into the image.
    InstallItems,
}

impl List {
    /// The variable.
    pub fn name(self) -> &'static str {
        match self {
            Self::ForceDrivers => "force_drivers",
            Self::AddDrivers => "add_drivers",
            Self::OmitDrivers => "omit_drivers",
            Self::InstallItems => "install_items",
        }
    }

    /// Whether two items of it are the same: of modules `-` and `_` are one letter.
    fn same(self, one: &str, other: &str) -> bool {
        match self {
            Self::InstallItems => one == other,
            _ => canonical(one) == canonical(other),
        }
    }
}

/// Whether dracut reads a file of this name in `dracut.conf.d`: only what ends in `.conf`.
pub fn is_read(file_name: &str) -> bool {
    crate::shell::is_drop_in(file_name)
}

/// Everything that files set, read one on top of the other: `/etc/dracut.conf`, then `dracut.conf.d` in order of name.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    variables: Variables,
}

impl Settings {
    /// Reads one more file.
    pub fn read(&mut self, text: &str) -> Result<(), ShellError> {
        ShellFile::parse(text)?.evaluate(&mut self.variables);
        Ok(())
    }

    /// The items of a list. What was added without a blank has become part of the word ahead of it, as it has for dracut.
    pub fn list(&self, list: List) -> Result<Vec<String>, ShellError> {
        let words = |all: &String| all.split_ascii_whitespace().map(str::to_owned).collect();
        self.variables
            .get(list.name())
            .cloned()
            .transpose()
            .map(|all| all.as_ref().map(words).unwrap_or_default())
    }

    /// Whether images are made for this host alone; the last file that says so counts, and yes is the default.
    pub fn is_hostonly(&self) -> Result<bool, ShellError> {
        Ok(self.variables.get("hostonly").cloned().transpose()?.is_none_or(|value| value != "no"))
    }

    /// The kernel command line that a unified image gets (`kernel_cmdline`).
    pub fn kernel_cmdline(&self) -> Result<String, ShellError> {
        Ok(self.variables.get("kernel_cmdline").cloned().transpose()?.unwrap_or_default())
    }
}

/// A file with an item at the end of a list, on the list's last line, or on a new line where the file does not set it.
pub fn add(text: &str, list: List, item: &str) -> Result<String, Refused> {
    let file = ShellFile::parse(text)?;
    match file.add_item(list.name(), item, Place::Last, |one| list.same(one, item)) {
        Err(ShellError::NotAssigned { .. }) => {
            Ok(file.add_line(list.name(), &format!("{}+=\" {item} \"", list.name()))?)
        }
        edited => Ok(edited?),
    }
}

/// A file without an item of a list.
pub fn remove(text: &str, list: List, item: &str) -> Result<String, Refused> {
    Ok(ShellFile::parse(text)?.remove_items(list.name(), |one| list.same(one, item))?)
}

#[cfg(test)]
mod tests {
    use super::{List, Settings, add, is_read, remove};
    use crate::shell::oracle;
    use proptest::prelude::*;

    fn list(texts: &[&str], which: List) -> Vec<String> {
        let mut settings = Settings::default();
        for text in texts {
            settings.read(text).expect("plain");
        }
        settings.list(which).expect("plain")
    }

    #[test]
    fn an_item_goes_inside_the_quotes_and_their_inner_blanks_stay() {
        for (text, longer) in [
            ("force_drivers+=\" vfio \"\n", "force_drivers+=\" vfio vfio-pci \"\n"),
            ("force_drivers+=\" \" # none\n", "force_drivers+=\" vfio-pci \" # none\n"),
            ("force_drivers+=\"\"\n", "force_drivers+=\" vfio-pci\"\n"),
            ("force_drivers=\nx=y", "force_drivers=vfio-pci\nx=y"),
            (
                "force_drivers=\"a\"\nforce_drivers+=' b '\n",
                "force_drivers=\"a\"\nforce_drivers+=' b vfio-pci '\n",
            ),
            ("force_drivers+=\" a \\\n   b \"\n", "force_drivers+=\" a \\\n   b vfio-pci \"\n"),
            ("force_drivers+=\" a\n b \"\n", "force_drivers+=\" a\n b vfio-pci \"\n"),
        ] {
            assert_eq!(add(text, List::ForceDrivers, "vfio-pci").as_deref(), Ok(longer));
            assert_eq!(remove(longer, List::ForceDrivers, "vfio_pci").as_deref(), Ok(text), "{longer}");
            let (before, after) =
                (oracle::list(text, "force_drivers"), oracle::list(longer, "force_drivers"));
            if let (Some(mut before), Some(after)) = (before, after) {
                before.push("vfio-pci".to_owned());
                assert_eq!(before, after, "{longer}");
            }
        }
    }

    #[test]
    fn a_file_that_does_not_set_the_list_gets_a_line_with_blanks_at_both_ends() {
        assert_eq!(
            add("hostonly=\"yes\"", List::InstallItems, "/etc/modprobe.d/50-passthru.conf").as_deref(),
            Ok("hostonly=\"yes\"\ninstall_items+=\" /etc/modprobe.d/50-passthru.conf \"\n")
        );
        assert_eq!(
            add("a=b\nif true; then\n", List::ForceDrivers, "x").map_err(|refused| refused.to_string()),
            Err("line 2: force_drivers is set by shell code that cannot be judged without running it: if true; then; \
                 take the code out, or set the value with one plain line NAME=\"…\" outside of it"
                .to_owned())
        );
    }

    #[test]
    fn the_hyphen_and_the_underscore_are_one_module_and_are_not_added_twice() {
        let text = "force_drivers+=\" vfio-pci \"\n";
        assert_eq!(add(text, List::ForceDrivers, "vfio_pci").as_deref(), Ok(text));
        let text = "install_items+=\" /a-b \"\n";
        assert_ne!(add(text, List::InstallItems, "/a_b").as_deref(), Ok(text));
    }

    #[test]
    fn add_drivers_are_not_force_drivers() {
        let text = "add_drivers+=\" vfio_pci \"\n";
        assert_eq!(list(&[text], List::ForceDrivers), Vec::<String>::new());
        assert_eq!(list(&[text], List::AddDrivers), ["vfio_pci"]);
        assert_eq!(
            add(text, List::ForceDrivers, "vfio_pci").as_deref(),
            Ok("add_drivers+=\" vfio_pci \"\nforce_drivers+=\" vfio_pci \"\n")
        );
    }

    #[test]
    fn values_without_surrounding_blanks_run_into_one_another() {
        assert_eq!(list(&["force_drivers+=\"a\"", "force_drivers+=\"b\""], List::ForceDrivers), ["ab"]);
        assert_eq!(
            list(&["force_drivers+=\" a \"", "force_drivers+=\" b \""], List::ForceDrivers),
            ["a", "b"]
        );
    }

    #[test]
    fn the_last_file_that_sets_hostonly_counts_and_a_drop_in_needs_its_ending() {
        let mut settings = Settings::default();
        assert_eq!(settings.is_hostonly(), Ok(true));
        settings.read("hostonly=\"no\"\n").expect("plain");
        assert_eq!(settings.is_hostonly(), Ok(false));
        settings.read("hostonly=sloppy\nkernel_cmdline=\"root=UUID=1\"").expect("plain");
        assert_eq!(
            (settings.is_hostonly(), settings.kernel_cmdline().as_deref()),
            (Ok(true), Ok("root=UUID=1"))
        );
        assert_eq!(
            ["10-vfio.conf", "10-vfio", "10-vfio.conf.bak", ".x.conf"].map(is_read),
            [true, false, false, false]
        );
    }

    #[test]
    fn what_only_a_shell_would_know_and_an_open_quote_are_refused() {
        let refused = |text| add(text, List::ForceDrivers, "x").map_err(|refused| refused.to_string());
        assert_eq!(
            refused("\nforce_drivers+=\" $(cat /x) \"\n"),
            Err("line 2: force_drivers is set by shell code that cannot be judged without running it: $(cat /x); take the \
                 code out, or set the value with one plain line NAME=\"…\" outside of it"
                .to_owned())
        );
        assert_eq!(
            refused("force_drivers+=\" a\n"),
            Err("line 1: a quote that is opened here is never closed; close the quote".to_owned())
        );
        assert!(refused("force_drivers+=\" a \"\nforce_drivers+=(b)\n").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn dracut_s_shell_sees_one_item_more_and_nothing_else(
            lines in prop::collection::vec(
                ("(force_drivers|add_drivers)", "\\+?=", "(\"[ a-z\n]{0,8}\"|'[ a-z]{0,8}'|[a-z]{0,3})( # [ -~])?").prop_map(|(a, b, c)| a + &b + &c),
                0..5,
            ),
        ) {
            let text = lines.join("\n");
            let longer = add(&text, List::ForceDrivers, "new_module").expect("plain");
            prop_assert_eq!(remove(&text, List::ForceDrivers, "new_module"), Ok(text.clone()));
            if text.contains("force_drivers") {
                prop_assert_eq!(remove(&longer, List::ForceDrivers, "new_module"), Ok(text.clone()));
            }
            for name in ["force_drivers", "add_drivers"] {
                let (Some(mut before), Some(after)) = (oracle::list(&text, name), oracle::list(&longer, name)) else { continue };
                if name == "force_drivers" {
                    before.push("new_module".to_owned());
                    prop_assert_eq!(&list(&[&longer], List::ForceDrivers), &after);
                }
                prop_assert_eq!(before, after, "{:?}", longer);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text: String, code in "([A=\"'`$(){}\\\\;# \nxif]|force_drivers\\+?=){0,30}") {
            for text in [text, code] {
                let _ = (add(&text, List::ForceDrivers, "x"), remove(&text, List::ForceDrivers, "x"));
            }
        }
    }
}
