//! Checks that are easier said in Rust than in data.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::target::{Output, Target};

/// A check: sees the machine and, beside a `run`, what that printed; says what it found.
pub(super) type Check = fn(&mut dyn Target, Option<&Output>) -> Result<String>;

const ALL: &[(&str, Check)] = &[
    ("groups-equal-kernel", groups_equal_kernel),
    ("predicted-groups-equal-kernel", super::predicted::check),
    ("no-groups", no_groups),
];

/// The check of this name.
pub(super) fn find(name: &str) -> Result<Check> {
    match ALL.iter().find(|(known, _)| *known == name) {
        Some((_, check)) => Ok(*check),
        None => bail!(
            "no builtin is called {name}; known: {}",
            ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// What one device looks like, as far as both sides can know it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Device {
    pub(super) group: Option<String>,
    ids: String,
    class: String,
    driver: Option<String>,
}

/// `groups --json` of `run` against a walk of sysfs by a shell, which shares no code with us.
fn groups_equal_kernel(target: &mut dyn Target, output: Option<&Output>) -> Result<String> {
    let output = output.context("groups-equal-kernel judges the output of a run")?;
    let document: Value = serde_json::from_str(&output.stdout).context("standard output is not JSON")?;
    let ours = said(&document)?;
    let theirs = walked(target)?;
    ensure!(!theirs.is_empty(), "the machine has no PCI devices at all: the walk must be wrong");
    let mut wrong = Vec::new();
    for address in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        if ours.get(address) != theirs.get(address) {
            wrong.push(format!(
                "{address}: the kernel says {:?}, passthru {:?}",
                theirs.get(address),
                ours.get(address)
            ));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let groups: BTreeSet<_> = theirs.values().filter_map(|device| device.group.as_ref()).collect();
    Ok(format!("{} devices in {} groups", theirs.len(), groups.len()))
}

fn said(document: &Value) -> Result<BTreeMap<String, Device>> {
    let list = |value: &Value, name: &str| -> Result<Vec<Value>> {
        value[name].as_array().cloned().with_context(|| format!("the JSON has no array {name}"))
    };
    let mut devices = BTreeMap::new();
    let mut add = |device: &Value, group: Option<String>| -> Result<()> {
        let text = |name: &str| device[name].as_str().unwrap_or_default().to_owned();
        let told = Device {
            group,
            ids: format!("{}:{}", text("vendor"), text("device")),
            class: text("class"),
            driver: device["driver"].as_str().map(str::to_owned),
        };
        let address = text("address");
        ensure!(devices.insert(address.clone(), told).is_none(), "{address} is listed twice");
        Ok(())
    };
    for group in list(document, "groups")? {
        let id = group["id"].to_string();
        for device in list(&group, "devices")? {
            add(&device, Some(id.clone()))?;
        }
    }
    for device in list(document, "ungrouped")? {
        add(&device, None)?;
    }
    Ok(devices)
}

/// One line a device: address, vendor, device, class, group, driver; `-` for what is not there.
const WALK: &str = r"
for path in /sys/bus/pci/devices/*; do
    read -r vendor < $path/vendor; read -r device < $path/device; read -r class < $path/class
    driver=-; [ -e $path/driver ] && driver=$(basename $(readlink $path/driver))
    group=-
    for entry in /sys/kernel/iommu_groups/*/devices/${path##*/}; do
        [ -e $entry ] && group=${entry#/sys/kernel/iommu_groups/} && group=${group%%/*}
    done
    echo ${path##*/} $vendor $device $class $group $driver
done";

pub(super) fn walked(target: &mut dyn Target) -> Result<BTreeMap<String, Device>> {
    let mut devices = BTreeMap::new();
    for line in target.ask(&["sh", "-c", WALK])?.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [address, vendor, device, class, group, driver] = fields[..] else {
            bail!("sysfs shows {line:?}")
        };
        let bare = |text: &str| text.trim_start_matches("0x").to_owned();
        let there = |text: &str| (text != "-").then(|| text.to_owned());
        devices.insert(
            address.to_owned(),
            Device {
                group: there(group),
                ids: format!("{}:{}", bare(vendor), bare(device)),
                class: bare(class),
                driver: there(driver),
            },
        );
    }
    Ok(devices)
}

/// The kernel has no IOMMU groups.
fn no_groups(target: &mut dyn Target, _output: Option<&Output>) -> Result<String> {
    let grouped = walked(target)?.into_iter().find(|(_, device)| device.group.is_some());
    ensure!(grouped.is_none(), "there are IOMMU groups: {grouped:?}");
    Ok("no IOMMU groups".to_owned())
}
