//! What the host's side and the guest's side of a trial read alike.

use passthru_model::pci::Resource;

/// Whether the kernel could not place a range (`IORESOURCE_UNSET`, `include/linux/ioport.h`).
pub(crate) fn resource_is_unset(resource: &Resource) -> bool {
    resource.flags & 0x2000_0000 != 0
}

/// Whether configuration space lists an MSI or MSI-X capability; `None` where too little of it could be read.
pub(crate) fn has_msi(config: &[u8]) -> Option<bool> {
    // Without root, the kernel gives 64 bytes: the header, and no capability.
    let config = config.get(..256)?;
    if config[6] & 0x10 == 0 {
        return Some(false);
    }
    let mut at = config[0x34] & 0xfc;
    // 48 capabilities of four bytes fill the space; a list that is longer goes in circles.
    for _ in 0..48 {
        if at < 0x40 {
            break;
        }
        let [id, next] = [config[usize::from(at)], config[usize::from(at) + 1]];
        if matches!(id, 0x05 | 0x11) {
            return Some(true);
        }
        at = next & 0xfc;
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::has_msi;
    use crate::testing::config_with_msi;
    use proptest::prelude::*;

    #[test]
    fn msi_is_found_in_the_list_and_a_short_space_is_unknown() {
        assert_eq!(has_msi(&config_with_msi()), Some(true));
        assert_eq!(has_msi(&config_with_msi()[..64]), None);
        assert_eq!(has_msi(&[0; 256]), Some(false));
    }

    proptest! {
        #[test]
        fn any_space_is_an_answer_even_one_whose_list_goes_in_circles(config in proptest::collection::vec(any::<u8>(), 256)) {
            prop_assert!(has_msi(&config).is_some());
        }
    }
}
