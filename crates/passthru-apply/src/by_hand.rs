//! The same as commands that a person can type.

use std::path::Path;

use passthru_model::managed;
use passthru_model::program::quoted;

use crate::record::Image;
use crate::standing::Standing;

/// What stands before every path in a command: the root directory, already quoted.
#[derive(Clone, Debug)]
pub(crate) struct Prefix(String);

impl Prefix {
    /// The shell variable `root`, for commands that are kept with the host that they are about.
    pub(crate) fn variable() -> Self {
        Self("\"$root\"".to_owned())
    }

    /// The root directory as it is reached now.
    pub(crate) fn now(root: &Path) -> Self {
        let root = root.to_string_lossy();
        let root = root.trim_end_matches('/');
        Self(if root.is_empty() { String::new() } else { quoted(root) })
    }

    /// A path behind it.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{}", self.0, quoted(path))
    }

    /// A program behind it, run inside another system's root where it is one.
    pub(crate) fn command(&self, command_line: &str) -> String {
        if self.0.is_empty() { command_line.to_owned() } else { format!("chroot {} {command_line}", self.0) }
    }
}

/// The command that puts back what stood at a path.
pub(crate) fn put_back(prefix: &Prefix, journal: &str, image: &Image) -> Option<String> {
    let path = prefix.path(&image.real);
    match (&image.before, &image.kept) {
        (Standing::Absent, _) => Some(format!("rm -f -- {path}")),
        (Standing::Link { target }, _) => Some(format!("ln -sfn -- {} {path}", quoted(target))),
        (Standing::File { .. }, Some(kept)) => {
            let from = prefix.path(&format!("{journal}/{kept}"));
            // A variable of the firmware has no owner and no time, and is written whole or not at all.
            let is_variable = image.real.starts_with(managed::EFI_VARIABLES);
            let how = if is_variable { "cp" } else { "cp -a --remove-destination" };
            Some(format!("{how} -- {from} {path}"))
        }
        (Standing::File { .. }, None) | (Standing::Other { .. }, _) => None,
    }
}

/// The command that removes a directory which we made, if it is empty.
pub(crate) fn remove_directory(prefix: &Prefix, path: &str) -> String {
    format!("rmdir -- {} 2>/dev/null || true", prefix.path(path))
}
