//! mkinitcpio's settings (mkinitcpio.conf(5)): shell files with lists, which are arrays since version 21 and were strings before.
//!
//! `/etc/mkinitcpio.conf` is sourced first, then `/etc/mkinitcpio.conf.d/*.conf` in order of name, and each may set a list anew.

pub mod preset;

use crate::error::Refused;
use crate::modules::canonical;
use crate::shell::{ListForm, Place, ShellError, ShellFile};

/// A list of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Modules that are put into the image and loaded before any hook runs, in this order.
    Modules,
    /// Files that are put into the image.
    Files,
    /// What else is done, in this order.
    Hooks,
}

impl List {
    /// The variable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Modules => "MODULES",
            Self::Files => "FILES",
            Self::Hooks => "HOOKS",
        }
    }

    /// Whether two items of it are the same. Of modules `-` and `_` are one letter, and a `?` at the end says only that the
    /// module may be missing.
    fn same(self, one: &str, other: &str) -> bool {
        let module = |name: &str| canonical(name.strip_suffix('?').unwrap_or(name));
        match self {
            Self::Modules => module(one) == module(other),
            Self::Files | Self::Hooks => one == other,
        }
    }
}

/// Whether mkinitcpio reads a file of this name in `mkinitcpio.conf.d`.
pub fn is_read(file_name: &str) -> bool {
    crate::shell::is_drop_in(file_name)
}

/// The items of a list after these files have been read one on top of the other; of an error the index of the file, too.
///
/// A string in one file and an array in another are an error: the shell would take all words of the string for one item.
pub fn list(files: &[&str], list: List) -> Result<Vec<String>, (usize, ShellError)> {
    let mut form: Option<ListForm> = None;
    for (index, text) in files.iter().enumerate() {
        let of_file = || {
            let file = ShellFile::parse(text)?;
            file.list(list.name())?;
            file.list_form(list.name())
        };
        let here = of_file().map_err(|error| (index, error))?;
        if let (Some(before), Some(here)) = (form, here)
            && before != here
            && !sets_anew(text, list)
        {
            return Err((index, ShellError::Mixed { name: list.name().to_owned(), line: 1 }));
        }
        form = here.or(form);
    }
    let all = files.join("\n");
    let items = ShellFile::parse(&all).and_then(|file| file.list(list.name()));
    items.map(Option::unwrap_or_default).map_err(|error| (files.len().saturating_sub(1), error))
}

/// Whether a file by itself says the whole of a list, so that what stood there before does not matter.
fn sets_anew(text: &str, list: List) -> bool {
    let other_forms =
        [format!("{}=(before)\n{text}", list.name()), format!("{}=before\n{text}", list.name())];
    other_forms.iter().all(|text| ShellFile::parse(text).is_ok_and(|file| file.list(list.name()).is_ok()))
}

/// A file with an item put into a list, in the form in which the file has it; a file that does not set the list gets a line.
///
/// Modules for vfio belong first: what the `kms` hook brings in is loaded after `MODULES`, and what stands there in order.
pub fn add(text: &str, list: List, item: &str, place: Place) -> Result<String, Refused> {
    let file = ShellFile::parse(text)?;
    match file.add_item(list.name(), item, place, |one| list.same(one, item)) {
        Err(ShellError::NotAssigned { .. }) => {
            Ok(file.add_line(list.name(), &format!("{}+=({item})", list.name()))?)
        }
        edited => Ok(edited?),
    }
}

/// The line by which a file that is read after these adds an item to the end of a list, in the form that the list has.
pub fn appending(files: &[&str], list: List, item: &str) -> Result<String, (usize, ShellError)> {
    let mut form = ListForm::Array;
    for (index, text) in files.iter().enumerate() {
        let here = ShellFile::parse(text).and_then(|file| file.list_form(list.name()));
        form = here.map_err(|error| (index, error))?.unwrap_or(form);
    }
    Ok(match form {
        ListForm::Array => format!("{}+=({item})\n", list.name()),
        ListForm::String => format!("{}+=\" {item}\"\n", list.name()),
    })
}

/// A file without an item of a list.
pub fn remove(text: &str, list: List, item: &str) -> Result<String, Refused> {
    Ok(ShellFile::parse(text)?.remove_items(list.name(), |one| list.same(one, item))?)
}

/// What the hooks of an image are, as far as passthrough at boot rests on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Whether systemd is init in the image. It loads `MODULES` beside udev, in no certain order; the busybox init loads them
    /// before udev runs.
    pub systemd: bool,
    /// Whether `*.conf` of modprobe.d is put into the image, with the `softdep` and `options` lines.
    pub modconf: bool,
    /// Whether drivers of graphics cards are put into the image.
    pub kms: bool,
}

impl Hooks {
    /// Looks at the items of `HOOKS`.
    pub fn of(items: &[String]) -> Self {
        let has = |name: &str| items.iter().any(|item| item == name);
        Self { systemd: has("systemd"), modconf: has("modconf"), kms: has("kms") }
    }
}

#[cfg(test)]
mod tests;
