//! Starting a journal: everything that is known beforehand is on disk before the first step.

use std::io;

use passthru_model::plan::{Action, Digest256, FileState, Plan};
use rustix::fs::{AtFlags, Mode};

use crate::error::Error;
use crate::journal::{JOURNALS, Journal, boot, copy_name, directory, line, list, number, stamp};
use crate::record::{FORMAT, Image, Prepared, Record};
use crate::target::{Follow, Target};
use crate::{failpoint, install, overview, preflight};

/// Starts a journal: all that is known beforehand is written into a directory that has no journal's name yet, so
/// that a journal is either not there or complete up to its first record.
pub(crate) fn begin(target: &Target, plan: &Plan) -> Result<(Journal, Prepared), Error> {
    let at = |error: io::Error| Error::at(JOURNALS, error);
    make_private(target, JOURNALS).map_err(at)?;
    sweep(target).map_err(at)?;
    let newest = list(target)?.iter().filter_map(|id| number(id)).max().unwrap_or(0);
    let stamp = stamp();
    let id = format!("{stamp}-{}", newest + 1);
    let draft = format!(".new-{id}");
    let path = directory(&draft);
    for path in [path.clone(), format!("{path}/before"), format!("{path}/after")] {
        make_private(target, &path).map_err(at)?;
    }
    let prepared = preflight::capture_all(target, &path, plan)?;
    let images: Vec<Image> = prepared.iter().flatten().flatten().cloned().collect();
    // A path that several steps touch is captured again for the later ones; the first is the one to go back to.
    let directories = preflight::missing_directories(target, plan).map_err(at)?;
    let plan_bytes = serde_json::to_vec_pretty(plan).map_err(|error| at(error.into()))?;
    let write = |name: &str, bytes: &[u8]| put(target, &format!("{path}/{name}"), bytes);
    write("plan.json", &plan_bytes).map_err(at)?;
    let readme = overview::text(plan, &directory(&id), &images, &directories);
    write("README", readme.as_bytes()).map_err(at)?;
    for (index, step) in plan.steps.iter().enumerate() {
        if let Action::File { path, after: FileState::File { content, .. }, .. } = &step.action {
            write(&format!("after/{}", copy_name(index, path)), &content.0).map_err(at)?;
        }
    }
    let started = Record::Started {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: plan.title.clone(),
        plan: Digest256::of(&plan_bytes),
        boot: boot(target),
        stamp,
        token: token(),
    };
    write("records.jsonl", &line(&started).map_err(at)?).map_err(at)?;
    for path in [format!("{path}/before"), format!("{path}/after"), path.clone()] {
        target.directory(&path).and_then(|it| Ok(rustix::fs::fsync(it)?)).map_err(at)?;
    }
    failpoint::hit();
    let journals = target.directory(JOURNALS).map_err(at)?;
    rustix::fs::renameat(&journals, &draft, &journals, &id).map_err(|error| at(error.into()))?;
    failpoint::hit();
    rustix::fs::fsync(&journals).map_err(|error| at(error.into()))?;
    Ok((Journal::open(target, &id)?, prepared))
}

/// Writes a file of the journal's own.
pub(crate) fn put(target: &Target, path: &str, bytes: &[u8]) -> io::Result<()> {
    let place = target.place(path, Follow::Nothing)?;
    install::file(&place, ".part", bytes, 0o600, owner())
}

/// Who we are: user and group.
pub(crate) fn owner() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// Makes a directory that only its owner may enter.
pub(crate) fn make_private(target: &Target, path: &str) -> io::Result<()> {
    let (parent, name) = crate::target::split(path)?;
    let parent = target.directory(parent)?;
    match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o700)) {
        Ok(()) => Ok(rustix::fs::fsync(&parent)?),
        Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Random digits. The standard library seeds its hashers from the system; nothing else random is needed here.
fn token() -> String {
    use std::hash::{BuildHasher as _, Hasher as _};
    let digits = || std::hash::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", digits(), digits())
}

/// Removes journals that were killed before their first record; nothing had been changed for them.
fn sweep(target: &Target) -> io::Result<()> {
    let journals = target.directory(JOURNALS)?;
    for name in names(&journals)?.iter().filter(|name| name.starts_with(".new-")) {
        let draft = target.directory(&directory(name))?;
        for inner in ["before", "after"] {
            if let Ok(directory) = target.directory(&format!("{}/{inner}", directory(name))) {
                for file in names(&directory)? {
                    rustix::fs::unlinkat(&directory, file, AtFlags::empty())?;
                }
                rustix::fs::unlinkat(&draft, inner, AtFlags::REMOVEDIR)?;
            }
        }
        for file in names(&draft)? {
            rustix::fs::unlinkat(&draft, file, AtFlags::empty())?;
        }
        rustix::fs::unlinkat(&journals, name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

/// The names in a directory.
pub(crate) fn names(directory: &std::os::fd::OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(directory)? {
        if let Ok(name) = entry?.file_name().to_str()
            && name != "."
            && name != ".."
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
