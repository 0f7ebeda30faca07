//! The configuration that a kernel was built with: `/boot/config-RELEASE`, `/usr/lib/modules/RELEASE/config`, and
//! `/proc/config.gz` without its compression (`Documentation/kbuild/kconfig.rst`).

use std::collections::BTreeMap;

/// The values of the options that are asked for, by name without `CONFIG_`. An option that is off has no value: the text
/// has it as a comment, or not at all where what it depends on is off. Quotes around a text are left out.
pub fn values(bytes: &[u8], wanted: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(rest) = line.strip_prefix(b"CONFIG_") else { continue };
        let Some(equals) = rest.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = rest.split_at(equals);
        let Some(name) = wanted.iter().find(|one| one.as_bytes() == name) else { continue };
        let value = String::from_utf8_lossy(value.get(1..).unwrap_or_default()).trim_end().to_owned();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).map(str::to_owned);
        found.insert((*name).to_owned(), bare.unwrap_or(value));
    }
    found
}

/// Whether a text looks like such a configuration at all: some option is on in it.
pub fn is_config(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"CONFIG_"))
}

#[cfg(test)]
mod tests {
    use super::{is_config, values};
    use proptest::prelude::*;

    const TEXT: &[u8] = b"#\n# Linux/x86 6.12.43 Kernel Configuration\n#\nCONFIG_VFIO=m\nCONFIG_VFIO_PCI=m\n\
        # CONFIG_IOMMUFD is not set\nCONFIG_INTEL_IOMMU=y\nCONFIG_LOCALVERSION=\"-amd64\"\nCONFIG_HZ=250\n";

    #[test]
    fn only_what_is_asked_for_is_read_and_what_is_off_has_no_value() {
        let found = values(TEXT, &["VFIO", "IOMMUFD", "INTEL_IOMMU", "LOCALVERSION", "VFIO_P"]);
        let found: Vec<(&str, &str)> =
            found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, [("INTEL_IOMMU", "y"), ("LOCALVERSION", "-amd64"), ("VFIO", "m")]);
        assert!(is_config(TEXT) && !is_config(b"# CONFIG_X is not set\n"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = (values(&bytes, &["VFIO", ""]), is_config(&bytes));
        }
    }
}
