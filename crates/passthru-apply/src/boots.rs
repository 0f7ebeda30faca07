//! Keeping the records of boots: beside the journal, for everybody to read, and never more than a few.

use std::io;

use passthru_formats::boot_record;
use passthru_model::boot_record::{BOOT_RECORDS, BootRecord, MOST_BOOT_RECORDS};

use crate::error::Error;
use crate::lock::{Lock, STATE_DIRECTORY};
use crate::target::{Follow, Target};
use crate::{draft, install, standing};

/// Keeps a record: the one of the same boot is replaced, and of others the oldest go. Gives back the path of its file.
///
/// Nothing else of the host is changed, and no journal is written: a record is no change of the host.
pub fn keep_boot_record(target: &Target, record: &BootRecord) -> Result<String, Error> {
    let at = |error: io::Error| Error::at(BOOT_RECORDS, error);
    let bytes = boot_record::write(record).map_err(|error| at(error.into()))?;
    // It makes the directory above too.
    let _lock = Lock::take(target)?;
    install::make_directories(target, &[STATE_DIRECTORY.to_owned(), BOOT_RECORDS.to_owned()]).map_err(at)?;
    let directory = target.directory(BOOT_RECORDS).map_err(at)?;
    let mut numbers: Vec<u32> =
        draft::names(&directory).map_err(at)?.iter().filter_map(|name| boot_record::number(name)).collect();
    numbers.sort_unstable();
    let path = |number: u32| format!("{BOOT_RECORDS}/{}", boot_record::file_name(number));
    let of_same_boot = |number: &u32| {
        let kept = standing::bytes(target, &path(*number), Follow::Nothing).ok().flatten();
        kept.and_then(|bytes| boot_record::parse(&bytes).ok()).is_some_and(|kept| kept.boot == record.boot)
    };
    let newest = numbers.last().copied();
    let number = match newest.filter(of_same_boot) {
        Some(same) => same,
        None => newest.map_or(1, |newest| newest.saturating_add(1)),
    };
    let path_now = path(number);
    let place = target.place(&path_now, Follow::Nothing).map_err(at)?;
    install::file(&place, ".part", &bytes, 0o644, draft::owner()).map_err(at)?;
    numbers.retain(|old| *old != number);
    let surplus = (numbers.len() + 1).saturating_sub(MOST_BOOT_RECORDS);
    for old in numbers.into_iter().take(surplus) {
        install::forget(&place, &boot_record::file_name(old)).map_err(at)?;
    }
    Ok(path_now)
}
