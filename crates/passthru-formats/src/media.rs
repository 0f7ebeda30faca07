//! What firmware finds to boot on an install image: an ISO 9660 disc with El Torito, or a disk with GPT, an MBR, or a bare
//! FAT file system (UEFI Specification 2.10, §3.5 and §13.3).
//!
//! Everything is read through [`ReadAt`], a few sectors at a time, with bounds on every count that the image states: an
//! image of many gigabytes costs some ten reads, a hostile one no more than some thousand.

pub mod el_torito;
pub mod fat;
pub mod gpt;
pub mod iso9660;
pub mod mbr;
mod read;

pub use read::{MediaError, ReadAt, Window};

use crate::pe;
use fat::Fat;

/// The directory of removable media's boot programs, and the one for x86-64 in it.
const BOOT_DIRECTORY: [&str; 2] = ["EFI", "BOOT"];
const BOOT_X64: &str = "BOOTX64.EFI";
/// Partitions that are looked into; an install image has up to four.
const MOST_PARTITIONS: usize = 16;

/// By which way firmware comes to a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The EFI entry of an El Torito catalog: a CD-ROM.
    ElTorito,
    /// A partition of a GPT: a disk.
    Gpt,
    /// A partition of an MBR: a disk.
    Mbr,
    /// A file system without a partition table: a disk.
    Bare,
}

impl Route {
    /// The way in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::ElTorito => "El Torito’s EFI entry",
            Self::Gpt => "a partition of its GPT",
            Self::Mbr => "a partition of its MBR",
            Self::Bare => "its FAT file system",
        }
    }
}

/// What a file system that UEFI can reach holds to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loader {
    /// `\EFI\BOOT\BOOTX64.EFI`, a program for x86-64. `signed`: it carries a certificate table.
    X64 {
        /// Whether it carries a certificate table.
        signed: bool,
    },
    /// That file is there, and is no program for x86-64, and why.
    NotX64(String),
    /// Programs for other machines only, by name.
    Others(Vec<String>),
    /// None.
    None,
    /// The file system cannot be read, and why.
    Unreadable(String),
}

/// A way that UEFI can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UefiWay {
    /// Which.
    pub route: Route,
    /// Where the file system begins, in bytes.
    pub offset: u64,
    /// What it holds.
    pub loader: Loader,
}

/// What was found on an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Bytes in all.
    pub size: u64,
    /// The disc's name, where it is an ISO 9660 disc.
    pub disc: Option<String>,
    /// Ways of UEFI, in its order.
    pub ways: Vec<UefiWay>,
    /// Whether a BIOS can boot it as a CD-ROM.
    pub bios_disc: bool,
    /// Whether a BIOS can boot it as a disk.
    pub bios_disk: bool,
    /// What looks like a boot record and is broken.
    pub flaws: Vec<String>,
}

impl Media {
    /// The first way that boots under x86-64 UEFI, as a disc or as a disk.
    pub fn x64(&self, as_disc: bool) -> Option<&UefiWay> {
        let fits = |way: &&UefiWay| (way.route == Route::ElTorito) == as_disc;
        self.ways.iter().filter(fits).find(|way| matches!(way.loader, Loader::X64 { .. }))
    }
}

/// Looks at an image. An error only where it cannot be read at all.
pub fn look(image: &dyn ReadAt) -> Result<Media, MediaError> {
    let mut media = Media {
        size: image.size(),
        disc: None,
        ways: Vec::new(),
        bios_disc: false,
        bios_disk: false,
        flaws: Vec::new(),
    };
    // A file that gives not even its first byte is not looked at further; an empty one holds nothing.
    if image.size() > 0 {
        image.read_at(0, &mut [0])?;
        disc(image, &mut media);
        disk(image, &mut media);
    }
    Ok(media)
}

