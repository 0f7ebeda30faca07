//! What `passthru rom … --json` prints.

use passthru_formats::option_rom::{self, Compression, PrefixKind};
use passthru_formats::pe;
use passthru_model::{ClassCode, Hex16, PciAddress};
use passthru_plan::rom::{Picture, RomVerdict};
use schemars::JsonSchema;
use serde::Serialize;

/// `passthru rom check --json` and `passthru rom dump --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rom {
    /// `passthru.rom/1`.
    pub schema: &'static str,
    /// The file that was read, or that a dump wrote.
    pub file: Option<String>,
    /// The device that was read, or that a file was compared with.
    pub address: Option<PciAddress>,
    /// Whether OVMF will show a picture.
    pub picture: Picture,
    /// Why, a sentence each.
    pub reasons: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// Whether the device shows a copy that the firmware made of the boot GPU's ROM; null for files.
    pub shadow: Option<bool>,
    /// What was found; null where no byte could be read.
    pub contents: Option<RomContents>,
}

/// What was found in a ROM. Places and lengths are bytes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RomContents {
    /// Bytes in all.
    pub size: usize,
    /// What stands before the first image.
    pub prefix: Option<Prefix>,
    /// The images that are whole, in their order.
    pub images: Vec<Image>,
    /// What ended the walk through the images too soon.
    pub flaw: Option<String>,
    /// What follows the last image.
    pub trailing: Option<Trailing>,
    /// The version that the card's maker wrote into it.
    pub vbios: Option<Vbios>,
}

/// Bytes before the first image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Prefix {
    /// How many.
    pub length: usize,
    /// `nvidia` or `unknown`.
    pub kind: &'static str,
}

/// Bytes behind the last image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Trailing {
    /// How many.
    pub length: usize,
    /// The byte that they all are, where they are padding.
    pub padding: Option<u8>,
}

/// A VBIOS, as far as it names itself.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Vbios {
    /// `NVIDIA` or `AMD`.
    pub maker: &'static str,
    /// Its version.
    pub version: Option<String>,
    /// AMD's part number.
    pub part_number: Option<String>,
}

/// One image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Image {
    /// Where it begins.
    pub offset: usize,
    /// Its length.
    pub length: usize,
    /// The code type: 0 legacy, 1 Open Firmware, 2 PA-RISC, 3 UEFI, others are the makers' own.
    pub code: u8,
    /// Who made the device that it is for.
    pub vendor: Hex16,
    /// The device that it is for.
    pub device: Hex16,
    /// Further devices that it is for.
    pub further_devices: Vec<Hex16>,
    /// The class of the device.
    pub class: ClassCode,
    /// Whether it says that it is the last.
    pub last: bool,
    /// Whether it stands behind the last, where firmware does not look.
    pub private: bool,
    /// For legacy images, whether the bytes add up to 0.
    pub checksum: Option<bool>,
    /// What UEFI reads of a UEFI image.
    pub uefi: Option<Uefi>,
}

/// A UEFI image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Uefi {
    /// The machine in words, such as `x86-64`.
    pub machine: &'static str,
    /// The machine's number in PE headers, such as `8664`.
    pub machine_number: Hex16,
    /// 11: boot service driver, 12: runtime driver.
    pub subsystem: u16,
    /// Whether the program is packed.
    pub packed: bool,
    /// Whether the program carries a certificate table; null where it cannot be read.
    pub signed: Option<bool>,
    /// Why the program cannot be read.
    pub error: Option<String>,
}

impl Rom {
    /// The envelope of a judged ROM.
    pub fn of(verdict: RomVerdict, rom: Option<&option_rom::Rom>) -> Self {
        Self {
            schema: "passthru.rom/1",
            file: None,
            address: None,
            picture: verdict.picture,
            reasons: verdict.reasons,
            notes: verdict.notes,
            shadow: None,
            contents: rom.map(RomContents::of),
        }
    }
}

impl RomContents {
    fn of(rom: &option_rom::Rom) -> Self {
        Self {
            size: rom.size,
            prefix: rom.prefix.map(|prefix| Prefix {
                length: prefix.length,
                kind: match prefix.kind {
                    PrefixKind::Nvidia => "nvidia",
                    PrefixKind::Unknown => "unknown",
                },
            }),
            images: rom.images.iter().map(Image::of).collect(),
            flaw: rom.flaw.map(|error| error.to_string()),
            trailing: rom
                .trailing
                .map(|trailing| Trailing { length: trailing.length, padding: trailing.padding }),
            vbios: rom.vbios.as_ref().map(|vbios| Vbios {
                maker: vbios.maker.name(),
                version: vbios.version.clone(),
                part_number: vbios.part_number.clone(),
            }),
        }
    }
}

impl Image {
    fn of(image: &option_rom::RomImage) -> Self {
        Self {
            offset: image.offset,
            length: image.length,
            code: image.code.number(),
            vendor: Hex16(image.vendor),
            device: Hex16(image.device),
            further_devices: image.further_devices.iter().copied().map(Hex16).collect(),
            class: ClassCode::new(image.class).unwrap_or_default(),
            last: image.is_last,
            private: image.is_private,
            checksum: image.checksum_is_right,
            uefi: image.uefi.map(|part| Uefi {
                machine: pe::machine_name(part.real_machine()),
                machine_number: Hex16(part.real_machine()),
                subsystem: part.subsystem,
                packed: part.compression != Compression::None,
                signed: part.program.ok().map(|program| program.signed),
                error: part.program.err().map(|error| error.to_string()),
            }),
        }
    }
}
