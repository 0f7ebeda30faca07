//! The words of kernel command lines in GRUB's settings, which are shell.

use passthru_formats::cmdline::{self, CommandLine};
use passthru_formats::shell::{ShellError, ShellFile};

use crate::planner::iommu::{Parameters, off_words};

/// The variables whose words come to the kernel. The second is not given to recovery entries.
pub(super) const VARIABLES: [&str; 2] = ["GRUB_CMDLINE_LINUX", DEFAULT];
/// The variable that ours are added to.
pub(super) const DEFAULT: &str = "GRUB_CMDLINE_LINUX_DEFAULT";

/// The values of both variables, as far as they can be told.
pub(super) fn values(text: &str) -> impl Iterator<Item = String> {
    VARIABLES
        .iter()
        .filter_map(|name| ShellFile::parse(text).and_then(|file| file.value(name)).ok().flatten())
}

/// Whether a file sets a word, as far as that can be told.
pub(super) fn sets(text: &str, token: &str) -> bool {
    values(text).any(|value| CommandLine::new(&value).has_word(token))
}

/// The words that turn the IOMMU off. Of a value that cannot be told, those of the running command line that stand in its text.
pub(in crate::planner::loader) fn turned_off(text: &str, running: &[String]) -> Vec<String> {
    let words = |name| match ShellFile::parse(text).and_then(|file| file.value(name)) {
        Ok(value) => off_words(&value.unwrap_or_default()),
        Err(_) => running.iter().filter(|word| text.contains(word.as_str())).cloned().collect(),
    };
    VARIABLES.into_iter().flat_map(words).collect()
}

/// A settings file with the needed words, and without those that go.
pub(in crate::planner::loader) fn edited(old: &str, needed: &Parameters) -> Result<String, ShellError> {
    let mut text = old.to_owned();
    for word in needed.remove.iter().filter(|word| old.contains(word.as_str())) {
        text = without(&text, word, true)?;
    }
    for word in needed.words.iter().filter(|word| sets(old, word)) {
        text = without(&text, word, false)?;
    }
    for word in needed.gone.iter().filter(|word| old.contains(word.as_str())) {
        text = without(&text, word, false)?;
    }
    for word in needed.added() {
        text = with(&text, word)?;
    }
    Ok(text)
}

/// A settings file without a word in either variable. `part`: only the item of its list that turns the IOMMU off goes.
///
/// Shell code in one variable does not matter where the word was found in the other.
fn without(text: &str, word: &str, part: bool) -> Result<String, ShellError> {
    let mut edited = text.to_owned();
    let mut problem = None;
    for name in VARIABLES {
        let file = ShellFile::parse(&edited)?;
        let shorter = cmdline::without_item(word, "off").filter(|_| part);
        let changed = match &shorter {
            Some(shorter) => file.replace(name, word, shorter),
            None => file.remove(name, word),
        };
        match changed {
            Ok(new) => edited = new,
            Err(error) => problem = Some(error),
        }
    }
    match problem {
        Some(error) if edited == text => Err(error),
        _ => Ok(edited),
    }
}

/// A settings file with a word more: in the variable of usual entries, or where shell code has a hand in that one, in the variable
/// of all entries.
fn with(text: &str, word: &str) -> Result<String, ShellError> {
    let file = ShellFile::parse(text)?;
    match file.append(DEFAULT, word) {
        Ok(new) => Ok(new),
        Err(ShellError::NotAssigned { .. }) => file.add_assignment(DEFAULT, "=", word),
        Err(error) => file.append(VARIABLES[0], word).map_err(|_| error),
    }
}
