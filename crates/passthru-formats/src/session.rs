//! The files in which systemd-logind keeps sessions, `/run/systemd/sessions/ID` (`session_save`,
//! `src/login/logind-session.c` of systemd): a line `NAME=value` each. sd-login(3) reads the same ones.

use std::collections::BTreeMap;

use passthru_model::session::{Session, SessionClass};

use crate::os_release;

/// What is read of a file; the rest (processes, addresses, displays) is nobody's business.
const KEPT: [&str; 5] = ["USER=", "ACTIVE=", "TYPE=", "CLASS=", "SEAT="];

/// The lines that matter, so that a capture holds no others.
pub fn reduced(bytes: &[u8]) -> Vec<u8> {
    lines_that_begin(bytes, &KEPT)
}

/// Reads a file. `None`: it names no user.
pub fn parse(id: &str, bytes: &[u8]) -> Option<Session> {
    let mut values: BTreeMap<String, String> = os_release::parse(bytes);
    let mut take = |name: &str| values.remove(name).filter(|value| !value.is_empty());
    Some(Session {
        id: id.to_owned(),
        user: take("USER")?,
        seat: take("SEAT"),
        active: take("ACTIVE").as_deref() == Some("1"),
        kind: take("TYPE").filter(|kind| kind != "unspecified"),
        class: match take("CLASS").as_deref() {
            Some("greeter") => SessionClass::Greeter,
            Some("user" | "user-early" | "user-incomplete" | "user-light" | "user-early-light") | None => {
                SessionClass::User
            }
            Some(_) => SessionClass::Other,
        },
    })
}

/// The seat in a file of udev's database (`/run/udev/data`, `E:ID_SEAT=`), where it gives one.
pub fn seat(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let seat = text.lines().find_map(|line| line.strip_prefix(SEAT))?.trim();
    (!seat.is_empty()).then(|| seat.to_owned())
}

/// What is kept of such a file.
pub fn reduced_to_seat(bytes: &[u8]) -> Vec<u8> {
    lines_that_begin(bytes, &[SEAT])
}

const SEAT: &str = "E:ID_SEAT=";

fn lines_that_begin(bytes: &[u8], beginnings: &[&str]) -> Vec<u8> {
    let keeps = |line: &&[u8]| beginnings.iter().any(|beginning| line.starts_with(beginning.as_bytes()));
    bytes.split_inclusive(|byte| *byte == b'\n').filter(keeps).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::{parse, reduced, reduced_to_seat, seat};
    use passthru_model::session::{Session, SessionClass};
    use proptest::prelude::*;

    const FILE: &[u8] = b"# This is private data. Do not parse.\nUID=1000\nUSER=anna\nACTIVE=1\nIS_DISPLAY=1\nSTATE=active\n\
        REMOTE=0\nLEADER_FD_SAVED=1\nTYPE=wayland\nORIGINAL_TYPE=wayland\nCLASS=user\nSCOPE=session-2.scope\nSEAT=seat0\nTTY=tty2\n\
        REMOTE_HOST=10.0.0.7\nSERVICE=gdm-password\nVTNR=2\nLEADER=4711\n";

    #[test]
    fn a_session_at_a_seat_has_its_user_and_kind() {
        let expected = Session {
            id: "2".to_owned(),
            user: "anna".to_owned(),
            seat: Some("seat0".to_owned()),
            active: true,
            kind: Some("wayland".to_owned()),
            class: SessionClass::User,
        };
        assert_eq!(parse("2", FILE), Some(expected));
        let small = reduced(FILE);
        assert_eq!(small, b"USER=anna\nACTIVE=1\nTYPE=wayland\nCLASS=user\nSEAT=seat0\n");
        assert_eq!((parse("2", &small), reduced(&small)), (parse("2", FILE), small));
    }

    #[test]
    fn a_login_screen_and_a_session_from_afar_are_told_apart() {
        let class =
            |text: &[u8]| parse("c1", text).map(|session| (session.class, session.seat, session.active));
        let seat0 = Some("seat0".to_owned());
        assert_eq!(
            class(b"USER=gdm\nACTIVE=1\nCLASS=greeter\nSEAT=seat0\n"),
            Some((SessionClass::Greeter, seat0, true))
        );
        assert_eq!(class(b"USER=anna\nACTIVE=0\nTYPE=tty\n"), Some((SessionClass::User, None, false)));
        assert_eq!(class(b"USER=anna\nCLASS=manager\n"), Some((SessionClass::Other, None, false)));
        assert_eq!(class(b"UID=0\n"), None);
    }

    #[test]
    fn a_device_is_at_the_seat_that_udev_gives_it() {
        let data =
            b"I:12345\nE:ID_INPUT=1\nE:ID_INPUT_KEYBOARD=1\nE:ID_SERIAL=noserial\nE:ID_SEAT=seat1\nG:seat\n";
        assert_eq!(seat(data).as_deref(), Some("seat1"));
        assert_eq!(reduced_to_seat(data), b"E:ID_SEAT=seat1\n");
        assert_eq!((seat(b"E:ID_INPUT=1\n"), seat(b"E:ID_SEAT=\n")), (None, None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_them_panic(bytes: Vec<u8>) {
            let _ = (parse("1", &bytes), reduced(&bytes), seat(&bytes), reduced_to_seat(&bytes));
        }
    }
}
