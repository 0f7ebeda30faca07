//! NUMA nodes, from `/sys/devices/system/node`.

use std::collections::BTreeMap;

use passthru_formats::memory;
use passthru_model::cpu_set::CpuSet;
use passthru_model::topology::NumaNode;

use super::super::memory::node_number;
use super::lists::Lists;

const NODES: &str = "/sys/devices/system/node";

/// All of them, by number.
pub(super) fn all(lists: &mut Lists<'_>, online: &CpuSet) -> BTreeMap<u32, NumaNode> {
    let names = lists.names(NODES);
    let mut nodes: BTreeMap<u32, NumaNode> = BTreeMap::new();
    let mut distances = BTreeMap::new();
    for number in names.iter().filter_map(|name| node_number(name)) {
        let path = format!("{NODES}/node{number}");
        let amounts = lists.text(&format!("{path}/meminfo")).map(|text| memory::meminfo(text.as_bytes()));
        let cpus = lists.set(&path, &["cpulist"], &["cpumap"]).unwrap_or_default();
        distances.extend(lists.text(&format!("{path}/distance")).map(|text| (number, text)));
        let node = NumaNode {
            cpus: cpus.intersection(online),
            distances: BTreeMap::new(),
            memory_kib: amounts.and_then(|amounts| amounts.get("MemTotal").copied()),
        };
        nodes.insert(number, node);
    }
    let numbers: Vec<u32> = nodes.keys().copied().collect();
    for (number, text) in distances {
        // One number for each node that is online, in order (`node_read_distance`, `drivers/base/node.c`).
        let values: Option<Vec<u32>> = text.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
        let values = values.filter(|values| values.len() == numbers.len());
        match (values, nodes.get_mut(&number)) {
            (Some(values), Some(node)) => node.distances = numbers.iter().copied().zip(values).collect(),
            _ => lists.gap(
                &format!("{NODES}/node{number}/distance"),
                format!("‘{text}’ is not one distance to each of {} nodes", numbers.len()),
            ),
        }
    }
    nodes
}
