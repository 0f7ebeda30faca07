//! The command lines of unified kernel images, with what addons beside them add (systemd-stub(7)).

use passthru_formats::pe::ProgramError;
use passthru_formats::unified_image;
use passthru_model::boot::BootEntry;

use super::listed;
use crate::host::Host;

/// Images are far smaller than this, in bytes: a kernel with its initramfs.
const MOST_IMAGE_BYTES: u64 = 1024 * 1024 * 1024;

/// The entries of one image below the mount point of a boot partition.
pub(super) fn entries(host: &Host, boot: &str, image: &str, gaps: &mut Vec<String>) -> Vec<BootEntry> {
    let mut entries =
        read(host, image, gaps, |bytes| unified_image::entries(image, bytes)).unwrap_or_default();
    if entries.is_empty() {
        return entries;
    }
    // Addons for all images come before those of this one (`run`, `src/boot/stub.c` of systemd).
    for directory in [format!("{boot}/loader/addons"), format!("{image}.extra.d")] {
        for name in listed(host, &directory, ".addon.efi", gaps) {
            let path = format!("{directory}/{name}");
            let Some(more) = read(host, &path, gaps, unified_image::addition).flatten() else { continue };
            for entry in &mut entries {
                if !entry.cmdline.is_empty() {
                    entry.cmdline.push(' ');
                }
                entry.cmdline.push_str(&more);
            }
        }
    }
    entries
}

/// What a program of UEFI says. A capture keeps the few sections that matter.
fn read<T>(
    host: &Host,
    path: &str,
    gaps: &mut Vec<String>,
    parse: impl Fn(&[u8]) -> Result<T, ProgramError>,
) -> Option<T> {
    let reduce = |bytes: &[u8]| unified_image::reduced(bytes, <[u8]>::to_vec);
    let parsed = match host.read_reduced(path, MOST_IMAGE_BYTES, reduce) {
        Ok(bytes) if bytes.is_empty() => Err(format!("{path} is no unified kernel image that can be read")),
        Ok(bytes) => parse(&bytes).map_err(|error| format!("{path}: {error}")),
        Err(error) => Err(error.to_string()),
    };
    parsed.map_err(|why| gaps.push(why)).ok()
}
