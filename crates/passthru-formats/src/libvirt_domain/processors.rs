//! What a domain says of processors, memory, features and clocks.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::virtualisation::{Domain, DomainTopology, Place};
use roxmltree::Node;

use super::{attribute, child, unit};

/// Everything outside of `<os>` and `<devices>`.
pub(super) fn read(root: Node<'_, '_>, domain: &mut Domain) {
    processor(root, domain);
    features(root, domain);
    if let Some(vcpus) = child(root, "vcpus") {
        let off = vcpus.children().filter(|vcpu| vcpu.attribute("enabled") == Some("no"));
        domain.vcpus_off.extend(off.filter_map(|vcpu| vcpu.attribute("id")?.parse::<usize>().ok()));
    }
    if let Some(clock) = child(root, "clock") {
        let timers = clock.children().filter(|node| node.tag_name().name() == "timer");
        for (number, timer) in timers.enumerate() {
            let present = timer.attribute("present").map(|present| present == "yes");
            let place = Place::new(format!("clock/timer[{}]", number + 1));
            domain.timers.extend(attribute(timer, "name").map(|name| (name, (present, place))));
        }
    }
}

fn processor(root: Node<'_, '_>, domain: &mut Domain) {
    if let Some(cpu) = child(root, "cpu") {
        domain.cpu_mode = attribute(cpu, "mode");
        let number = |node: Node<'_, '_>, name: &str| node.attribute(name).and_then(|text| text.parse().ok());
        domain.topology = child(cpu, "topology").and_then(|node| {
            Some(DomainTopology {
                sockets: number(node, "sockets")?,
                dies: number(node, "dies").unwrap_or(1),
                clusters: number(node, "clusters").unwrap_or(1),
                cores: number(node, "cores")?,
                threads: number(node, "threads")?,
            })
        });
        for feature in cpu.children().filter(|node| node.tag_name().name() == "feature") {
            if let (Some(name), Some(policy)) = (attribute(feature, "name"), attribute(feature, "policy")) {
                domain.cpu_features.insert(name, policy);
            }
        }
    }
    if let Some(tune) = child(root, "cputune") {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for pin in tune.children().filter(Node::is_element) {
            let name = pin.tag_name().name();
            let number = numbers.entry(name).and_modify(|number| *number += 1).or_insert(1);
            let cpus = attribute(pin, "cpuset");
            let of = |what: &str| {
                let whose = pin.attribute(what).and_then(|number| number.parse().ok())?;
                Some((whose, (cpus.clone()?, Place::new(format!("cputune/{name}[{number}]")))))
            };
            match name {
                "vcpupin" => domain.vcpu_pins.extend(of("vcpu")),
                "iothreadpin" => domain.iothread_pins.extend(of("iothread")),
                "emulatorpin" => domain.emulator_pin = cpus,
                _ => {}
            }
        }
    }
    if let Some(pages) = child(root, "memoryBacking").and_then(|backing| child(backing, "hugepages")) {
        let sizes = pages.children().filter(|node| node.tag_name().name() == "page").filter_map(|page| {
            let size: u64 = page.attribute("size")?.parse().ok()?;
            size.checked_mul(unit(page.attribute("unit").unwrap_or("KiB"))?)
        });
        domain.hugepages = Some(sizes.collect::<BTreeSet<u64>>());
    }
}

fn features(root: Node<'_, '_>, domain: &mut Domain) {
    let Some(features) = child(root, "features") else { return };
    if let Some(hyperv) = child(features, "hyperv") {
        domain.hyperv_by_mode = matches!(hyperv.attribute("mode"), Some("passthrough" | "host-model"));
        let named =
            hyperv.children().filter(Node::is_element).filter(|node| node.tag_name().name() != "vendor_id");
        domain.hyperv.extend(
            named.map(|node| (node.tag_name().name().to_owned(), node.attribute("state") != Some("off"))),
        );
        domain.vendor_id = child(hyperv, "vendor_id")
            .filter(|node| node.attribute("state") == Some("on"))
            .map(|node| attribute(node, "value").unwrap_or_default());
    }
    domain.kvm_hidden = child(features, "kvm")
        .and_then(|kvm| child(kvm, "hidden"))
        .is_some_and(|hidden| hidden.attribute("state") == Some("on"));
}
