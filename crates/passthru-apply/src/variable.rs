//! Variables of UEFI firmware, which Linux shows as files (efivarfs). None of what makes a change of a file whole works there: no
//! other name can be written first and renamed. But one write() is one call of the firmware, which takes the whole value or none of it
//! (UEFI Specification 2.10, §8.2), also where power fails.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use passthru_model::managed::EFI_VARIABLES;
use rustix::fs::{Mode, OFlags};

use crate::failpoint;
use crate::standing;
use crate::target::Place;

/// `EFIVARFS_MAGIC` (`include/uapi/linux/magic.h`).
const MAGIC: i64 = 0xde5e_81e4;

/// Whether what is or will be in a place is a variable of the firmware. In tests an ordinary file stands for one.
pub(crate) fn is_in(place: &Place) -> bool {
    let stands_for_one = || place.real.strip_prefix(EFI_VARIABLES).is_some_and(|rest| rest.starts_with('/'));
    if cfg!(test) {
        return stands_for_one();
    }
    rustix::fs::fstatfs(&place.directory)
        .is_ok_and(|file_system| i128::from(file_system.f_type) == i128::from(MAGIC))
}

/// Whether these bytes of a place are a variable that was begun and is not set: its file is there, with nothing in it, until the
/// first write (`efivarfs_file_read`, `fs/efivarfs/file.c`).
pub(crate) fn is_unset(place: &Place, size: u64) -> bool {
    size == 0 && is_in(place)
}

/// Sets a variable: four bytes of attributes, and the value. The firmware is asked afterwards whether it has kept it.
pub(crate) fn set(place: &Place, content: &[u8]) -> io::Result<()> {
    failpoint::hit();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o644);
    let mut file = File::from(rustix::fs::openat(&place.directory, &place.name, flags, mode)?);
    failpoint::hit();
    if cfg!(test) {
        // A variable has just the bytes of the last write.
        file.set_len(0)?;
    }
    if file.write(content)? != content.len() {
        return Err(io::Error::other("the firmware took a part of it only"));
    }
    failpoint::hit();
    let mut kept = Vec::new();
    standing::open(place)?.read_to_end(&mut kept)?;
    if kept == content { Ok(()) } else { Err(io::Error::other("the firmware did not keep what was written")) }
}

#[cfg(test)]
mod tests {
    use crate::Target;
    use crate::standing::Standing;
    use crate::target::Follow;
    use passthru_model::managed::{BOOT_ORDER, EFI_VARIABLES};

    #[test]
    fn a_variable_is_set_in_its_place_and_one_that_was_only_begun_is_not_there() {
        let root = tempfile::tempdir().expect("makes");
        let directory = root.path().join(EFI_VARIABLES.trim_start_matches('/'));
        std::fs::create_dir_all(&directory).expect("makes");
        let target = Target::open(root.path()).expect("opens");
        let place = target.place(BOOT_ORDER, Follow::Nothing).expect("is a place");
        let file = root.path().join(BOOT_ORDER.trim_start_matches('/'));
        std::fs::write(&file, "").expect("writes");
        assert_eq!(Standing::in_place(&place).expect("reads"), Standing::Absent);
        for content in [&b"\x07\0\0\0\x01\0\0\0"[..], b"\x07\0\0\0\x01\0"] {
            super::set(&place, content).expect("sets");
            assert_eq!(std::fs::read(&file).expect("reads"), content);
        }
        assert_eq!(std::fs::read_dir(&directory).expect("lists").count(), 1, "nothing is written beside it");
    }
}
