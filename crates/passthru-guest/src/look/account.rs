//! The user that QEMU becomes where root starts a guest that names nobody.

use passthru_formats::passwd;
use passthru_model::host_settings::UserName;

/// Users for this very thing, by Debian's name and by that of Fedora, Arch and SUSE, and the one who owns nothing. Whoever called sudo
/// is not among them: a guest that breaks out of QEMU would have all that is theirs.
const KNOWN: [&str; 3] = ["libvirt-qemu", "qemu", "nobody"];

/// The first of them that this host has.
pub(super) fn for_qemu() -> Option<UserName> {
    among(&std::fs::read("/etc/passwd").unwrap_or_default())
}

fn among(file: &[u8]) -> Option<UserName> {
    let there = passwd::names(file);
    KNOWN.iter().find(|name| there.contains(**name)).and_then(|name| name.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::among;

    #[test]
    fn a_user_made_for_it_goes_before_the_one_who_owns_nothing() {
        let found = |file: &str| among(file.as_bytes()).map(|name| name.to_string());
        let line = |name: &str| format!("{name}:x:7:7::/:/sbin/nologin\n");
        let (nobody, anna) = (line("nobody"), line("anna"));
        assert_eq!(found(&[&*nobody, &line("qemu")].concat()).as_deref(), Some("qemu"));
        assert_eq!(found(&[&*nobody, &line("libvirt-qemu")].concat()).as_deref(), Some("libvirt-qemu"));
        assert_eq!(found(&[&*anna, &nobody].concat()).as_deref(), Some("nobody"));
        assert_eq!(found(&anna), None);
    }
}
