//! Variables of UEFI, as efivarfs has them: four bytes of attributes, then the value (`fs/efivarfs/file.c`).

/// A variable of one byte that is a flag (UEFI Specification 2.10, §3.3: `SecureBoot`, `SetupMode`).
pub fn flag(bytes: &[u8]) -> Option<bool> {
    match bytes.get(4..)? {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::flag;

    #[test]
    fn the_byte_behind_the_attributes_is_the_flag() {
        assert_eq!([flag(&[6, 0, 0, 0, 1]), flag(&[6, 0, 0, 0, 0])], [Some(true), Some(false)]);
        assert_eq!(
            [flag(&[1]), flag(&[6, 0, 0, 0]), flag(&[6, 0, 0, 0, 2]), flag(&[6, 0, 0, 0, 1, 0])],
            [None, None, None, None]
        );
    }
}
