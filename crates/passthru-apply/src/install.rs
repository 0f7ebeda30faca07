//! Putting a file, a link or nothing in a place: temporary file, fsync, rename, fsync of the directory.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::failpoint;
use crate::target::{Place, Target, split};
use crate::variable;

/// Writes a file with this content, mode and owner. The extended attributes, the SELinux label among them, are those of
/// the file that it replaces.
pub(crate) fn file(
    place: &Place,
    temporary: &str,
    content: &[u8],
    mode: u32,
    owner: (u32, u32),
) -> io::Result<()> {
    if variable::is_in(place) {
        return variable::set(place, content);
    }
    let like = match crate::standing::open(place) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        // There is a link where the file goes: it has no attributes to take over.
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => None,
        Err(error) => return Err(error),
    };
    through(place, temporary, |file| {
        write_killably(file, content)?;
        rustix::fs::fchown(&*file, Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.1)))?;
        if let Some(like) = &like {
            copy_attributes(like, file, false)?;
        }
        rustix::fs::fchmod(&*file, Mode::from_raw_mode(mode))?;
        Ok(())
    })
}

/// Writes a copy of a whole file: content, owner, extended attributes, mode and time of change.
pub(crate) fn copy(place: &Place, temporary: &str, from: &mut File) -> io::Result<()> {
    if variable::is_in(place) {
        let mut content = Vec::new();
        from.rewind()?;
        from.read_to_end(&mut content)?;
        return variable::set(place, &content);
    }
    through(place, temporary, |file| {
        from.rewind()?;
        // A reflink shares the blocks where the file system can; elsewhere the bytes are copied.
        if rustix::fs::ioctl_ficlone(&*file, &*from).is_err() {
            failpoint::hit();
            io::copy(from, file)?;
        }
        failpoint::hit();
        let stat = rustix::fs::fstat(&*from)?;
        rustix::fs::fchown(&*file, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
        copy_attributes(from, file, true)?;
        rustix::fs::fchmod(&*file, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
        let modified = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() };
        rustix::fs::futimens(&*file, &Timestamps { last_access: modified, last_modification: modified })?;
        Ok(())
    })
}

/// Puts a symbolic link in a place.
pub(crate) fn link(place: &Place, temporary: &str, target: &str) -> io::Result<()> {
    forget(place, temporary)?;
    rustix::fs::symlinkat(target, &place.directory, temporary)?;
    failpoint::hit();
    finish(place, temporary)
}

/// Removes what is in a place, if anything is.
pub(crate) fn remove(place: &Place) -> io::Result<()> {
    failpoint::hit();
    forget(place, &place.name)?;
    failpoint::hit();
    rustix::fs::fsync(&place.directory)?;
    Ok(())
}

/// Removes a name, which may be gone already.
pub(crate) fn forget(place: &Place, name: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(&place.directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes directories, outermost first, as `mkdir -m 0755` would. Those that are there already are left as they are.
pub(crate) fn make_directories(target: &Target, paths: &[String]) -> io::Result<()> {
    for path in paths {
        let (parent, name) = split(path)?;
        let parent = target.directory(parent)?;
        failpoint::hit();
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                // Said once more, for the umask may have taken bits away.
                rustix::fs::fchmod(target.directory(path)?, Mode::from_raw_mode(0o755))?;
                failpoint::hit();
                rustix::fs::fsync(&parent)?;
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Removes directories that we made, innermost first, where nobody has put anything into them.
pub(crate) fn remove_directories(target: &Target, paths: &[String]) -> io::Result<()> {
    for path in paths.iter().rev() {
        let (parent, name) = split(path)?;
        let parent = match target.directory(parent) {
            Ok(parent) => parent,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        failpoint::hit();
        match rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR) {
            Ok(()) => rustix::fs::fsync(&parent)?,
            Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR | Errno::BUSY) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn through(
    place: &Place,
    temporary: &str,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    forget(place, temporary)?;
    failpoint::hit();
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o600);
    let mut file = File::from(rustix::fs::openat(&place.directory, temporary, flags, mode)?);
    failpoint::hit();
    let written = write(&mut file).and_then(|()| {
        failpoint::hit();
        file.sync_all()
    });
    match written.and_then(|()| finish(place, temporary)) {
        Ok(()) => Ok(()),
        Err(error) => {
            // The first error is the one worth telling; what is left here is also taken away by the next undo.
            let _ = forget(place, temporary);
            Err(error)
        }
    }
}

fn finish(place: &Place, temporary: &str) -> io::Result<()> {
    failpoint::hit();
    rustix::fs::renameat(&place.directory, temporary, &place.directory, &place.name)?;
    failpoint::hit();
    rustix::fs::fsync(&place.directory)?;
    failpoint::hit();
    Ok(())
}

/// Writes bytes, with a place to be killed in the middle of them.
pub(crate) fn write_killably(file: &mut File, content: &[u8]) -> io::Result<()> {
    if cfg!(test) {
        let (first, second) = content.split_at(content.len() / 2);
        file.write_all(first)?;
        failpoint::hit();
        return file.write_all(second);
    }
    file.write_all(content)
}

/// Copies extended attributes. Signatures over the content are left out unless the content is the same.
fn copy_attributes(from: &impl AsFd, to: &impl AsFd, same_content: bool) -> io::Result<()> {
    let size = match rustix::fs::flistxattr_query(from) {
        Ok(0) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
        Ok(size) => size,
        Err(error) => return Err(error.into()),
    };
    let mut names = vec![0; size];
    let size = rustix::fs::flistxattr(from, &mut names[..])?;
    for name in names[..size].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        // The kernel computes this one over the inode itself; a copied one would not verify.
        if name == b"security.evm" || (name == b"security.ima" && !same_content) {
            continue;
        }
        let size = rustix::fs::fgetxattr_query(from, name)?;
        let mut value = vec![0; size];
        let size = rustix::fs::fgetxattr(from, name, &mut value[..])?;
        match rustix::fs::fsetxattr(to, name, &value[..size], XattrFlags::empty()) {
            // A copy in the journal is labelled by SELinux; on an EFI system partition (FAT) nothing is.
            Err(Errno::OPNOTSUPP) if name == b"security.selinux" => {}
            other => other?,
        }
    }
    Ok(())
}
