//! Symbolic links, followed by hand and never out of the root.

use crate::error::ReadErrorKind;

/// As many links as the kernel follows in one path (`MAXSYMLINKS`, `include/linux/namei.h`).
const MOST_LINKS: usize = 40;

/// Joins a link's target to the directory that holds the link, without looking at anything: `..` at the root stays there.
pub(crate) fn join(directory: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') {
        Vec::new()
    } else {
        directory.split('/').filter(|part| !part.is_empty()).collect()
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The directory that holds a path, and its last part.
pub(crate) fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((directory, name)) => (directory, name),
        None => ("/", path),
    }
}

/// The path of an entry of a directory.
pub(crate) fn child(directory: &str, name: &str) -> String {
    if directory == "/" { format!("/{name}") } else { format!("{directory}/{name}") }
}

/// The path without symbolic links, as seen from the root; the last part is followed only if asked for.
///
/// `link` reads the link at a path whose directory has no links, and says `None` where there is something else. It is
/// told whether the path goes on after it.
pub(crate) fn resolve(
    path: &str,
    follow_last: bool,
    mut link: impl FnMut(&str, bool) -> Result<Option<String>, ReadErrorKind>,
) -> Result<String, ReadErrorKind> {
    let parts = |text: &str| -> Vec<String> {
        text.split('/').rev().filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let mut ahead = parts(path);
    let mut behind = String::from("/");
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            behind = split(&behind).0.to_owned();
            continue;
        }
        let next = child(&behind, &part);
        if ahead.is_empty() && !follow_last {
            return Ok(next);
        }
        match link(&next, !ahead.is_empty())? {
            None => behind = next,
            Some(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(ReadErrorKind::Other("too many levels of symbolic links".to_owned()));
                }
                if target.starts_with('/') {
                    "/".clone_into(&mut behind);
                }
                ahead.extend(parts(&target));
            }
        }
    }
    Ok(behind)
}

#[cfg(test)]
mod tests {
    use super::{join, resolve};
    use crate::error::ReadErrorKind;
    use proptest::prelude::*;

    #[expect(clippy::unnecessary_wraps, reason = "it stands for a reader of links, which can fail")]
    fn linked(path: &str, _goes_on: bool) -> Result<Option<String>, ReadErrorKind> {
        Ok(match path {
            "/lib" => Some("usr/lib".to_owned()),
            "/usr/lib/up" => Some("../../../..//lib".to_owned()),
            "/loop" => Some("/loop".to_owned()),
            "/absolute" => Some("/etc".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn links_are_followed_and_stay_below_the_root() {
        for (path, real) in [
            ("/lib/modules", "/usr/lib/modules"),
            ("/lib/up/x", "/usr/lib/x"),
            ("/absolute/fstab", "/etc/fstab"),
            ("/../../etc", "/etc"),
            ("/", "/"),
        ] {
            assert_eq!(resolve(path, true, linked), Ok(real.to_owned()), "{path}");
        }
        assert_eq!(resolve("/absolute", false, linked), Ok("/absolute".to_owned()));
    }

    #[test]
    fn a_loop_ends_in_an_error() {
        assert!(matches!(resolve("/loop", true, linked), Err(ReadErrorKind::Other(_))));
    }

    proptest! {
        #[test]
        fn no_target_leads_out_of_the_root(target in "[./a]{0,20}") {
            let joined = join("/a/b", &target);
            prop_assert!(joined.starts_with('/') && joined.split('/').all(|part| part != ".."), "{}", joined);
        }
    }
}
