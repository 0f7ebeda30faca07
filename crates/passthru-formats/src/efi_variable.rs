//! Variables of UEFI, as efivarfs has them: four bytes of attributes, then the value (`fs/efivarfs/file.c`).

/// A variable of one byte that is a flag (UEFI Specification 2.10, §3.3: `SecureBoot`, `SetupMode`).
pub fn flag(bytes: &[u8]) -> Option<bool> {
    match bytes.get(4..)? {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

/// Four bytes of attributes, and the value.
pub fn parts(bytes: &[u8]) -> Option<([u8; 4], &[u8])> {
    let (attributes, value) = bytes.split_first_chunk()?;
    Some((*attributes, value))
}

/// The number of one boot entry (`BootCurrent`, `BootNext`).
pub fn number(bytes: &[u8]) -> Option<u16> {
    match parts(bytes)?.1 {
        [low, high] => Some(u16::from_le_bytes([*low, *high])),
        _ => None,
    }
}

/// The numbers of boot entries, in the order in which the firmware tries them (`BootOrder`). `None`: these are not numbers.
pub fn order(bytes: &[u8]) -> Option<Vec<u16>> {
    let (pairs, odd) = parts(bytes)?.1.as_chunks::<2>();
    odd.is_empty().then(|| pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect())
}

/// `BootOrder` with other numbers. `None`: it is cut short.
pub fn with_order(bytes: &[u8], order: &[u16]) -> Option<Vec<u8>> {
    let (attributes, _) = parts(bytes)?;
    Some(attributes.into_iter().chain(order.iter().flat_map(|number| number.to_le_bytes())).collect())
}

/// `BootOrder` as somebody else left it since, without our change: the entries that we added are gone, and those that we took out
/// stand at the end. `None`: one of the three is no `BootOrder`.
pub fn order_without_our_change(before: &[u8], ours: &[u8], now: &[u8]) -> Option<Vec<u8>> {
    let (before, ours, mut kept) = (order(before)?, order(ours)?, order(now)?);
    kept.retain(|number| before.contains(number) || !ours.contains(number));
    let lost: Vec<u16> =
        before.into_iter().filter(|number| !ours.contains(number) && !kept.contains(number)).collect();
    kept.extend(lost);
    with_order(now, &kept)
}

#[cfg(test)]
mod tests {
    use super::{flag, number, order, order_without_our_change, with_order};
    use proptest::prelude::*;

    fn of(order: &[u16]) -> Vec<u8> {
        with_order(&[7, 0, 0, 0], order).expect("has attributes")
    }

    #[test]
    fn our_entry_goes_from_an_order_that_the_firmware_has_changed_since() {
        let undone = |before: &[u16], ours: &[u16], now: &[u16]| {
            order_without_our_change(&of(before), &of(ours), &of(now)).and_then(|bytes| order(&bytes))
        };
        assert_eq!(undone(&[1, 0], &[1, 0, 2], &[3, 0, 1, 2]), Some(vec![3, 0, 1]));
        assert_eq!(undone(&[1, 0], &[1, 0, 2], &[0, 1]), Some(vec![0, 1]), "the firmware has dropped ours");
        assert_eq!(undone(&[1, 0, 2], &[1, 0], &[0, 3, 1]), Some(vec![0, 3, 1, 2]), "of a release");
        assert_eq!((number(&of(&[0x1a])), number(&of(&[1, 2])), number(b"ab")), (Some(0x1a), None, None));
        assert_eq!((order(&[7, 0, 0, 0, 1]), order(&[7, 0])), (None, None));
    }

    proptest! {
        #[test]
        fn an_order_that_nobody_has_changed_since_is_what_it_was(before: Vec<u16>, added: Vec<u16>) {
            let added: Vec<u16> = added.into_iter().filter(|number| !before.contains(number)).collect();
            let ours = of(&[before.clone(), added].concat());
            prop_assert_eq!(order_without_our_change(&of(&before), &ours, &ours), Some(of(&before)));
        }

        #[test]
        fn no_bytes_make_it_panic(before: Vec<u8>, ours: Vec<u8>, now: Vec<u8>) {
            let _ = (number(&now), order_without_our_change(&before, &ours, &now));
        }
    }

    #[test]
    fn the_byte_behind_the_attributes_is_the_flag() {
        assert_eq!([flag(&[6, 0, 0, 0, 1]), flag(&[6, 0, 0, 0, 0])], [Some(true), Some(false)]);
        assert_eq!(
            [flag(&[1]), flag(&[6, 0, 0, 0]), flag(&[6, 0, 0, 0, 2]), flag(&[6, 0, 0, 0, 1, 0])],
            [None, None, None, None]
        );
    }
}
