//! mkinitcpio as it is set up: whether it reads drop-ins, and which images its presets make.

use passthru_formats::mkinitcpio::preset::{self, Image};
use passthru_model::facts::{ImagePreset, Mkinitcpio};
use passthru_model::managed::MKINITCPIO_CONF;

use crate::host::Host;

/// The program, which is a script: what it can do stands in its text.
pub(super) const PROGRAM: &str = "/usr/bin/mkinitcpio";
const PRESETS: &str = "/etc/mkinitcpio.d";
/// What names the directory of drop-ins in the script since version 36.
const READS_DROP_INS: &str = "_d_config";

/// How it is set up, or why that cannot be told or used.
pub(super) fn as_set_up(host: &Host) -> Result<Mkinitcpio, String> {
    let script = host.read(PROGRAM).map_err(|error| error.to_string())?;
    let mut found = Mkinitcpio {
        drop_ins: String::from_utf8_lossy(&script).contains(READS_DROP_INS),
        presets: Vec::new(),
    };
    let names = match host.list(PRESETS) {
        Ok(names) => names,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.to_string()),
    };
    for file in names {
        let Some(name) = file.strip_suffix(".preset") else { continue };
        let path = format!("{PRESETS}/{file}");
        let text = host.read_text(&path).map_err(|error| error.to_string())?;
        let images = preset::read(&text).map_err(|error| format!("{path}, {error}"))?;
        let mut preset = ImagePreset { name: name.to_owned(), images: Vec::new() };
        for image in images {
            found.drop_ins &= image.config.is_none();
            preset.images.extend(initramfs(&path, image)?);
        }
        found.presets.push(preset);
    }
    Ok(found)
}

/// The image of a preset; `None`: it makes none, for it does not say for which kernel or where.
fn initramfs(path: &str, image: Image) -> Result<Option<String>, String> {
    let name = &image.name;
    if let Some(unified) = &image.unified {
        return Err(format!(
            "{path} has mkinitcpio make a unified kernel image ({name}: {unified}), which passthru does not know yet how to change"
        ));
    }
    if let Some(config) = image.config.filter(|config| config != MKINITCPIO_CONF) {
        return Err(format!(
            "{path} has mkinitcpio make an image ({name}) from {config}, which passthru does not edit: let it use {MKINITCPIO_CONF}"
        ));
    }
    let options = image.options.unwrap_or_default();
    // Other settings, or our own hook among those to be left out.
    let is_other = |word: &&str| *word == "-c" || word.starts_with("--config") || word.contains("passthru");
    if let Some(option) = options.split(' ').find(is_other) {
        return Err(format!(
            "{path} has mkinitcpio make an image ({name}) with the option {option}, so what passthru sets up would not be in it"
        ));
    }
    Ok(image.image.filter(|_| image.kernel.is_some()))
}
