//! The directory of specifications, which the caller chooses.

use std::io;
use std::path::{Path, PathBuf};

use super::{GuestSpec, SpecError, parse};
use crate::name::GuestName;

/// Why a specification could not be had.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such file.
    #[error("there is no guest ‘{name}’: {} is not there", path.display())]
    Missing {
        /// The guest asked for.
        name: GuestName,
        /// Where its file would be.
        path: PathBuf,
    },
    /// The file or the directory cannot be read.
    #[error("{} cannot be read", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// The file is there and wrong.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// Reads one guest of a directory.
pub fn load(directory: &Path, name: &GuestName) -> Result<GuestSpec, StoreError> {
    let path = directory.join(name.file_name());
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(parse(name.clone(), &path.display().to_string(), &text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(StoreError::Missing { name: name.clone(), path })
        }
        Err(error) => Err(StoreError::Io(path, error)),
    }
}

/// The names of all guests of a directory, in order. Files that are not `NAME.toml` are somebody else's; no directory
/// is no guests.
pub fn list(directory: &Path) -> Result<Vec<GuestName>, StoreError> {
    let at = |error| StoreError::Io(directory.to_owned(), error);
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let file = entry.map_err(at)?.file_name();
        if let Some(Ok(name)) = file.to_str().and_then(|file| file.strip_suffix(".toml")).map(str::parse) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{StoreError, list, load};

    #[test]
    fn guests_are_the_toml_files_with_names() {
        let directory = tempfile::tempdir().expect("a directory");
        for file in ["b.toml", "a.toml", ".c.toml", "d.txt", "-e.toml"] {
            std::fs::write(directory.path().join(file), "memory = \"1G\"\ncpus = 1\n").expect("written");
        }
        let names = list(directory.path()).expect("a list");
        assert_eq!(names.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(load(directory.path(), &names[0]).expect("a spec").cpus, 1);
        let missing = "zebra".parse().expect("a name");
        assert!(matches!(load(directory.path(), &missing), Err(StoreError::Missing { .. })));
        assert!(list(&directory.path().join("nowhere")).expect("no directory is no guests").is_empty());
    }
}
