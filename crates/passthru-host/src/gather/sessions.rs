//! Who is logged in, from systemd-logind's files, and which seat a device belongs to, from udev's database (sd-login(3)).
//!
//! Only what is needed to say who sits at a keyboard is read, and a capture holds no more of it.

use passthru_formats::session;
use passthru_model::fact::Fact;
use passthru_model::session::Session;

use super::because;
use crate::host::{Host, MOST_FILE_BYTES};

const SESSIONS: &str = "/run/systemd/sessions";
const UDEV: &str = "/run/udev/data";
/// The seat of all that is given to no other (sd-login(3)).
const FIRST_SEAT: &str = "seat0";

/// The sessions, in order of their numbers as text.
pub(super) fn of(host: &Host) -> Fact<Vec<Session>> {
    let names = match host.list(SESSIONS) {
        Ok(names) => names,
        Err(error) => return because(&error),
    };
    let mut found = Vec::new();
    // Each session has a pipe `ID.ref` besides.
    for name in names.iter().filter(|name| !name.contains('.')) {
        match host.read_reduced(&format!("{SESSIONS}/{name}"), MOST_FILE_BYTES, session::reduced) {
            Ok(bytes) => found.extend(session::parse(name, &bytes)),
            // It may have ended while it was looked at.
            Err(error) if error.is_not_found() => {}
            Err(error) => return because(&error),
        }
    }
    let seen = format!("{} sessions", found.len());
    Fact::known(found, SESSIONS, seen)
}

/// The seat of an input device by its kernel's name, such as `input3`. `None`: udev's database is not to be seen.
pub(super) fn seat_of_input(host: &Host, name: &str) -> Option<String> {
    let path = format!("{UDEV}/+input:{name}");
    match host.read_reduced(&path, MOST_FILE_BYTES, session::reduced_to_seat) {
        Ok(bytes) => Some(session::seat(&bytes).unwrap_or_else(|| FIRST_SEAT.to_owned())),
        Err(_) => None,
    }
}
