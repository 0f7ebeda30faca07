//! The files that `passthru groups` reads of PCI functions and their groups, read and thrown away: what it costs to look at all,
//! without a thought, by the standard library and whole paths. Compiled by itself, by `cargo xtask bench`. Arguments: the tree, the number of threads at most.

use std::fs;
use std::path::{Path, PathBuf};

fn function(place: &Path) -> usize {
    let mut seen = 0;
    let modalias = fs::read(place.join("modalias")).unwrap_or_default();
    seen += modalias.len();
    if modalias.windows(8).any(|part| part == b"bc03sc00") {
        seen += fs::read(place.join("boot_vga")).map_or(0, |bytes| bytes.len());
        seen += fs::read_link(place).map_or(0, |target| target.as_os_str().len());
    }
    for name in ["driver", "iommu_group"] {
        seen += fs::read_link(place.join(name)).map_or(0, |target| target.as_os_str().len());
    }
    seen += usize::from(fs::symlink_metadata(place.join("secondary_bus_number")).is_ok());
    seen + fs::read(place.join("reset_method")).map_or(0, |bytes| bytes.len())
}

fn group(place: &Path) -> usize {
    fs::read(place.join("reserved_regions")).map_or(0, |bytes| bytes.len())
}

fn all(places: &[PathBuf], threads: usize, read: fn(&Path) -> usize) -> usize {
    let share = places.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let shares: Vec<_> = places
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(|place| read(place)).sum::<usize>()))
            .collect();
        shares.into_iter().map(|share| share.join().unwrap_or(0)).sum()
    })
}

fn entries(place: &Path) -> Vec<PathBuf> {
    fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let root = Path::new(&arguments[1]);
    let most: usize = arguments[2].parse().expect("a number of threads");
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(most);
    let functions = entries(&root.join("sys/bus/pci/devices"));
    let groups = entries(&root.join("sys/kernel/iommu_groups"));
    let names = fs::read(root.join("usr/share/misc/pci.ids")).map_or(0, |bytes| bytes.len());
    println!("{}", all(&functions, threads, function) + all(&groups, threads, group) + names);
}
