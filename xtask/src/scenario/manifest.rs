//! The manifest of a system's files: what is compared when undoing is said to have left no trace.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::target::{Job, Target};

/// What is left out, and why.
const VOLATILE: &[(&str, &str)] = &[
    ("/proc", "the kernel's, not files"),
    ("/sys", "the kernel's, not files"),
    ("/dev", "the kernel's, made anew at every boot"),
    ("/run", "gone at every boot"),
    ("/tmp", "gone at every boot"),
    ("/var/tmp", "scratch; the laboratory keeps the saved initramfs there"),
    ("/var/log", "grows by itself"),
    ("/var/lib/systemd", "random seed, timers' stamps, core dumps: written at every boot"),
    (
        "/var/lib/passthru",
        "our journal and the records of boots: they say what was done and how it went, and stay",
    ),
    ("/var/cache/ldconfig", "a cache"),
    ("/boot/efi/loader/random-seed", "systemd-boot makes a new one at every boot"),
];

/// Where the initramfs of a saved manifest waits for its comparison.
const KEPT: &str = "/var/tmp/passthru-lab";

/// Every file by path, with a line that says everything of it that counts.
pub(super) type Manifest = BTreeMap<String, String>;

/// Takes the manifest of the running system, and keeps its initramfs images under `name`.
pub(super) fn save(target: &mut dyn Target, name: &str) -> Result<Manifest> {
    let dir = format!("{KEPT}/{name}");
    target.ask(&["mkdir", "-p", &dir])?;
    target.ask(&[
        "find",
        "/boot",
        "-maxdepth",
        "1",
        "-name",
        "initrd.img-*",
        "-exec",
        "cp",
        "{}",
        &dir,
        ";",
    ])?;
    take(target)
}

/// What differs between a saved manifest and the system as it is; empty if nothing does.
pub(super) fn differences(target: &mut dyn Target, name: &str, saved: &Manifest) -> Result<Vec<String>> {
    let now = take(target)?;
    let mut wrong = Vec::new();
    for (path, was) in saved {
        match now.get(path) {
            None => wrong.push(format!("{path} is gone")),
            Some(is) if is != was && !same_initramfs(target, name, path)? => {
                wrong.push(format!("{path}\n    was {was}\n    is  {is}"));
            }
            Some(_) => {}
        }
    }
    wrong.extend(now.keys().filter(|path| !saved.contains_key(*path)).map(|path| format!("{path} is new")));
    Ok(wrong)
}

fn take(target: &mut dyn Target) -> Result<Manifest> {
    let mut prune = Vec::new();
    for (path, _) in VOLATILE {
        prune.extend(["-path", path, "-o"]);
    }
    prune.pop();
    // The EFI system partition is a file system of its own, which -xdev leaves out.
    let mut search = vec!["find", "/", "/boot/efi", "-xdev", "("];
    search.extend(prune);
    search.extend([")", "-prune", "-o"]);
    let mut ask = |tail: &[&str]| -> Result<String> {
        let argv: Vec<&str> = search.iter().chain(tail).copied().collect();
        let output = target.run(&Job::new(argv).limit(Duration::from_mins(15)))?;
        if output.code != 0 {
            bail!("taking the manifest: {}", output.stderr.trim());
        }
        Ok(output.stdout)
    };
    let mut manifest = Manifest::new();
    for line in ask(&["-printf", "%p\t%y %m %U:%G %l\n"])?.lines() {
        let (path, rest) = line.split_once('\t').with_context(|| format!("find said {line:?}"))?;
        manifest.insert(path.to_owned(), rest.trim_end().to_owned());
    }
    // BLAKE2: as good as SHA-256, and twice as fast on an emulated processor.
    // Ended by a zero byte, a name is printed as it is; else some versions escape the backslashes in names of systemd's units.
    let sums = ask(&["-type", "f", "-exec", "b2sum", "-z", "-l", "256", "{}", "+"])?;
    for line in sums.split_terminator('\0') {
        let (sum, path) = line.split_once("  ").with_context(|| format!("b2sum said {line:?}"))?;
        let entry = manifest.get_mut(path).with_context(|| format!("{path} came between two looks"))?;
        entry.push(' ');
        entry.push_str(sum);
    }
    Ok(manifest)
}

/// Whether an initramfs was only made anew: other bytes, because it holds times, but the same files in it.
fn same_initramfs(target: &mut dyn Target, name: &str, path: &str) -> Result<bool> {
    let Some(file) = path.strip_prefix("/boot/").filter(|file| file.starts_with("initrd.img-")) else {
        return Ok(false);
    };
    let mut contents = Vec::new();
    for image in [format!("{KEPT}/{name}/{file}"), path.to_owned()] {
        let into = "/run/passthru-lab-initramfs";
        target.ask(&["rm", "-rf", into])?;
        let unpack = Job::new(["unmkinitramfs", &image, into]).limit(Duration::from_mins(5));
        let output = target.run(&unpack)?;
        if output.code != 0 {
            bail!("cannot unpack {image}: {}", output.stderr.trim());
        }
        let list = r#"cd "$1" && find . -printf '%p %y %m %U:%G %l\n' | sort && find . -type f -exec sha256sum {} + | sort"#;
        let job = Job::new(["sh", "-c", list, "sh", into]).limit(Duration::from_mins(5));
        contents.push(target.run(&job)?.stdout);
    }
    Ok(!contents[0].is_empty() && contents[0] == contents[1])
}
