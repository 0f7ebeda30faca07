//! Foretold groups against the kernel's.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::builtin::walked;
use crate::target::{Output, Target};

/// Groups by their members, for numbers are the kernel's own affair.
pub type Groups = BTreeSet<Vec<String>>;

/// How far foretold and real groups agree.
#[derive(Debug)]
pub struct Agreement {
    /// Functions compared.
    pub functions: usize,
    /// The kernel's groups.
    pub groups: usize,
    /// A line for each function whose company is another than foretold.
    pub wrong: Vec<String>,
}

/// The check for scenarios.
pub(super) fn check(target: &mut dyn Target, output: Option<&Output>) -> Result<String> {
    let output = output.context("predicted-groups-equal-kernel judges the output of a run")?;
    let agreement = compare(target, &foretold(output)?)?;
    ensure!(agreement.wrong.is_empty(), "{}", agreement.wrong.join("\n"));
    Ok(format!("{} functions in {} groups as foretold", agreement.functions, agreement.groups))
}

/// The groups that `groups --predict --json` printed. Root sees all, so that none of them may be uncertain.
pub fn foretold(output: &Output) -> Result<Groups> {
    ensure!(output.code == 0, "passthru ended with {}: {}", output.code, output.stderr.trim());
    let document: Value = serde_json::from_str(&output.stdout).context("standard output is not JSON")?;
    ensure!(document["predicted"] == true, "the JSON is not of foretold groups");
    let mut groups = Groups::new();
    for group in document["groups"].as_array().context("the JSON has no groups")? {
        ensure!(group["foretold"]["certain"] == true, "a group is uncertain: {group}");
        let devices = group["devices"].as_array().context("a group has no devices")?;
        let addresses: Option<Vec<String>> =
            devices.iter().map(|device| device["address"].as_str().map(str::to_owned)).collect();
        groups.insert(addresses.context("a device has no address")?);
    }
    Ok(groups)
}

/// Foretold groups against a walk of sysfs by a shell, which shares no code with us.
pub fn compare(target: &mut dyn Target, foretold: &Groups) -> Result<Agreement> {
    let mut by_number: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut everything = Vec::new();
    for (address, device) in walked(target)? {
        if let Some(group) = device.group {
            by_number.entry(group).or_default().push(address.clone());
        }
        everything.push(address);
    }
    ensure!(!by_number.is_empty(), "the kernel has no groups to compare with");
    let real: Groups = by_number.into_values().collect();
    let company = |groups: &Groups, address: &String| -> Vec<String> {
        groups.iter().find(|group| group.contains(address)).cloned().unwrap_or_default()
    };
    let wrong = everything
        .iter()
        .filter_map(|address| {
            let (is, said) = (company(&real, address), company(foretold, address));
            (is != said).then(|| format!("{address}: the kernel says {is:?}, foretold is {said:?}"))
        })
        .collect();
    Ok(Agreement { functions: everything.len(), groups: real.len(), wrong })
}
