//! Unified kernel images: a UEFI program that carries a kernel with its command line, each in a section of its own
//! (UAPI.5, <https://uapi-group.org/specifications/specs/unified_kernel_image/>; systemd-stub(7)).

use passthru_model::boot::{BootEntry, Loader};

use crate::os_release;
use crate::pe::{self, ProgramError, Section};

/// The section with the kernel command line.
pub const CMDLINE: &str = ".cmdline";
/// The section with the initramfs.
pub const INITRD: &str = ".initrd";

/// The sections that say how it boots; all others are far larger and not needed.
const KEPT: [&str; 4] = [".osrel", ".uname", CMDLINE, ".profile"];

/// The command lines in an image: one, or one of each profile where it has several. Those without one say nothing: the
/// loader gives it then.
pub fn entries(path: &str, bytes: &[u8]) -> Result<Vec<BootEntry>, ProgramError> {
    let sections = pe::sections(bytes)?;
    // What stands before the first profile is for all of them, unless a profile has its own.
    let mut parts = sections.split(|section| section.name == ".profile");
    let base = parts.next().unwrap_or_default();
    let mut profiles: Vec<&[Section<'_>]> = parts.collect();
    if profiles.is_empty() {
        profiles.push(&[]);
    }
    let titles = sections.iter().filter(|section| section.name == ".profile").map(Some).chain([None]);
    let one = |(own, profile): (&[Section<'_>], Option<&Section<'_>>)| {
        let find = |name| {
            let named = |section: &&Section<'_>| section.name == name;
            own.iter().find(named).or_else(|| base.iter().find(named)).map(|section| section.content)
        };
        let system =
            find(".osrel").map(|bytes| os_release::pretty_name(&os_release::parse(bytes)).to_owned());
        let profile = profile.and_then(|section| os_release::parse(section.content).remove("TITLE"));
        let title = system.into_iter().chain(profile).collect::<Vec<_>>().join(": ");
        Some(BootEntry {
            path: path.to_owned(),
            line: 1,
            loader: Loader::UnifiedImage,
            title: Some(title).filter(|title| !title.is_empty()),
            kernel: find(".uname").map(text),
            cmdline: text(find(CMDLINE)?),
            source: false,
            rescue: false,
        })
    };
    Ok(profiles.into_iter().zip(titles).filter_map(one).collect())
}

/// The command line that an addon adds to images (`*.addon.efi`); `None`: it adds none.
pub fn addition(bytes: &[u8]) -> Result<Option<String>, ProgramError> {
    Ok(pe::section(bytes, CMDLINE)?.map(text))
}

/// An image of nothing but the sections that say how it boots, with what `change` makes of their texts; empty where the
/// bytes are no program. The image that it makes has no code and cannot be started.
pub fn reduced(bytes: &[u8], mut change: impl FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let kept: Vec<(&str, Vec<u8>)> = pe::sections(bytes)
        .unwrap_or_default()
        .iter()
        .filter(|section| KEPT.contains(&section.name))
        .map(|section| (section.name, change(section.content)))
        .collect();
    write(&kept).unwrap_or_default()
}

/// The smallest program with these sections; `None` of none, or of more than fit.
pub fn write(sections: &[(&str, Vec<u8>)]) -> Option<Vec<u8>> {
    const PE: u32 = 0x40;
    const COFF: u32 = 24;
    const SECTION: u32 = 40;
    let count = u16::try_from(sections.len()).ok().filter(|count| *count > 0)?;
    let mut out = vec![0; 0x40];
    out.get_mut(..2)?.copy_from_slice(b"MZ");
    out.get_mut(0x3c..)?.copy_from_slice(&PE.to_le_bytes());
    out.extend(b"PE\0\0");
    out.extend(pe::X86_64.to_le_bytes());
    out.extend(count.to_le_bytes());
    // Times, symbols, optional header, flags: none.
    out.extend([0; 16]);
    let mut at = PE + COFF + SECTION * u32::from(count);
    for (name, content) in sections {
        let size = u32::try_from(content.len()).ok()?;
        let mut entry = [0; SECTION as usize];
        entry.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        for (place, number) in [(8, size), (16, size), (20, at)] {
            entry.get_mut(place..place + 4)?.copy_from_slice(&number.to_le_bytes());
        }
        out.extend(entry);
        at = at.checked_add(size)?;
    }
    out.extend(sections.iter().flat_map(|(_, content)| content));
    Some(out)
}

/// A text that may end with zeros.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{addition, entries, reduced, write};
    use crate::pe::ProgramError;
    use proptest::prelude::*;

    fn image(sections: &[(&str, &str)]) -> Vec<u8> {
        let sections: Vec<_> =
            sections.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
        write(&sections).expect("has sections")
    }

    fn lines(bytes: &[u8]) -> Vec<(String, Option<String>, String)> {
        let found = entries("/efi/EFI/Linux/arch.efi", bytes).expect("an image");
        found.into_iter().map(|one| (one.title.unwrap_or_default(), one.kernel, one.cmdline)).collect()
    }

    #[test]
    fn the_command_line_stands_beside_the_release_and_the_system() {
        let bytes = image(&[
            (".osrel", "NAME=Arch\nPRETTY_NAME=\"Arch Linux\"\n"),
            (".uname", "6.12.1-arch1-1"),
            (".cmdline", "root=/dev/sda2 rw intel_iommu=on\n\0"),
            (".linux", "MZ and a kernel"),
        ]);
        let expected = (
            "Arch Linux".to_owned(),
            Some("6.12.1-arch1-1".to_owned()),
            "root=/dev/sda2 rw intel_iommu=on".to_owned(),
        );
        assert_eq!(lines(&bytes), std::slice::from_ref(&expected));
        let small = reduced(&bytes, <[u8]>::to_vec);
        assert!(!small.windows(4).any(|word| word == b"kern"));
        assert_eq!((lines(&small), reduced(&small, <[u8]>::to_vec)), (vec![expected], small.clone()));
    }

    #[test]
    fn each_profile_has_its_own_line_or_that_of_all() {
        let bytes = image(&[
            (".osrel", "PRETTY_NAME=Fedora"),
            (".cmdline", "quiet"),
            (".profile", "ID=main"),
            (".profile", "ID=off\nTITLE=\"Without passthrough\""),
            (".cmdline", "quiet passthru.off"),
        ]);
        let line = |title: &str, line: &str| (title.to_owned(), None, line.to_owned());
        assert_eq!(
            lines(&bytes),
            [line("Fedora", "quiet"), line("Fedora: Without passthrough", "quiet passthru.off")]
        );
    }

    #[test]
    fn an_image_without_a_line_says_nothing_and_one_that_is_cut_is_an_error() {
        let bytes = image(&[(".osrel", "NAME=x"), (".cmdline", "iommu=pt")]);
        assert_eq!(lines(&image(&[(".osrel", "NAME=x")])), []);
        assert_eq!(addition(&bytes), Ok(Some("iommu=pt".to_owned())));
        assert_eq!(entries("f", &bytes[..bytes.len() - 1]), Err(ProgramError::CutShort));
        assert!(reduced(b"MZ", <[u8]>::to_vec).is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, at in any::<proptest::sample::Index>(), value: u8) {
            let mut whole = image(&[(".osrel", "NAME=x"), (".profile", "ID=a"), (".cmdline", "b")]);
            let at = at.index(whole.len());
            whole[at] = value;
            for bytes in [bytes, whole] {
                let _ = (entries("f", &bytes), addition(&bytes), reduced(&bytes, <[u8]>::to_vec));
            }
        }
    }
}
