//! The records of boots that `passthru verify --record` has kept, and which boot this is.

use passthru_formats::boot_record;
use passthru_model::boot_record::{BOOT_RECORDS, Boots};
use passthru_model::fact::Fact;

use super::because;
use crate::clock;
use crate::host::Host;
use crate::program;

/// All records, oldest first.
pub(super) fn of(host: &Host) -> Fact<Boots> {
    let mut names = match host.list(BOOT_RECORDS) {
        Ok(names) => names,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return because(&error),
    };
    names.retain(|name| boot_record::number(name).is_some());
    names.sort_by_key(|name| boot_record::number(name));
    let (mut records, mut gaps) = (Vec::new(), Vec::new());
    for name in names {
        let path = format!("{BOOT_RECORDS}/{name}");
        match host.read(&path) {
            Ok(bytes) => match boot_record::parse(&bytes) {
                Ok(record) => records.push(record),
                Err(why) => gaps.push(format!("{path} {why}")),
            },
            // It was replaced or taken away between the two looks.
            Err(error) if error.is_not_found() => {}
            Err(error) => gaps.push(error.to_string()),
        }
    }
    let seen = match records.len() {
        0 => "no record".to_owned(),
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    };
    let program = program::paths("passthru").find(|path| matches!(host.exists(path), Ok(true)));
    Fact::known(Boots { present: clock::boot_id(host).ok(), records, gaps, program }, BOOT_RECORDS, seen)
}
