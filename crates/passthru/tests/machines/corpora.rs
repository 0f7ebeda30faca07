//! Real machines: every pinning of every number of vCPUs is sound, and ten whole outputs, each read and agreed with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use passthru_host::{Host, gather};
use passthru_plan::pinning::{Prefer, Request, Threads, most, pin};

use crate::passthru;
use crate::sound::assert_sound;

/// The folder of real machines' data, which is not part of the project.
pub(crate) fn archives() -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    let mut found = BTreeMap::new();
    for part in ["topology/hwloc", "topology/lscpu", "hosts"] {
        let Ok(entries) = std::fs::read_dir(folder.join(part)) else {
            say(&format!("skipped: there is no {}", folder.join(part).display()));
            continue;
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some((name, _)) = name.split_once(".tar.").or_else(|| name.split_once(".tgz")) {
                found.insert(name.to_owned(), path);
            }
        }
    }
    found
}

pub(crate) fn say(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
}

#[test]
fn every_pinning_on_every_real_machine_is_sound() {
    let (mut machines, mut pinnings, mut refusals) = (0, 0, 0);
    for (name, path) in archives() {
        let facts = gather(&Host::open(&path).expect("opens"));
        let Some(topology) = facts.topology.value() else { continue };
        machines += 1;
        for threads in [Threads::Siblings, Threads::OnePerCore, Threads::Shared] {
            let most = most(topology, threads);
            for vcpus in 1..=topology.online.len() + 1 {
                let request = Request { vcpus, threads, prefer: Prefer::Cache, near: None };
                match pin(topology, &request) {
                    Ok(pinning) => {
                        assert!(vcpus <= most, "{name}: {vcpus}");
                        assert_sound(topology, &request, &pinning);
                        pinnings += 1;
                    }
                    Err(refusal) => {
                        assert!(vcpus > most, "{name}: {vcpus}: {refusal}");
                        refusals += 1;
                    }
                }
            }
        }
    }
    say(&format!("{machines} machines, {pinnings} pinnings sound, {refusals} refused as they should be"));
}

#[test]
fn outputs_of_ten_real_machines_are_as_they_were_read() {
    let archives = archives();
    for (name, vcpus) in [
        ("20em64t-hybrid-1p6c2t+2ca4co1t", "8"),
        ("ghw-linux-amd64-415ee03b8c4d1c4f07ae2e9d8b3d3d6d", "6"),
        ("ghw-linux-amd64-61797caf7c0b6bca1725ad7975ed4773", "6"),
        ("x86_64-64cpu", "12"),
        ("64amd64-4s2n4ca2co", "6"),
        ("48amd64-4pa2n6c-sparse", "8"),
        ("16em64t-4s2c2t-offlines", "4"),
        ("256ppc-8n8s4t", "24"),
        ("32em64t-2n8c+dax+nvme+mic+dimms", "7"),
        ("x86_64-dell_e4310", "2"),
    ] {
        let Some(path) = archives.get(name) else { continue };
        insta::assert_snapshot!(format!("real_{name}"), passthru(path, &["topology", "--vcpus", vcpus]));
    }
}
