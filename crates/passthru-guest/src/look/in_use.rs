//! Whether the host uses a disk: something is mounted from it or swapped to it, from a partition of it, or from what is made of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use passthru_formats::mounts::{mountinfo, swaps};

/// What the host does with a block device; `None`: nothing that is seen.
pub(super) fn device(number: u64) -> Option<String> {
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    find(&format!("{major}:{minor}"), &used(), &family)
}

/// What the host does with a file: it is the disk of a loop device that something is mounted from.
pub(super) fn file(path: &Path) -> Option<String> {
    let path = fs::canonicalize(path).ok()?;
    let used = used();
    let loops = fs::read_dir("/sys/block").ok()?.filter_map(Result::ok);
    loops.filter(|entry| entry.file_name().to_string_lossy().starts_with("loop")).find_map(|entry| {
        let backing = fs::read_to_string(entry.path().join("loop/backing_file")).ok()?;
        let number = fs::read_to_string(entry.path().join("dev")).ok()?;
        (Path::new(backing.trim_end()) == path).then(|| find(number.trim(), &used, &family))?
    })
}

/// Devices that are mounted or swapped to, by their numbers, `8:1`, with what they are used for.
fn used() -> BTreeMap<String, String> {
    let mut used = BTreeMap::new();
    let number_of = |path: &str| {
        let number = fs::metadata(path).ok()?.rdev();
        (number != 0).then(|| format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number)))
    };
    for swap in fs::read("/proc/swaps").ok().and_then(|bytes| swaps(&bytes).ok()).unwrap_or_default() {
        used.extend(number_of(&swap.path).map(|number| (number, format!("it swaps to {}", swap.path))));
    }
    let mounts =
        fs::read("/proc/self/mountinfo").ok().and_then(|bytes| mountinfo(&bytes).ok()).unwrap_or_default();
    for mount in mounts {
        // btrfs has a number of its own, and says its device by name.
        let number = if mount.major == 0 {
            number_of(&mount.source)
        } else {
            Some(format!("{}:{}", mount.major, mount.minor))
        };
        if let Some(number) = number {
            used.entry(number).or_insert_with(|| format!("{} is mounted from it", mount.point));
        }
    }
    used
}

/// Its partitions and what is made of it (`holders`: LVM, RAID, encryption), by their numbers.
fn family(number: &str) -> Vec<String> {
    let device = PathBuf::from("/sys/dev/block").join(number);
    let below = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let parts = below(device.clone()).filter(|entry| entry.path().join("partition").exists());
    let members = parts.chain(below(device.join("holders")));
    members
        .filter_map(|entry| fs::read_to_string(entry.path().join("dev")).ok())
        .map(|text| text.trim().to_owned())
        .collect()
}

/// The first use of a device or of anything below it. Devices that hold each other in a ring are no reason to go round for ever.
fn find(
    number: &str,
    used: &BTreeMap<String, String>,
    family: &dyn Fn(&str) -> Vec<String>,
) -> Option<String> {
    let mut seen = std::collections::BTreeSet::new();
    let mut ahead = vec![number.to_owned()];
    while let Some(number) = ahead.pop() {
        if let Some(on) = used.get(&number) {
            return Some(on.clone());
        }
        if seen.insert(number.clone()) {
            ahead.extend(family(&number));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_disk_is_used_by_what_is_mounted_from_a_volume_in_one_of_its_partitions() {
        let used = [("253:0".to_owned(), "/ is mounted from it".to_owned())].into();
        let family = |number: &str| -> Vec<String> {
            let below: &[&str] = match number {
                "8:0" => &["8:1", "8:2"],
                "8:2" => &["253:0"],
                // A ring, which no kernel has.
                "8:16" => &["8:17"],
                "8:17" => &["8:16"],
                _ => &[],
            };
            below.iter().map(ToString::to_string).collect()
        };
        assert_eq!(find("8:0", &used, &family).as_deref(), Some("/ is mounted from it"));
        assert_eq!(find("8:1", &used, &family), None);
        assert_eq!(find("8:16", &used, &family), None);
    }
}