/// An ISO 9660 disc and its El Torito catalog.
fn disc(image: &dyn ReadAt, media: &mut Media) {
    let Ok(Some(volume)) = iso9660::read(image) else { return };
    media.disc = Some(volume.name);
    let Some(sector) = volume.catalog else { return };
    let catalog = match el_torito::read(image, sector) {
        Ok(catalog) => catalog,
        Err(error) => return media.flaws.push(format!("its boot catalog: {error}")),
    };
    for entry in catalog.into_iter().filter(|entry| entry.bootable) {
        let offset = u64::from(entry.sector) * iso9660::SECTOR;
        match entry.platform {
            el_torito::Platform::Efi => {
                let loader = loader(image, offset, media.size.saturating_sub(offset));
                media.ways.push(UefiWay { route: Route::ElTorito, offset, loader });
            }
            el_torito::Platform::X86 => media.bios_disc = true,
            el_torito::Platform::Other(_) => {}
        }
    }
}

/// A disk's partitions, or its bare file system.
fn disk(image: &dyn ReadAt, media: &mut Media) {
    let record = mbr::read(image).ok().flatten();
    media.bios_disk = record.as_ref().is_some_and(|record| record.has_code);
    match gpt::read(image) {
        Ok(Some(partitions)) => {
            for partition in partitions.iter().take(MOST_PARTITIONS) {
                let (offset, length) = (partition.offset, partition.length);
                add(image, media, Route::Gpt, offset, length, partition.is_esp());
            }
            return;
        }
        Ok(None) => {}
        Err(error) => media.flaws.push(format!("its GPT: {error}")),
    }
    if let Ok(fat) = Fat::open(image) {
        let loader = loader_of(&fat);
        media.ways.push(UefiWay { route: Route::Bare, offset: 0, loader });
        // The first sector of every FAT has code, which most often says that there is nothing to boot.
        media.bios_disk = false;
        return;
    }
    for partition in record.into_iter().flat_map(|record| record.partitions) {
        add(image, media, Route::Mbr, partition.offset, partition.length, partition.is_esp());
    }
}

/// A partition: an ESP always counts, another one only where it is FAT, which UEFI reads all the same.
fn add(image: &dyn ReadAt, media: &mut Media, route: Route, offset: u64, length: u64, is_esp: bool) {
    let loader = loader(image, offset, length);
    if is_esp || !matches!(loader, Loader::Unreadable(_)) {
        media.ways.push(UefiWay { route, offset, loader });
    }
}

/// What a FAT file system at a place holds to boot.
fn loader(image: &dyn ReadAt, offset: u64, length: u64) -> Loader {
    let window = Window::new(image, offset, length);
    match Fat::open(&window) {
        Ok(fat) => loader_of(&fat),
        Err(error) => Loader::Unreadable(error.to_string()),
    }
}

fn loader_of(fat: &Fat<'_>) -> Loader {
    let found = fat.find(&[BOOT_DIRECTORY[0], BOOT_DIRECTORY[1], BOOT_X64]);
    let program = found.and_then(|entry| entry.map(|entry| fat.begin(&entry, 4096)).transpose());
    match program.map(|bytes| bytes.map(|bytes| pe::parse(&bytes))) {
        Err(error) => Loader::Unreadable(error.to_string()),
        Ok(Some(Ok(program))) if program.machine == pe::X86_64 => Loader::X64 { signed: program.signed },
        Ok(Some(Ok(program))) => Loader::NotX64(format!("it is for {}", pe::machine_name(program.machine))),
        Ok(Some(Err(error))) => Loader::NotX64(error.to_string()),
        Ok(None) => match fat.names(&BOOT_DIRECTORY) {
            Err(error) => Loader::Unreadable(error.to_string()),
            Ok(names) => {
                let boots = |name: &String| name.starts_with("BOOT") && name.contains(".EFI");
                let names: Vec<String> = names.into_iter().filter(boots).collect();
                if names.is_empty() { Loader::None } else { Loader::Others(names) }
            }
        },
    }
}

#[cfg(test)]
mod tests;
