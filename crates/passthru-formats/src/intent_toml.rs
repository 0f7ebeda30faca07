//! The intent file, `/etc/passthru/passthru.toml`: read with errors that name the line, edited without losing comments.

use passthru_model::address::PciAddress;
use passthru_model::boot_settings::BootSettings;
use passthru_model::host_settings::HostSettings;
use passthru_model::intent::{DeviceIdentity, INTENT_PATH, Intent, Method};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

/// Why the intent file cannot be read or edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntentError {
    /// It is no TOML, or not of the shape of an intent.
    #[error("{INTENT_PATH}, line {line}{}: {message}", key.as_deref().map(|key| format!(", key ‘{key}’")).unwrap_or_default())]
    Wrong {
        /// The line, from 1.
        line: usize,
        /// The key on that line, where there is one.
        key: Option<String>,
        /// What is wrong.
        message: String,
    },
    /// It is no UTF-8.
    #[error(
        "{INTENT_PATH} is not text in UTF-8; write it anew, or move it away and choose the devices again"
    )]
    NotText,
    /// One function is listed twice.
    #[error("{INTENT_PATH}: {0} is listed twice; remove one of the two [[isolate]] tables")]
    Twice(PciAddress),
    /// The list of functions is written in a form that is read but not edited.
    #[error(
        "{INTENT_PATH}: ‘isolate’ is written as one list; write each device as a table under [[isolate]] to let commands edit it"
    )]
    InlineList,
}

/// What a new file begins with.
const HEADER: &str = "\
# Written by passthru. What the host is to keep away from its own drivers, so that guests can have it.
# Edit it by hand and run `passthru apply`, or let `passthru isolate ADDRESS` and `passthru release ADDRESS` edit it.
# `passthru undo` takes back the last change.

# How devices are given to vfio-pci at boot:
#   \"override\"  by address, and only if what sits there is the device below; the host's other drivers stay as they are
#   \"ids\"       by PCI ID, with module options; takes every device with that ID
#   \"pci-stub\"  by PCI ID with pci-stub, as for kernels before 4.1; a guest's start gives the devices to vfio-pci
method = \"override\"
";

/// Reads an intent. Devices come in order of address, whatever their order in the file.
pub fn parse(text: &str) -> Result<Intent, IntentError> {
    let mut intent: Intent =
        toml::from_str(text).map_err(|error| wrong(text, error.message(), error.span()))?;
    intent.isolate.sort_by_key(|device| device.address);
    for pair in intent.isolate.windows(2) {
        if let [one, other] = pair
            && one.address == other.address
        {
            return Err(IntentError::Twice(one.address));
        }
    }
    Ok(intent)
}

/// Reads the bytes of an intent file.
pub fn parse_bytes(bytes: &[u8]) -> Result<Intent, IntentError> {
    parse(std::str::from_utf8(bytes).map_err(|_| IntentError::NotText)?)
}

fn wrong(text: &str, message: &str, span: Option<std::ops::Range<usize>>) -> IntentError {
    let at = span.map_or(0, |span| span.start).min(text.len());
    let before = text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let key = text
        .lines()
        .nth(before)
        .and_then(|line| line.split_once('='))
        .map(|(key, _)| key.trim())
        .filter(|key| !key.is_empty() && !key.starts_with('#'))
        .map(str::to_owned);
    IntentError::Wrong { line: before + 1, key, message: message.trim_end().replace('\n', "; ") }
}

/// A new commented file.
pub fn new_file(intent: &Intent) -> String {
    let mut text = HEADER.to_owned();
    for device in &intent.isolate {
        text = add(&text, device, None).unwrap_or(text);
    }
    let text = set_method(&text, intent.method).unwrap_or(text);
    let text = set_boot(&text, &intent.boot).unwrap_or(text);
    set_host(&text, &intent.host).unwrap_or(text)
}

