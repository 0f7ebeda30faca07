//! What a boot came to, beside what the intent wants: the record that is kept of it.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::boot_record::{BOOT_RECORD_SCHEMA, BootRecord, RecordedDevice};
use passthru_model::fact::Evidence;
use passthru_model::finding::{Finding, Remedy, Verdict};
use passthru_model::intent::{DeviceIdentity, Intent};

use crate::groups::listed;

/// The record of the running boot. `time` is the present one in UTC; `None` where the host does not say which boot it is in.
///
/// What came into the group of a function is told from the earlier records, which are among the facts.
pub fn boot_record(facts: &HostFacts, intent: &Intent, time: String) -> Option<BootRecord> {
    let boots = facts.boots.value()?;
    let boot = boots.present.clone()?;
    let kernel = facts.kernel.release.value()?.clone();
    let earlier = boots.records.iter().rfind(|record| record.boot != boot && is_about(record, intent));
    let devices: Vec<RecordedDevice> =
        intent.isolate.iter().map(|device| recorded(facts, device, earlier)).collect();
    let mut differences = crate::verify(facts, intent);
    differences.extend(grown(facts, intent, &devices));
    differences.retain(|finding| finding.verdict > Verdict::Pass);
    differences.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    let off = facts.kernel.cmdline.value().is_some_and(|line| CommandLine::new(line).is_passthru_off());
    Some(BootRecord { schema: BOOT_RECORD_SCHEMA.to_owned(), boot, kernel, time, off, devices, differences })
}

/// Whether a record is about what the intent chooses now.
pub(crate) fn is_about(record: &BootRecord, intent: &Intent) -> bool {
    record.is_about(intent.isolate.iter().map(|device| device.address))
}

fn recorded(facts: &HostFacts, device: &DeviceIdentity, earlier: Option<&BootRecord>) -> RecordedDevice {
    let function = facts.function(device.address).filter(|function| device.matches(function));
    let groups = facts.iommu.groups.value();
    let group = function.and_then(|function| groups?.get(&function.group?));
    let group: Vec<PciAddress> = group.map(|group| group.members.clone()).unwrap_or_default();
    let first = earlier.and_then(|record| record.devices.iter().find(|one| one.address == device.address));
    let first_group = first.map(|one| one.first_group.clone()).filter(|members| !members.is_empty());
    RecordedDevice {
        address: device.address,
        id: device.id,
        driver: facts.function(device.address).and_then(|function| function.driver.clone()),
        first_group: first_group.unwrap_or_else(|| group.clone()),
        group,
    }
}

/// What has come into the groups of functions since they were first recorded, and was not chosen: a finding for each group.
fn grown(facts: &HostFacts, intent: &Intent, devices: &[RecordedDevice]) -> Vec<Finding> {
    let mut groups: BTreeMap<&[PciAddress], (Vec<PciAddress>, BTreeSet<PciAddress>)> = BTreeMap::new();
    for device in devices {
        // Bridges stay with the host whatever the group.
        let counts = |member: &&PciAddress| {
            !device.first_group.contains(member)
                && !intent.isolates(**member)
                && facts.function(**member).is_some_and(|function| !function.is_bridge())
        };
        let mut new = device.group.iter().filter(counts).peekable();
        if new.peek().is_some() {
            let (of, newcomers) = groups.entry(&device.group).or_default();
            of.push(device.address);
            newcomers.extend(new);
        }
    }
    let findings = groups.into_iter().filter_map(|(members, (of, newcomers))| {
        let first = of.first().copied()?;
        let newcomers: Vec<PciAddress> = newcomers.into_iter().collect();
        let place = format!("/sys/bus/pci/devices/{first}/iommu_group");
        Some(Finding {
            id: format!("group-of-{first}"),
            verdict: Verdict::Warn,
            summary: format!(
                "the IOMMU group of {} has grown: {} came into it",
                listed(&of),
                listed(&newcomers)
            ),
            why: "all of a group goes to one guest, or none of it".to_owned(),
            evidence: vec![Evidence::new(place, listed(members))],
            remedy: Some(Remedy::by_command(
                "See what it shares the group with now, and which slot would keep it apart",
                format!("passthru groups --why {first}"),
            )),
        })
    });
    findings.collect()
}
