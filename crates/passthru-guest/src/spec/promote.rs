//! From the installation to the card: a specification without its virtual display, with functions of the host.

use passthru_formats::intent_toml::identity;
use passthru_model::intent::DeviceIdentity;
use toml_edit::{ArrayOfTables, DocumentMut, Item, value};

use super::{Display, SpecError, parse};
use crate::name::GuestName;

/// Why a specification cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromoteError {
    /// It is none.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Devices in a form that is read but not edited.
    #[error(
        "{0}: ‘devices’ is written as one list; write each as a table under [[devices]] to let commands edit it"
    )]
    InlineList(String),
}

/// The text with no display and with these functions besides those that it has. Comments stay, and what is put in can be read.
pub fn promoted(
    name: &GuestName,
    file: &str,
    text: &str,
    devices: &[DeviceIdentity],
) -> Result<String, PromoteError> {
    let spec = parse(name.clone(), file, text)?;
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| SpecError {
        file: file.to_owned(),
        line: None,
        key: None,
        message: error.message().to_owned(),
    })?;
    document["display"] = value(Display::None.word());
    let new =
        devices.iter().filter(|device| !spec.devices.iter().any(|known| known.address == device.address));
    let new: Vec<&DeviceIdentity> = new.collect();
    if !new.is_empty() {
        let item = document.entry("devices").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        let tables =
            item.as_array_of_tables_mut().ok_or_else(|| PromoteError::InlineList(file.to_owned()))?;
        for device in new {
            let mut table = identity(device);
            table.decor_mut().set_prefix("\n");
            tables.push(table);
        }
    }
    let text = document.to_string();
    parse(name.clone(), file, &text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{PromoteError, promoted};
    use crate::spec::{Display, parse};
    use crate::testing;

    #[test]
    fn the_display_goes_the_card_comes_and_comments_stay() {
        let name = "box".parse().expect("a name");
        let text = "# Mine.\nmemory = \"8G\" # enough\ncpus = 4\ndisplay = \"spice\"\n\n[[disks]]\npath = \"/srv/box.qcow2\"\nformat = \"qcow2\"\n";
        let changed = promoted(&name, "box.toml", text, &testing::gpu_identities()).expect("edited");
        insta::assert_snapshot!(changed);
        let spec = parse(name.clone(), "box.toml", &changed).expect("read");
        assert_eq!((spec.display, spec.devices.len(), spec.disks.len()), (Some(Display::None), 2, 1));
        // Once more changes nothing.
        assert_eq!(promoted(&name, "box.toml", &changed, &testing::gpu_identities()), Ok(changed));
        let inline = "memory = \"8G\"\ncpus = 4\ndevices = []\n";
        let refused = promoted(&name, "box.toml", inline, &testing::gpu_identities());
        assert!(matches!(refused, Err(PromoteError::InlineList(_))), "{refused:?}");
    }
}
