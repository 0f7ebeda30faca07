//! Lists of modules, one a line: modules-load.d(5), `/etc/modules`, `/etc/initramfs-tools/modules`.

use passthru_model::binding::Listed;

use crate::modules::canonical;

/// The modules of a list, with their lines; of a line with parameters after the name, the name. `#` and `;` begin a comment.
pub fn parse(path: &str, bytes: &[u8]) -> Vec<Listed> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with(';') {
            continue;
        }
        if let Some(name) = line.split_ascii_whitespace().next() {
            found.push(Listed { path: path.to_owned(), line: index + 1, what: canonical(name) });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::parse;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_and_comments_are_not() {
        let found = parse("f", b"# list\nvfio-pci\n\n; no\nloop max_loop=8 # more\n");
        let found: Vec<_> = found.iter().map(|listed| (listed.line, listed.what.as_str())).collect();
        assert_eq!(found, [(2, "vfio_pci"), (5, "loop")]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse("f", &bytes);
        }
    }
}
