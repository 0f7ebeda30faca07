//! GRUB with a menu that a program makes from `/etc/default/grub`: which menu, which program, and which settings that one reads.

use passthru_formats::grub_cfg;
use passthru_formats::shell::ShellFile;
use passthru_model::boot::{Grub, MenuMaker};
use passthru_model::fact::Evidence;
use passthru_model::facts::Bootloader;
use passthru_model::managed::{GRUB_CFG, GRUB_DEFAULTS, GRUB_MENUS};

use super::{first, mentions, written};
use crate::host::Host;

/// What names the directory of drop-ins in the script that makes menus, where it reads one.
const READS_DROP_INS: &str = "/default/grub.d";
/// The variable by which entries are read from `/boot/loader/entries` in place of a menu (Fedora's `10_linux`).
const BLS: &str = "GRUB_ENABLE_BLSCFG";
/// GRUB's command that reads those.
const READ_ENTRIES: &str = "blscfg";

/// GRUB as it is set up; `None`: it is not set up.
pub(super) fn found(host: &Host) -> Result<Option<(Bootloader, Evidence)>, String> {
    let there = |path: &str| host.exists(path).map_err(|error| error.to_string());
    if !there(GRUB_DEFAULTS)? {
        return Ok(None);
    }
    let mut menus = Vec::new();
    for path in GRUB_MENUS {
        if there(path)? {
            menus.push(path);
        }
    }
    let Some(menu) = started_from(host, &menus)? else { return Ok(None) };
    let update_grub = first(host, "update-grub")?;
    let mut makers = Vec::new();
    for (name, maker) in
        [("grub-mkconfig", MenuMaker::GrubMkconfig), ("grub2-mkconfig", MenuMaker::Grub2Mkconfig)]
    {
        makers.extend(first(host, name)?.map(|path| (path, maker)));
    }
    // Where both are there, they are two installations of GRUB, and each names its own directory.
    let is_second = menu.contains("/grub2/");
    makers.sort_by_key(|(_, maker)| (*maker == MenuMaker::Grub2Mkconfig) != is_second);
    let drop_ins = match makers.first() {
        Some((path, _)) => mentions(host, path, READS_DROP_INS)?,
        // Debian's has it call the other, which a capture from elsewhere may lack.
        None => update_grub.is_some(),
    };
    let (program, maker) = match (update_grub, makers.into_iter().next()) {
        // Other distributions call other things so, and this one is told no path.
        (Some(program), _) if drop_ins && menu == GRUB_CFG => (program, MenuMaker::UpdateGrub),
        (_, Some(other)) => other,
        _ => return Ok(None),
    };
    if reads_entries(host, menu)? {
        let (found, evidence) = written::of_grub(host)?;
        return Ok(Some((Bootloader::Written(found), evidence)));
    }
    let evidence = Evidence::new(menu, format!("made by {program} from {GRUB_DEFAULTS}"));
    Ok(Some((Bootloader::Grub(Grub { drop_ins, maker, menu: menu.to_owned() }), evidence)))
}

/// The menu that GRUB reads: the only one, or the one with the running command line in it.
fn started_from<'m>(host: &Host, menus: &[&'m str]) -> Result<Option<&'m str>, String> {
    if let [] | [_] = menus {
        return Ok(menus.first().copied());
    }
    let running = written::running(host)?;
    let mut traced = Vec::new();
    for path in menus {
        let text = host.read_text(path).map_err(|error| error.to_string())?;
        let entries = grub_cfg::entries(&text);
        if written::came_from(&running, entries.iter().map(|entry| entry.cmdline.as_str())) {
            traced.push(*path);
        }
    }
    match traced.as_slice() {
        [path] => Ok(Some(path)),
        [] => Err(format!(
            "GRUB could read {}, and none of them has an entry with just the words that this system was started with ({}): start it \
             from GRUB's menu without changing an entry there",
            menus.join(" or "),
            written::RUNNING
        )),
        several => Err(format!(
            "the words that this system was started with stand in {}; remove the menu that GRUB does not read",
            several.join(" and in ")
        )),
    }
}

/// Whether GRUB reads its entries from files beside the menu: the menu says so, or for one that cannot be read the settings do.
fn reads_entries(host: &Host, menu: &str) -> Result<bool, String> {
    if let Ok(text) = host.read_text(menu) {
        return Ok(text.lines().any(|line| line.split_whitespace().next() == Some(READ_ENTRIES)));
    }
    let settings = host.read_text(GRUB_DEFAULTS).map_err(|error| error.to_string())?;
    let value = ShellFile::parse(&settings).and_then(|file| file.value(BLS));
    Ok(value.is_ok_and(|value| value.as_deref() == Some("true")))
}
