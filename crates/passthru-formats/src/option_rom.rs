//! PCI option ROMs: which images a ROM holds (PCI Firmware Specification 3.3, chapter 5).

/// Bytes in which a ROM counts its lengths.
const BLOCK: usize = 512;

/// For whom an image is (code type of the PCI Data Structure).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeType {
    /// 0: code for a PC's BIOS.
    Legacy,
    /// 1: Open Firmware.
    OpenFirmware,
    /// 2: PA-RISC.
    PaRisc,
    /// 3: UEFI.
    Uefi,
    /// A number without a meaning here; makers use 0xe0 and up for their own.
    Other(u8),
}

/// One image of a ROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RomImage {
    /// Where it begins, in bytes from the ROM's begin.
    pub offset: usize,
    /// Its length in bytes, a multiple of 512.
    pub length: usize,
    /// The device that it is for: vendor and device.
    pub vendor: u16,
    /// The device that it is for.
    pub device: u16,
    /// For whom it is.
    pub code: CodeType,
    /// Whether it says that it is the last.
    pub is_last: bool,
    /// For legacy images, whether the bytes add up to 0 as a BIOS demands; `None` for others, which have no checksum.
    pub checksum_is_right: Option<bool>,
}

/// What is wrong with a ROM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset:#x}: {reason}")]
pub struct RomError {
    /// Where, in bytes from the ROM's begin.
    pub offset: usize,
    /// What.
    pub reason: String,
}

/// What was found in a ROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rom {
    /// The images that are whole, in their order.
    pub images: Vec<RomImage>,
    /// What ended the walk before an image that says it is the last; `None` for a sound ROM.
    pub flaw: Option<RomError>,
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

/// Walks the images. Bytes after the last are padding.
pub fn parse(bytes: &[u8]) -> Rom {
    let mut images: Vec<RomImage> = Vec::new();
    let mut offset = 0;
    loop {
        match image(bytes, offset) {
            Ok(found) => {
                // A length is never 0, so that the walk goes on and ends.
                offset += found.length;
                let is_last = found.is_last;
                images.push(found);
                if is_last {
                    return Rom { images, flaw: None };
                }
            }
            Err(reason) => return Rom { images, flaw: Some(RomError { offset, reason }) },
        }
    }
}

/// One image, which begins with 55 aa and points to its data structure at 0x18.
fn image(bytes: &[u8], offset: usize) -> Result<RomImage, String> {
    let rest =
        bytes.get(offset..).filter(|rest| !rest.is_empty()).ok_or("the ROM ends without a last image")?;
    match rest.get(..2) {
        Some([0x55, 0xaa]) => {}
        Some([first, second]) => {
            return Err(format!("an image begins with 55 aa, not {first:02x} {second:02x}"));
        }
        _ => return Err("the ROM ends within an image".to_owned()),
    }
    let pointer = usize::from(word(rest, 0x18).ok_or("the ROM ends within an image")?);
    let data = rest.get(pointer..).filter(|data| data.len() >= 0x18);
    let data = data.ok_or_else(|| format!("the data structure at {pointer:#x} lies outside of the ROM"))?;
    if !data.starts_with(b"PCIR") {
        return Err(format!("there is no PCIR at {pointer:#x}"));
    }
    let field = |at: usize| word(data, at).unwrap_or(0);
    let length = usize::from(field(0x10)) * BLOCK;
    if length == 0 {
        return Err("the image has no length".to_owned());
    }
    let whole = rest.get(..length).ok_or_else(|| {
        format!("the image is {length:#x} bytes long, and the ROM has only {:#x} more", rest.len())
    })?;
    let code = match data.get(0x14).copied().unwrap_or(0) {
        0 => CodeType::Legacy,
        1 => CodeType::OpenFirmware,
        2 => CodeType::PaRisc,
        3 => CodeType::Uefi,
        other => CodeType::Other(other),
    };
    // The BIOS adds up what the image's own header says, in blocks at byte 2, which can be less than the image.
    let initialised = usize::from(rest.get(2).copied().unwrap_or(0)) * BLOCK;
    let summed =
        whole.get(..if initialised == 0 { length } else { initialised.min(length) }).unwrap_or(whole);
    let sum = summed.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    Ok(RomImage {
        offset,
        length,
        vendor: field(0x04),
        device: field(0x06),
        code,
        is_last: data.get(0x15).is_some_and(|indicator| indicator & 0x80 != 0),
        checksum_is_right: (code == CodeType::Legacy).then_some(sum == 0),
    })
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, CodeType, parse};
    use proptest::prelude::*;

    /// One image of this many blocks.
    fn image(blocks: u8, code: u8, indicator: u8) -> Vec<u8> {
        let mut bytes = vec![0u8; usize::from(blocks) * BLOCK];
        bytes[..3].copy_from_slice(&[0x55, 0xaa, blocks]);
        bytes[0x18] = 0x40;
        bytes[0x40..0x44].copy_from_slice(b"PCIR");
        bytes[0x44..0x48].copy_from_slice(&[0xde, 0x10, 0xc2, 0x13]);
        bytes[0x50] = blocks;
        bytes[0x54] = code;
        bytes[0x55] = indicator;
        let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        bytes[0x100] = 0u8.wrapping_sub(sum);
        bytes
    }

    #[test]
    fn a_legacy_and_a_uefi_image_are_told_apart() {
        let bytes = [image(2, 0, 0), image(1, 3, 0x80), vec![0xff; 100]].concat();
        let rom = parse(&bytes);
        assert_eq!(rom.flaw, None);
        let seen: Vec<_> =
            rom.images.iter().map(|image| (image.offset, image.code, image.checksum_is_right)).collect();
        assert_eq!(seen, [(0, CodeType::Legacy, Some(true)), (1024, CodeType::Uefi, None)]);
    }

    #[test]
    fn a_wrong_checksum_is_told() {
        let mut bytes = image(1, 0, 0x80);
        bytes[0x101] ^= 1;
        assert_eq!(parse(&bytes).images[0].checksum_is_right, Some(false));
    }

    #[test]
    fn each_flaw_is_named_with_its_place() {
        let flaw = |bytes: &[u8]| parse(bytes).flaw.map(|flaw| flaw.to_string()).unwrap_or_default();
        assert_eq!(flaw(b""), "at byte 0x0: the ROM ends without a last image");
        assert_eq!(flaw(b"NVGI"), "at byte 0x0: an image begins with 55 aa, not 4e 56");
        assert_eq!(flaw(&image(1, 0, 0)), "at byte 0x200: the ROM ends without a last image");
        assert!(flaw(&image(2, 0, 0x80)[..600]).contains("has only 0x258 more"));
        let mut outside = image(1, 0, 0x80);
        outside[0x18..0x1a].copy_from_slice(&[0xf8, 0x01]);
        assert!(flaw(&outside).contains("lies outside"));
        let mut empty = image(1, 0, 0x80);
        empty[0x50] = 0;
        assert!(flaw(&empty).contains("no length"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, cut in 0usize..1024) {
            let _ = parse(&bytes);
            let _ = parse(&image(2, 0, 0)[..cut]);
        }
    }
}
