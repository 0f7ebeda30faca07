//! What two guests cannot have at the same time.

use passthru_model::Finding;
use passthru_model::finding::{Remedy, Verdict};

use super::finding;
use crate::name::GuestName;
use crate::spec::{GuestSpec, UsbChoice};

/// What of the host both guests take, as the file names it: functions, disks, USB devices, input devices and shared memory.
pub fn in_common(one: &GuestSpec, other: &GuestSpec) -> Vec<String> {
    let things = |spec: &GuestSpec| -> Vec<String> {
        let devices = spec.devices.iter().map(|device| device.address.to_string());
        let disks = spec.disks.iter().map(|disk| disk.path.display().to_string());
        let usb = spec.usb.iter().map(|device| match &device.choice {
            UsbChoice::Id(id) => format!("usb {id}"),
            UsbChoice::Port { port, .. } => format!("usb {port}"),
        });
        let inputs = spec.inputs.iter().map(|input| input.path.display().to_string());
        let memory = spec.looking_glass.iter().map(|glass| glass.memory.path().display().to_string());
        devices.chain(disks).chain(usb).chain(inputs).chain(memory).collect()
    };
    let theirs = things(other);
    things(one).into_iter().filter(|thing| theirs.contains(thing)).collect()
}

/// What guests share that this one is to be checked beside. Guests may take turns, so it is no fault by itself.
pub fn findings(spec: &GuestSpec, others: &[GuestSpec]) -> Vec<Finding> {
    let shared = others.iter().filter(|other| other.name != spec.name).filter_map(|other| {
        let common = in_common(spec, other);
        (!common.is_empty()).then(|| sharing(&other.name, &common))
    });
    shared.collect()
}

fn sharing(other: &GuestName, common: &[String]) -> Finding {
    finding(
        "guest-taken",
        Verdict::Warn,
        format!("the guest ‘{other}’ has it too: {}", common.join(", ")),
        "only one guest at a time can have a device or write a disk",
        Some(Remedy::by_hand("Run them in turn, or take it away from one of them.")),
    )
}

#[cfg(test)]
mod tests {
    use super::findings;
    use crate::spec::{Disk, DiskFormat, GuestSpec};
    use crate::testing;

    #[test]
    fn two_guests_on_one_card_and_one_disk_are_told_of_both() {
        let guest = |name: &str| {
            let mut spec = GuestSpec::new(name.parse().expect("a name"));
            spec.devices = testing::gpu_identities();
            spec.disks.push(Disk { path: "/srv/one.img".into(), format: DiskFormat::Raw });
            spec
        };
        let found = findings(&guest("one"), &[guest("one"), guest("two")]);
        let said: Vec<&str> = found.iter().map(|finding| finding.summary.as_str()).collect();
        insta::assert_snapshot!(said.join("\n"), @"the guest ‘two’ has it too: 0000:01:00.0, 0000:01:00.1, /srv/one.img");
    }
}
