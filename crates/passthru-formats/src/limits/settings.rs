//! Settings of how much memory may be locked: limits.conf(5), read by pam_limits at login, and `LimitMEMLOCK=` of units
//! of systemd (systemd.exec(5), "Process Properties").

use passthru_model::binding::Said;
use passthru_model::virtualisation::{LockKind, LockSetting};

/// The lines of a file of limits.conf(5) about `memlock`: whom, `soft`, `hard` or `-`, the item, and KiB.
pub fn of_login(path: &str, bytes: &[u8]) -> Vec<Said<LockSetting>> {
    let one = |line: &str| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let (whom, kind, item, amount) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let kind = match kind {
            "soft" => LockKind::Soft,
            "hard" => LockKind::Hard,
            "-" => LockKind::Both,
            _ => return None,
        };
        let bytes = match amount {
            "unlimited" | "infinity" | "-1" => None,
            kib => Some(kib.parse::<u64>().ok()?.checked_mul(1024)?),
        };
        (item == "memlock").then(|| LockSetting { whom: whom.to_owned(), kind, bytes })
    };
    said(path, bytes, |line| one(line).into_iter().collect())
}

/// The settings of a unit or of all units in a file of systemd: `LimitMEMLOCK=` or `DefaultLimitMEMLOCK=`, one amount or
/// soft and hard with a colon between. `whom` is the unit.
pub fn of_unit(path: &str, whom: &str, bytes: &[u8]) -> Vec<Said<LockSetting>> {
    said(path, bytes, |line| {
        let Some((name, value)) = line.trim().split_once('=') else { return Vec::new() };
        if !matches!(name.trim_end(), "LimitMEMLOCK" | "DefaultLimitMEMLOCK") {
            return Vec::new();
        }
        let parts = match value.split_once(':') {
            Some((soft, hard)) => vec![(LockKind::Soft, soft), (LockKind::Hard, hard)],
            None => vec![(LockKind::Both, value)],
        };
        let one = |(kind, text): (LockKind, &str)| {
            Some(LockSetting { whom: whom.to_owned(), kind, bytes: amount(text.trim())? })
        };
        parts.into_iter().filter_map(one).collect()
    })
}

/// Comments and lines that are not about locked memory made empty, so that a capture keeps the numbers of the others and
/// nothing more.
pub fn reduced(bytes: &[u8]) -> Vec<u8> {
    let one = |line: &[u8]| {
        let end = if line.ends_with(b"\n") { &b"\n"[..] } else { b"" };
        let said = line.split(|byte| b"#\n".contains(byte)).next().unwrap_or_default();
        let matters = said.windows(7).any(|word| word.eq_ignore_ascii_case(b"memlock"));
        [if matters { said } else { b"" }, end].concat()
    };
    bytes.split_inclusive(|byte| *byte == b'\n').flat_map(one).collect()
}

/// An amount of systemd: bytes, or with K, M, G, T, P, E of 1024. `None`: it is none. Known and `None`: without a limit.
#[expect(clippy::option_option, reason = "no amount and no limit are two things")]
fn amount(text: &str) -> Option<Option<u64>> {
    if text == "infinity" {
        return Some(None);
    }
    let (digits, power) = match text.find(|letter: char| !letter.is_ascii_digit()) {
        None => (text, 0),
        Some(at) => (text.get(..at)?, 1 + u32::try_from("KMGTPE".find(text.get(at..)?)?).ok()?),
    };
    digits.parse::<u64>().ok()?.checked_mul(1024_u64.checked_pow(power)?).map(Some)
}

fn said(path: &str, bytes: &[u8], parse: impl Fn(&str) -> Vec<LockSetting>) -> Vec<Said<LockSetting>> {
    let text = String::from_utf8_lossy(bytes);
    let numbered = |(index, line)| {
        let found = parse(line).into_iter();
        found.map(move |what| Said { path: path.to_owned(), line: index + 1, what })
    };
    text.lines().enumerate().flat_map(numbered).collect()
}

#[cfg(test)]
mod tests {
    use super::{of_login, of_unit, reduced};
    use passthru_model::binding::Said;
    use passthru_model::virtualisation::{LockKind, LockSetting};
    use proptest::prelude::*;

    fn shown(found: Vec<Said<LockSetting>>) -> Vec<(usize, String, LockKind, Option<u64>)> {
        found.into_iter().map(|said| (said.line, said.what.whom, said.what.kind, said.what.bytes)).collect()
    }

    #[test]
    fn lines_of_login_count_in_kib_and_only_memlock_matters() {
        let text = b"# comment memlock\n@kvm - memlock unlimited # all\nanna hard nofile 1\n  anna\thard memlock 8388608\nx y memlock 1\n";
        let expected = [
            (2, "@kvm".to_owned(), LockKind::Both, None),
            (4, "anna".to_owned(), LockKind::Hard, Some(8 << 30)),
        ];
        assert_eq!(shown(of_login("f", text)), expected);
        let small = reduced(text);
        assert_eq!((shown(of_login("f", &small)), reduced(&small)), (expected.to_vec(), small.clone()));
        assert!(!small.windows(6).any(|word| word == b"nofile"));
    }

    #[test]
    fn units_say_one_amount_or_two() {
        let limits = |text: &str| shown(of_unit("f", "user@.service", text.as_bytes()));
        let unit = || "user@.service".to_owned();
        assert_eq!(limits("[Service]\nLimitMEMLOCK=infinity\n"), [(2, unit(), LockKind::Both, None)]);
        assert_eq!(
            limits("DefaultLimitMEMLOCK=8M:20G"),
            [(1, unit(), LockKind::Soft, Some(8 << 20)), (1, unit(), LockKind::Hard, Some(20 << 30))]
        );
        assert_eq!(limits("LimitMEMLOCK = 65536"), [(1, unit(), LockKind::Both, Some(65536))]);
        for nothing in
            ["LimitMEMLOCK=", "LimitMEMLOCK=5X", "LimitMEMLOCK=99999999E", "#LimitMEMLOCK=1", "LimitCORE=1"]
        {
            assert_eq!(limits(nothing), [], "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_them_panic(bytes: Vec<u8>, amount in "[0-9KMGE:a-z]{0,12}") {
            let _ = (of_login("f", &bytes), of_unit("f", "u", &bytes), reduced(&bytes));
            let _ = of_unit("f", "u", format!("LimitMEMLOCK={amount}").as_bytes());
        }
    }
}
