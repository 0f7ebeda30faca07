//! `usb` on a workstation made by hand and on a real laptop.

use std::path::Path;

use crate::passthru;

fn workstation() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hosts/workstation")
}

#[test]
fn the_controller_of_the_keyboard_is_named_with_its_group_and_ports() {
    insta::assert_snapshot!(passthru(&workstation(), &["usb"]));
}

#[test]
fn the_json_of_usb_is_as_its_schema_says() {
    let text = passthru(&workstation(), &["usb", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/usb.schema.json");
    let schema = serde_json::from_slice(&std::fs::read(path).expect("reads")).expect("JSON");
    assert!(jsonschema::is_valid(&schema, &value), "{text}");
    let controller = &value["controllers"][0];
    assert_eq!(controller["carries"], serde_json::json!(["keyboard", "mouse"]));
    assert_eq!(controller["buses"][0]["devices"][2]["port"], "4.2");
}

#[test]
fn a_laptop_of_five_controllers_shows_each_device_where_lsusb_would() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/hosts/thinkpad-t60.tgz");
    if path.is_file() {
        insta::assert_snapshot!("real_thinkpad-t60_usb", passthru(&path, &["usb"]));
    }
}
