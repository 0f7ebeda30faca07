//! The variable store of a guest: copied from the firmware's template once, never written over.

use std::io;
use std::path::{Path, PathBuf};

/// Why a guest has no variable store.
#[derive(Debug, thiserror::Error)]
pub enum VarsError {
    /// The template.
    #[error("the firmware's variable template {} cannot be read", .0.display())]
    Template(PathBuf, #[source] io::Error),
    /// The copy.
    #[error("the guest's variables {} cannot be written", .0.display())]
    Copy(PathBuf, #[source] io::Error),
    /// The guest's firmware could not keep anything.
    #[error("{}: the guest's variables cannot be written, so its firmware would not start; make the file writable for whoever runs the guest", .0.display())]
    ReadOnly(PathBuf, #[source] io::Error),
    /// Left by another firmware: QEMU would stop with a message about sizes.
    #[error("{}: the guest's variables were made for another firmware ({have} bytes, and {template} has {want}); move the file away to begin with fresh ones", path.display())]
    Size {
        /// The guest's file.
        path: PathBuf,
        /// Its size.
        have: u64,
        /// The template.
        template: String,
        /// Its size.
        want: u64,
    },
}

/// Copies the template, unless the guest has variables already. Returns whether it did.
pub fn copy_once(template: &Path, path: &Path, format: &str) -> Result<bool, VarsError> {
    let at_template = |error| VarsError::Template(template.to_owned(), error);
    let at_copy = |error| VarsError::Copy(path.to_owned(), error);
    let mut source = std::fs::File::open(template).map_err(at_template)?;
    let want = source.metadata().map_err(at_template)?.len();
    match std::fs::metadata(path) {
        Ok(there) if format == "raw" && there.len() != want => {
            let template = template.display().to_string();
            return Err(VarsError::Size { path: path.to_owned(), have: there.len(), template, want });
        }
        Ok(_) => {
            let writable = rustix::fs::access(path, rustix::fs::Access::WRITE_OK);
            return writable
                .map(|()| false)
                .map_err(|error| VarsError::ReadOnly(path.to_owned(), error.into()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at_copy(error)),
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    // Temporary files are made with mode 0600, which is what the variables shall have.
    let mut copy = tempfile::NamedTempFile::new_in(directory).map_err(at_copy)?;
    io::copy(&mut source, &mut copy).map_err(at_copy)?;
    copy.as_file().sync_all().map_err(at_copy)?;
    copy.persist_noclobber(path).map_err(|error| at_copy(error.error))?;
    std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(at_copy)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{VarsError, copy_once};

    #[test]
    fn variables_are_copied_once_for_their_owner_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let (template, vars) = (directory.path().join("template"), directory.path().join("vars.fd"));
        assert!(matches!(copy_once(&template, &vars, "raw"), Err(VarsError::Template(..))));
        std::fs::write(&template, "empty").expect("written");
        assert!(copy_once(&template, &vars, "raw").expect("copied"));
        assert_eq!(std::fs::metadata(&vars).expect("there").permissions().mode() & 0o777, 0o600);
        std::fs::write(&vars, "mine!").expect("written");
        assert!(!copy_once(&template, &vars, "raw").expect("kept"));
        assert_eq!(std::fs::read(&vars).expect("read"), b"mine!");
        let mut locked = std::fs::metadata(&vars).expect("there").permissions();
        locked.set_mode(0o400);
        std::fs::set_permissions(&vars, locked).expect("set");
        // Root writes what it likes.
        let refused = matches!(copy_once(&template, &vars, "raw"), Err(VarsError::ReadOnly(..)));
        assert!(refused || rustix::process::geteuid().is_root());
        std::fs::write(&template, "larger").expect("written");
        assert!(matches!(copy_once(&template, &vars, "raw"), Err(VarsError::Size { have: 5, want: 6, .. })));
    }
}
