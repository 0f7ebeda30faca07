//! QEMU's firmware descriptors (`docs/interop/firmware.json` of QEMU): UEFI for x86-64 guests, in flash.

use std::collections::BTreeSet;

use passthru_model::facts::GuestFirmware;
use serde::Deserialize;

/// A file that is no firmware descriptor.
#[derive(Debug, thiserror::Error)]
#[error("{path} is not a firmware descriptor: {reason}")]
pub struct DescriptorError {
    /// The file.
    pub path: String,
    /// What is wrong with it, with line and column where it is the JSON.
    pub reason: String,
}

#[derive(Deserialize)]
struct Descriptor {
    #[serde(default)]
    description: String,
    #[serde(rename = "interface-types", default)]
    interfaces: Vec<String>,
    mapping: serde_json::Value,
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(default)]
    features: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Target {
    architecture: String,
    #[serde(default)]
    machines: Vec<String>,
}

/// The `mapping` where its `device` is `flash`; the other kinds (`kernel`, `memory`, `igvm`) have other members.
#[derive(Deserialize)]
struct Flash {
    #[serde(default = "split")]
    mode: String,
    executable: Image,
    #[serde(rename = "nvram-template")]
    template: Option<Image>,
}

#[derive(Deserialize)]
struct Image {
    filename: String,
    format: String,
}

/// Descriptors older than QEMU 7.0 have no mode and are split.
fn split() -> String {
    "split".to_owned()
}

/// Reads the descriptor of this path. `None`: a good descriptor of something else than UEFI for x86-64 in two flash
/// devices, one of them a template of variables.
///
/// `present` is left false: whether the images are there is not for this room to say.
pub fn parse(path: &str, bytes: &[u8]) -> Result<Option<GuestFirmware>, DescriptorError> {
    let wrong = |reason: String| DescriptorError { path: path.to_owned(), reason };
    let descriptor: Descriptor = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let device = descriptor.mapping.get("device").and_then(serde_json::Value::as_str);
    let Some(device) = device else { return Err(wrong("its mapping names no device".to_owned())) };
    let targets: Vec<Target> =
        descriptor.targets.into_iter().filter(|target| target.architecture == "x86_64").collect();
    if device != "flash" || !descriptor.interfaces.iter().any(|kind| kind == "uefi") || targets.is_empty() {
        return Ok(None);
    }
    let flash: Flash =
        serde_json::from_value(descriptor.mapping).map_err(|error| wrong(format!("mapping: {error}")))?;
    let Some(template) = flash.template.filter(|_| flash.mode == "split") else { return Ok(None) };
    if template.format != flash.executable.format {
        let formats = format!("{} code with {} variables", flash.executable.format, template.format);
        return Err(wrong(format!("{formats} is not supported")));
    }
    Ok(Some(GuestFirmware {
        descriptor: path.to_owned(),
        description: descriptor.description,
        code: flash.executable.filename,
        vars: template.filename,
        format: template.format,
        features: descriptor.features,
        machines: targets.into_iter().flat_map(|target| target.machines).collect(),
        present: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use proptest::prelude::*;

    const SPLIT: &str = r#"{"description": "UEFI", "interface-types": ["uefi"],
        "mapping": {"device": "flash",
            "executable": {"filename": "/usr/share/OVMF/OVMF_CODE_4M.fd", "format": "raw"},
            "nvram-template": {"filename": "/usr/share/OVMF/OVMF_VARS_4M.fd", "format": "raw"}},
        "targets": [{"architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"]}],
        "features": ["acpi-s3"], "tags": []}"#;

    #[test]
    fn a_split_flash_descriptor_is_read() {
        let firmware = parse("/a.json", SPLIT.as_bytes()).expect("reads").expect("flash");
        assert_eq!(firmware.vars, "/usr/share/OVMF/OVMF_VARS_4M.fd");
        assert_eq!(firmware.machines, ["pc-i440fx-*", "pc-q35-*"]);
        assert!(!firmware.present);
    }

    #[test]
    fn firmware_of_another_kind_is_passed_over() {
        for (from, to) in [
            ("\"flash\"", "\"memory\""),
            ("x86_64", "aarch64"),
            ("[\"uefi\"]", "[\"bios\"]"),
            ("nvram-", "x-"),
        ] {
            assert_eq!(parse("/a.json", SPLIT.replace(from, to).as_bytes()).expect("reads"), None, "{to}");
        }
        let stateless =
            SPLIT.replace("\"device\": \"flash\"", "\"device\": \"flash\", \"mode\": \"stateless\"");
        assert_eq!(parse("/a.json", stateless.as_bytes()).expect("reads"), None);
    }

    #[test]
    fn a_bad_file_is_named() {
        let error = parse("/etc/qemu/firmware/x.json", b"{").expect_err("bad");
        assert!(
            error.to_string().starts_with("/etc/qemu/firmware/x.json is not a firmware descriptor: "),
            "{error}"
        );
        assert!(parse("/x", br#"{"mapping": {}, "targets": []}"#).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse("/x", &bytes);
        }
    }
}