/// Adds a function at the end. `name` is put above it as a comment, for the reader. One that is there already is left.
pub fn add(text: &str, device: &DeviceIdentity, name: Option<&str>) -> Result<String, IntentError> {
    if parse(text)?.isolates(device.address) {
        return Ok(text.to_owned());
    }
    let mut document = document(text)?;
    let item = document.entry("isolate").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    if item.as_array().is_some_and(Array::is_empty) {
        *item = Item::ArrayOfTables(ArrayOfTables::new());
    }
    let tables = item.as_array_of_tables_mut().ok_or(IntentError::InlineList)?;
    let mut table = identity(device);
    let blank = if text.is_empty() { "" } else { "\n" };
    let comment = name.map(|name| format!("# {}\n", one_line(name))).unwrap_or_default();
    table.decor_mut().set_prefix(format!("{blank}{comment}"));
    tables.push(table);
    Ok(document.to_string())
}

/// A function by its identity, as the intent and guests have it.
pub fn identity(device: &DeviceIdentity) -> Table {
    let mut table = Table::new();
    table.insert("address", value(device.address.to_string()));
    table.insert("id", value(device.id.to_string()));
    table.insert("subsystem", value(device.subsystem.to_string()));
    table.insert("class", value(device.class.to_string()));
    table.insert("parents", value(device.parents.iter().map(ToString::to_string).collect::<Array>()));
    table
}

/// Takes a function out, with the comment right above it. One that is not there is no error.
pub fn remove(text: &str, address: PciAddress) -> Result<String, IntentError> {
    let mut document = document(text)?;
    let Some(item) = document.get_mut("isolate") else { return Ok(text.to_owned()) };
    if item.as_array().is_some_and(Array::is_empty) {
        return Ok(text.to_owned());
    }
    let tables = item.as_array_of_tables_mut().ok_or(IntentError::InlineList)?;
    let of = |table: &Table| table.get("address").and_then(Item::as_str).and_then(|one| one.parse().ok());
    let Some(at) = tables.iter().position(|table| of(table) == Some(address)) else {
        return Ok(text.to_owned());
    };
    let removed = tables.get(at).and_then(|table| table.decor().prefix()).and_then(|raw| raw.as_str());
    let kept = removed.map(above_the_last_blank_line).unwrap_or_default().to_owned();
    tables.remove(at);
    if let Some(next) = tables.get_mut(at) {
        let own = next.decor().prefix().and_then(|raw| raw.as_str()).unwrap_or_default();
        let joined = format!("{kept}{own}");
        next.decor_mut().set_prefix(joined);
    } else if !kept.is_empty() {
        let own = document.trailing().as_str().unwrap_or_default().to_owned();
        document.set_trailing(format!("{kept}{own}"));
    }
    if document.get("isolate").and_then(Item::as_array_of_tables).is_some_and(ArrayOfTables::is_empty) {
        document.remove("isolate");
    }
    Ok(document.to_string())
}

/// Says how devices are bound at boot.
pub fn set_method(text: &str, method: Method) -> Result<String, IntentError> {
    if parse(text)?.method == method {
        return Ok(text.to_owned());
    }
    let word = method.word();
    let mut document = document(text)?;
    match document.get_mut("method").and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = word.into();
            *old.decor_mut() = decor;
        }
        None => document["method"] = value(word),
    }
    Ok(document.to_string())
}

/// Says what else the kernel is told at boot. Keys whose value stays are left as they are written.
pub fn set_boot(text: &str, boot: &BootSettings) -> Result<String, IntentError> {
    let comment = "\n# What else the kernel is told at boot, while a device is isolated.\n";
    set_table(text, "boot", comment, &boot_values(&parse(text)?.boot), boot_values(boot))
}

/// Says what the host itself is set up for. Keys whose value stays are left as they are written.
pub fn set_host(text: &str, host: &HostSettings) -> Result<String, IntentError> {
    let comment = "\n# What the host itself is set up for: virtual functions always, the rest while a device is isolated.\n";
    set_table(text, "host", comment, &host_values(&parse(text)?.host), host_values(host))
}

