//! Which modules are for which PCI device: `modules.alias` and `modules.builtin.modinfo` of a kernel (modules.alias(5),
//! `Documentation/kbuild/kbuild.rst`), matched as modprobe does (fnmatch(3)).

use std::collections::BTreeMap;

use crate::modules::canonical;

/// What every alias of a PCI driver begins with (`do_pci_entry`, `scripts/mod/file2alias.c`). Aliases of variant drivers
/// begin with `vfio_pci:`, and are for those who ask for VFIO.
const PCI: &[u8] = b"pci:v";
/// The digits of the vendor that follow.
const VENDOR: usize = 8;

/// A pattern and the module that it stands for.
type Alias<'a> = (&'a [u8], &'a [u8]);

/// The PCI aliases of a kernel, found by vendor, so that a device is compared with few of them.
#[derive(Clone, Debug, Default)]
pub struct Aliases<'a> {
    /// Patterns and modules by the vendor's digits; `*` for those that are for every vendor.
    by_vendor: BTreeMap<&'a [u8], Vec<Alias<'a>>>,
}

impl<'a> Aliases<'a> {
    /// Those of `modules.alias`: lines `alias PATTERN MODULE`.
    pub fn loadable(bytes: &'a [u8]) -> Self {
        let mut aliases = Self::default();
        for line in bytes.split(|&byte| byte == b'\n') {
            let Some(rest) = line.strip_prefix(b"alias ").filter(|rest| rest.starts_with(PCI)) else {
                continue;
            };
            if let Some(space) = rest.iter().position(|&byte| byte == b' ')
                && let (Some(pattern), Some(module)) = (rest.get(..space), rest.get(space + 1..))
            {
                aliases.add(pattern, module.trim_ascii_end());
            }
        }
        aliases
    }

    /// Those of `modules.builtin.modinfo`: texts `MODULE.alias=PATTERN`, each ended by a zero byte.
    pub fn built_in(bytes: &'a [u8]) -> Self {
        const KEY: &[u8] = b".alias=";
        let mut aliases = Self::default();
        for text in bytes.split(|&byte| byte == 0) {
            let Some(at) = text.windows(KEY.len()).position(|word| word == KEY) else { continue };
            if let (Some(module), Some(pattern)) = (text.get(..at), text.get(at + KEY.len()..))
                && pattern.starts_with(PCI)
            {
                aliases.add(pattern, module);
            }
        }
        aliases
    }

    fn add(&mut self, pattern: &'a [u8], module: &'a [u8]) {
        let digits = pattern.get(PCI.len()..PCI.len() + VENDOR).unwrap_or_default();
        let plain = digits.len() == VENDOR && digits.iter().all(u8::is_ascii_hexdigit);
        self.by_vendor.entry(if plain { digits } else { b"*" }).or_default().push((pattern, module));
    }

    /// The modules for a device, by its `modalias`; with underscores, each once, in order of name.
    pub fn modules_for(&self, modalias: &str) -> Vec<String> {
        let bytes = modalias.as_bytes();
        let vendor = bytes.get(PCI.len()..PCI.len() + VENDOR).unwrap_or_default();
        let lists = [vendor, b"*"].map(|key| self.by_vendor.get(key));
        let mut found: Vec<String> = lists
            .into_iter()
            .flatten()
            .flatten()
            .filter(|(pattern, _)| matches(pattern, bytes))
            .map(|(_, module)| canonical(&String::from_utf8_lossy(module)))
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

/// Whether a text fits a pattern of fnmatch(3), of which aliases use `*`, `?` and `[…]`.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    // Where the last star was met, and how much of the text it has taken: to go back there suffices (no star needs to be
    // reconsidered once a later one was reached), so that the time is bounded by the product of the lengths.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(pattern.get(p..).unwrap_or_default(), byte),
            Some(&plain) => (plain == byte).then_some(1),
            None => None,
        };
        if let Some(length) = step {
            (p, t) = (p + length, t + 1);
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (p, t) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
}

/// The length of a class such as `[0-9a]` where it holds a byte; `None` where it does not, or is not closed.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let close = pattern.iter().position(|&byte| byte == b']')?;
    let inside = pattern.get(1..close)?;
    let mut at = 0;
    let mut holds = false;
    while let Some(&first) = inside.get(at) {
        if let (Some(b'-'), Some(&last)) = (inside.get(at + 1), inside.get(at + 2)) {
            holds |= (first..=last).contains(&byte);
            at += 3;
        } else {
            holds |= first == byte;
            at += 1;
        }
    }
    holds.then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use super::{Aliases, matches};
    use proptest::prelude::*;

