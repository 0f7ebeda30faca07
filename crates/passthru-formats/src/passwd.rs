//! The users of a host: passwd(5).

use std::collections::BTreeSet;

/// The names of the users that the file knows. What a directory service knows besides is not in it.
pub fn names(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    let name = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let _: u32 = fields.nth(1)?.parse().ok()?;
        Some(name.to_owned())
    };
    text.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::names;
    use proptest::prelude::*;

    #[test]
    fn a_user_is_a_line_with_a_name_and_a_number() {
        let found = names(
            b"root:x:0:0:root:/root:/bin/bash\nqemu:x:107:107::/:/sbin/nologin\n# no:x:y\n+\n:x:1:1\nhalf:x\n",
        );
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["qemu", "root"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = names(&bytes);
        }

        #[test]
        fn whom_a_line_names_is_found(name in "[a-z_][a-z0-9_.-]{0,31}", uid: u32) {
            let line = format!("{name}:x:{uid}:1::/:/bin/sh\n");
            prop_assert!(names(line.as_bytes()).contains(&name));
        }
    }
}