/// The keys of a table, each with its value; `None`: the key is not needed.
type Values<const N: usize> = [(&'static str, Option<Value>); N];

/// Changes those values of a table that become others. A new table has the comment above it.
fn set_table<const N: usize>(
    text: &str,
    name: &str,
    comment: &str,
    old: &Values<N>,
    new: Values<N>,
) -> Result<String, IntentError> {
    let written = |value: &Option<Value>| value.as_ref().map(ToString::to_string);
    if old.iter().zip(&new).all(|((_, old), (_, new))| written(old) == written(new)) {
        return Ok(text.to_owned());
    }
    let mut document = document(text)?;
    let item = document.entry(name).or_insert_with(|| {
        let mut table = Table::new();
        table.decor_mut().set_prefix(comment);
        Item::Table(table)
    });
    let Some(table) = item.as_table_like_mut() else { return Ok(text.to_owned()) };
    for ((key, new), (_, old)) in new.into_iter().zip(old) {
        match new {
            _ if written(&new) == written(old) => {}
            None => drop(table.remove(key)),
            Some(new) => match table.get_mut(key).and_then(Item::as_value_mut) {
                Some(old) => {
                    let decor = old.decor().clone();
                    *old = new;
                    *old.decor_mut() = decor;
                }
                None => drop(table.insert(key, Item::Value(new))),
            },
        }
    }
    // A table that is ours alone goes with its last key.
    let ours = document.get(name).and_then(Item::as_table).is_some_and(|table| {
        table.is_empty() && table.decor().prefix().and_then(|raw| raw.as_str()) == Some(comment)
    });
    if ours {
        document.remove(name);
    }
    Ok(document.to_string())
}

fn on(is_on: bool) -> Option<Value> {
    is_on.then(|| Value::from(true))
}

fn boot_values(boot: &BootSettings) -> Values<5> {
    [
        ("hugepages", boot.hugepages.as_ref().map(|pool| pool.to_string().into())),
        ("isolated-cpus", (!boot.isolated_cpus.is_empty()).then(|| boot.isolated_cpus.to_string().into())),
        ("igfx-off", on(boot.igfx_off)),
        ("disable-idle-d3", on(boot.disable_idle_d3)),
        ("acs-override", boot.acs_override.as_ref().map(|words| words.to_string().into())),
    ]
}

fn host_values(host: &HostSettings) -> Values<7> {
    let methods: InlineTable = host
        .reset_methods
        .iter()
        .map(|(at, methods)| (at.to_string(), Value::from(methods.to_string())))
        .collect();
    let numbers: InlineTable = host
        .virtual_functions
        .iter()
        .map(|(at, number)| (at.to_string(), Value::from(i64::from(number.get()))))
        .collect();
    [
        ("gpu", host.gpu.map(|address| address.to_string().into())),
        ("guest-user", host.guest_user.as_ref().map(|user| user.to_string().into())),
        ("kvmfr", host.kvmfr.map(|size| size.to_string().into())),
        ("vendor-reset", on(host.vendor_reset)),
        ("no-d3cold", on(host.no_d3cold)),
        ("reset-methods", (!methods.is_empty()).then(|| methods.into())),
        ("virtual-functions", (!numbers.is_empty()).then(|| numbers.into())),
    ]
}

fn document(text: &str) -> Result<DocumentMut, IntentError> {
    text.parse::<DocumentMut>().map_err(|error| wrong(text, error.message(), error.span()))
}

/// The part of what precedes a table that does not belong to it: all up to the blank line ahead of its comment.
fn above_the_last_blank_line(prefix: &str) -> &str {
    prefix.rfind("\n\n").map_or("", |at| &prefix[..=at])
}

/// A name from outside as a comment: control characters would end the comment or the terminal's good temper.
fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