    const ALIAS: &[u8] = b"# Aliases extracted from modules themselves.\n\
        alias pci:v000010DEd*sv*sd*bc03sc00i00* nouveau\n\
        alias pci:v000010DEd*sv*sd*bc03sc02i00* nouveau\n\
        alias pci:v000010DEd00002204sv*sd*bc*sc*i* nvidia-drm\n\
        alias pci:v*d*sv*sd*bc04sc03i00* snd_hda_intel\n\
        alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n\
        alias pci:v00008086d00000[0-9a]1Fsv*sd*bc*sc*i* odd\n\
        alias usb:v046D* hid\n";

    #[test]
    fn modules_are_found_by_vendor_and_by_class_and_vfio_does_not_ask() {
        let aliases = Aliases::loadable(ALIAS);
        let card = "pci:v000010DEd00002204sv00001462sd00003881bc03sc00i00";
        assert_eq!(aliases.modules_for(card), ["nouveau", "nvidia_drm"]);
        assert_eq!(
            aliases.modules_for("pci:v000010DEd00001AEFsv00001462sd00003881bc04sc03i00"),
            ["snd_hda_intel"]
        );
        assert_eq!(aliases.modules_for("pci:v00008086d00000a1Fsv0sd0bc06sc00i00"), ["odd"]);
        assert_eq!(aliases.modules_for("pci:v00008086d00000b1Fsv0sd0bc06sc00i00"), Vec::<String>::new());
        assert_eq!(aliases.modules_for(""), Vec::<String>::new());
    }

    #[test]
    fn what_is_built_in_is_read_from_texts_that_end_in_zero() {
        let bytes = b"ahci.license=GPL\0ahci.alias=pci:v*d*sv*sd*bc01sc06i01*\0ahci.alias=platform:x\0xhci_pci.alias=pci:v*d*sv*sd*bc0Csc03i30*";
        let aliases = Aliases::built_in(bytes);
        assert_eq!(aliases.modules_for("pci:v00008086d00002922sv0sd0bc01sc06i01"), ["ahci"]);
        assert_eq!(aliases.modules_for("pci:v00001B36d0000000Dsv0sd0bc0Csc03i30"), ["xhci_pci"]);
    }

    proptest! {
        #[test]
        fn a_text_fits_itself_and_a_star_anywhere_in_it(text in "[a-z0-9]{0,12}", at in 0usize..12, length in 0usize..12) {
            prop_assert!(matches(text.as_bytes(), text.as_bytes()));
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            let pattern = format!("{}*{}", &text[..at], &text[end..]);
            prop_assert!(matches(pattern.as_bytes(), text.as_bytes()));
            let other = format!("{text}x");
            prop_assert!(!matches(text.as_bytes(), other.as_bytes()));
        }

        #[test]
        fn no_bytes_make_it_panic_or_take_long(pattern in prop::collection::vec(prop::sample::select(b"*?[]-ab".to_vec()), 0..60), text in "[ab]{0,60}", bytes: Vec<u8>) {
            let _ = matches(&pattern, text.as_bytes());
            let _ = (Aliases::loadable(&bytes).modules_for(&text), Aliases::built_in(&bytes).modules_for(&text));
        }
    }
}
