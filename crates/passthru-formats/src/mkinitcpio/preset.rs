//! mkinitcpio's presets, `/etc/mkinitcpio.d/*.preset`: which images are made for one kernel. Read, never edited.

use std::collections::BTreeMap;

use crate::shell::{ShellError, ShellFile, Variables};

/// One image of a preset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// `default`, `fallback` or another name.
    pub name: String,
    /// The kernel: a version, or the path of its image.
    pub kernel: Option<String>,
    /// The settings it is made from instead of `/etc/mkinitcpio.conf`. With these, drop-ins are not read.
    pub config: Option<String>,
    /// The path of the initramfs image.
    pub image: Option<String>,
    /// The path of the unified kernel image.
    pub unified: Option<String>,
    /// The file with the command line of the unified image, instead of `/etc/kernel/cmdline` and the others.
    pub cmdline: Option<String>,
    /// Further options of mkinitcpio.
    pub options: Option<String>,
}

/// The images of a preset, in order. What is set for `ALL_` counts where an image does not say otherwise.
pub fn read(text: &str) -> Result<Vec<Image>, ShellError> {
    let file = ShellFile::parse(text)?;
    let names = file.list("PRESETS")?.unwrap_or_default();
    let mut variables: Variables = BTreeMap::new();
    file.evaluate(&mut variables);
    let value = |name: String| variables.get(&name).cloned().transpose();
    names
        .into_iter()
        .map(|name| {
            let of = |key: &str| match value(format!("{name}_{key}"))? {
                Some(own) if !own.is_empty() => Ok(Some(own)),
                _ => Ok(value(format!("ALL_{key}"))?.filter(|all| !all.is_empty())),
            };
            let own = |key: &str| value(format!("{name}_{key}"));
            Ok(Image {
                kernel: of("kver")?,
                config: of("config")?,
                image: own("image")?,
                unified: own("uki")?.or(own("efi_image")?),
                cmdline: of("cmdline")?,
                options: own("options")?,
                name,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Image, read};
    use proptest::prelude::*;

    fn text(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn every_image_of_a_preset_is_seen_with_what_is_set_for_all() {
        let found = read(
            "# mkinitcpio preset file\n#ALL_config=\"/etc/no.conf\"\nALL_kver=\"/boot/vmlinuz-linux-lts\"\n\
             PRESETS=('default' 'fallback')\n#default_config=\"x\"\n#default_image=\"/boot/x.img\"\n\
             default_uki=\"/efi/EFI/Linux/arch-lts.efi\"\ndefault_cmdline=/etc/kernel/cmdline-lts\n\
             fallback_image=\"/boot/initramfs-linux-lts-fallback.img\"\nfallback_config='/etc/mkinitcpio-fallback.conf'\n\
             fallback_options=\"-S autodetect\"\n",
        );
        let kernel = Some(text("/boot/vmlinuz-linux-lts"));
        assert_eq!(
            found,
            Ok(vec![
                Image {
                    name: "default".to_owned(),
                    kernel: kernel.clone(),
                    unified: Some(text("/efi/EFI/Linux/arch-lts.efi")),
                    cmdline: Some(text("/etc/kernel/cmdline-lts")),
                    ..Image::default()
                },
                Image {
                    name: "fallback".to_owned(),
                    kernel,
                    config: Some(text("/etc/mkinitcpio-fallback.conf")),
                    image: Some(text("/boot/initramfs-linux-lts-fallback.img")),
                    options: Some(text("-S autodetect")),
                    ..Image::default()
                },
            ])
        );
    }

    #[test]
    fn a_preset_that_only_a_shell_would_know_is_an_error() {
        assert!(read("PRESETS=(default)\ndefault_image=\"/boot/$(uname -r).img\"\n").is_err());
        assert_eq!(read("ALL_kver=x\n"), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, code in "(PRESETS=|a_image=|[a(\\)\"' \n$#])*") {
            let _ = (read(&text), read(&code));
        }
    }
}
