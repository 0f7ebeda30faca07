//! The menu that Debian's u-boot-update makes for U-Boot, which reads the language of Extlinux.

use passthru_model::boot::Dialect;
use passthru_model::fact::Evidence;
use passthru_model::managed::SYSLINUX;

use super::{first, mentions, written};
use crate::host::Host;

/// The menu that it makes.
const MENU: &str = SYSLINUX[1];
/// What names the directory of drop-ins in the script, from u-boot-menu 4.2.0 on.
const READS_DROP_INS: &str = "/etc/u-boot-menu/conf.d";

/// What shows that the system was started from the menu; `None`: nothing makes it anew.
pub(super) fn traced(host: &Host) -> Result<Option<Evidence>, String> {
    let Some(script) = first(host, "u-boot-update")? else { return Ok(None) };
    if !host.exists(MENU).map_err(|error| error.to_string())? {
        return Ok(None);
    }
    if !mentions(host, &script, READS_DROP_INS)? {
        return Err(format!(
            "{script} makes {MENU} and reads no {READS_DROP_INS}, so that no entry without passthrough would outlast a kernel update; \
             u-boot-menu reads it from version 4.2.0 on"
        ));
    }
    let menu = host.read_text(MENU).map_err(|error| error.to_string())?;
    let running = written::running(host)?;
    if !written::is_source(Dialect::Syslinux, MENU, &menu, &running) {
        return Err(format!(
            "no entry in {MENU} has just the words that this system was started with ({}): run `u-boot-update`, and start it from its \
             menu without changing an entry",
            written::RUNNING
        ));
    }
    Ok(Some(Evidence::new(MENU, format!("made by {script}, and has all words of {}", written::RUNNING))))
}
