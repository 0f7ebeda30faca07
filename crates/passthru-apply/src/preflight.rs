//! What can be foreseen before anything is changed: drift, places that cannot be written to, lack of room.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use passthru_model::plan::{Action, FileState, Plan, Step};
use passthru_model::rebinding::Rebinding;
use rustix::fs::{Access, AtFlags, IFlags, StatVfsMountFlags};

use crate::bound::{self, Bound};
use crate::error::{Drift, Error};
use crate::journal::{JOURNALS, copy_name};
use crate::record::{Image, Prepared};
use crate::standing::{self, Standing};
use crate::target::{Follow, Place, Target, split};
use crate::{install, rebind, tune, variable};

const MIB: u64 = 1024 * 1024;
/// What is left free on every file system that is written to.
const MARGIN: u64 = 8 * MIB;

/// Whether a step means the file behind a link, or the link.
pub(crate) fn follow(before: &FileState, after: &FileState) -> Follow {
    match (before, after) {
        (FileState::File { .. }, FileState::File { .. }) => Follow::Links,
        _ => Follow::Nothing,
    }
}

/// The paths that a step changes, and whether links are followed.
pub(crate) fn touched(step: &Step) -> Vec<(&str, Follow)> {
    match &step.action {
        Action::File { path, before, after } => vec![(path, follow(before, after))],
        Action::Run { rewrites, .. } => rewrites.iter().map(|path| (path.as_str(), Follow::Links)).collect(),
        Action::Rebind { .. } | Action::Tune { .. } => Vec::new(),
    }
}

/// Refuses paths that are not absolute, not plain, or our own.
pub(crate) fn sane(plan: &Plan) -> Result<(), Error> {
    for step in &plan.steps {
        for (path, _) in touched(step) {
            let usable = path.starts_with('/')
                && !path.contains('\0')
                && path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
            if !usable {
                return Err(Error::PlanRefused(format!("‘{path}’ is not a plain absolute path")));
            }
            if path.starts_with(crate::lock::STATE_DIRECTORY) {
                return Err(Error::PlanRefused(format!("{path} is where journals are kept")));
            }
        }
    }
    Ok(())
}

/// What of the host is not as the plan expects it, from step `from` on. A step that follows another one on the same
/// path expects what that one leaves; what a program leaves is seen only when it has run.
pub(crate) fn drift(target: &Target, plan: &Plan, from: usize) -> Result<Vec<Drift>, Error> {
    let mut foreseen: HashMap<&str, Option<Standing>> = HashMap::new();
    let mut drift = Vec::new();
    for step in plan.steps.iter().skip(from) {
        match &step.action {
            Action::File { path, before, after } => {
                let stands = match foreseen.get(path.as_str()) {
                    Some(None) => continue,
                    Some(Some(stands)) => stands.clone(),
                    None => Standing::at(target, path, follow(before, after))
                        .map_err(|error| Error::at(path, error))?,
                };
                if let Some(difference) = stands.differs_from(&Standing::of(before)) {
                    drift.push(Drift { path: path.clone(), difference });
                }
                foreseen.insert(path, Some(Standing::of(after)));
            }
            Action::Run { rewrites, .. } => {
                for path in rewrites {
                    foreseen.insert(path, None);
                }
            }
            Action::Rebind { functions } => {
                for function in functions {
                    drift.extend(moved(target, function)?);
                }
            }
            Action::Tune { settings } => {
                let found = tune::drift(target, settings);
                drift.extend(found.map_err(|error| Error::at("the running kernel", error))?);
            }
        }
    }
    Ok(drift)
}

/// How a function is not with the driver that the plan takes it to be with.
fn moved(target: &Target, function: &Rebinding) -> Result<Option<Drift>, Error> {
    let path = function.device.address.to_string();
    let found = bound::look(target, &function.device).map_err(|error| Error::at(&path, error))?;
    let difference = match found {
        Bound::There(now) => rebind::difference(&now, &function.before),
        Bound::Gone => Some("it is not there".to_owned()),
        Bound::Stranger(found) => Some(format!("another device is there: {found}")),
    };
    Ok(difference.map(|difference| Drift { path, difference }))
}

/// Refuses what would fail halfway: file systems mounted read-only, immutable files, lack of room.
pub(crate) fn writable(target: &Target, plan: &Plan) -> Result<(), Error> {
    let state = (crate::lock::LOCK, Follow::Nothing);
    // In a container /sys is mounted read-only, as a rule.
    let sysfs = plan.rebindings().next().map(|_| (rebind::PROBE, Follow::Nothing));
    let values: Vec<String> = plan.settings().map(|setting| setting.place.path()).collect();
    let values = values.iter().map(|path| (path.as_str(), Follow::Links));
    for (path, follow) in plan.steps.iter().flat_map(touched).chain([state]).chain(sysfs).chain(values) {
        let at = |error: io::Error| Error::at(path, error);
        let refuse = |why: &str| Err(Error::Unwritable { path: path.to_owned(), why: why.to_owned() });
        let directory = nearest(target, path, follow).map_err(at)?;
        let file_system = rustix::fs::fstatvfs(&directory).map_err(|error| at(error.into()))?;
        if file_system.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return refuse("the file system is mounted read-only");
        }
        if pinned(&directory) {
            return refuse("its directory is marked immutable or append-only (lsattr shows it)");
        }
        let allowed =
            rustix::fs::accessat(&directory, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
        allowed.map_err(|error| at(error.into()))?;
        if let Ok(place) = target.place(path, follow)
            && matches!(Standing::in_place(&place), Ok(Standing::File { .. }))
            && standing::open(&place).is_ok_and(|file| pinned(&file))
        {
            return refuse("it is marked immutable or append-only (lsattr shows it)");
        }
    }
    room(target, plan)
}

/// Refuses when the copies would not fit beside the journal, or a rewritten file not beside itself.
fn room(target: &Target, plan: &Plan) -> Result<(), Error> {
    let at = |error: io::Error| Error::at(JOURNALS, error);
    let mut needed: HashMap<u64, (String, u64)> = HashMap::new();
    let state = nearest(target, crate::lock::LOCK, Follow::Nothing).map_err(at)?;
    let device =
        |fd: &OwnedFd| rustix::fs::fstat(fd).map(|stat| stat.st_dev).map_err(|error| at(error.into()));
    let journals = device(&state)?;
    needed.insert(journals, (JOURNALS.to_owned(), MARGIN));
    let mut copies = 0;
    for step in &plan.steps {
        for (path, follow) in touched(step) {
            let size = |place: &Place| -> io::Result<u64> { Ok(standing::open(place)?.metadata()?.len()) };
            let old = target.place(path, follow).and_then(|place| size(&place)).unwrap_or_default();
            let new = match &step.action {
                Action::File { after, .. } => after.content().map_or(0, |content| content.len() as u64),
                // A program writes its new file beside the old one, and the new one is a little larger.
                Action::Run { .. } | Action::Rebind { .. } | Action::Tune { .. } => old,
            };
            copies += old + 2 * new.min(old.max(MIB));
            // Firmware does not tell before it is asked how much it takes.
            if target.place(path, follow).is_ok_and(|place| variable::is_in(&place)) {
                continue;
            }
            let directory = nearest(target, path, follow).map_err(|error| Error::at(path, error))?;
            let entry = needed.entry(device(&directory)?).or_insert_with(|| (path.to_owned(), MARGIN));
            entry.1 = entry.1.max(new + MARGIN);
        }
    }
    if let Some(entry) = needed.get_mut(&journals) {
        entry.1 += copies;
    }
    for (path, bytes) in needed.into_values() {
        let directory = nearest(target, &path, Follow::Links).map_err(|error| Error::at(&path, error))?;
        let file_system = rustix::fs::fstatvfs(&directory).map_err(|error| Error::at(&path, error))?;
        let free = file_system.f_bavail.saturating_mul(file_system.f_frsize);
        if free < bytes {
            return Err(Error::NoSpace { path, needed: bytes.div_ceil(MIB), free: free / MIB });
        }
    }
    Ok(())
}

/// The directory in which a path is, or the nearest one above it that is there.
fn nearest(target: &Target, path: &str, follow: Follow) -> io::Result<OwnedFd> {
    match target.place(path, follow) {
        Ok(place) => return Ok(place.directory),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut path = path;
    loop {
        path = split(path)?.0;
        match target.directory(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != "/" => {}
            other => return other,
        }
    }
}

/// Whether a file may not be replaced. File systems without such marks have none set.
fn pinned(file: &impl AsFd) -> bool {
    rustix::fs::ioctl_getflags(file).is_ok_and(|flags| flags.intersects(IFlags::IMMUTABLE | IFlags::APPEND))
}

/// The directories that are not there above a path, outermost first.
pub(crate) fn missing(target: &Target, path: &str) -> io::Result<Vec<String>> {
    let mut missing = Vec::new();
    let mut parent = split(path)?.0;
    loop {
        match target.directory(parent) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(parent.to_owned()),
            Err(error) => return Err(error),
        }
        parent = split(parent)?.0;
    }
    missing.reverse();
    Ok(missing)
}

/// The directories that the whole plan makes, outermost first.
pub(crate) fn missing_directories(target: &Target, plan: &Plan) -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    for step in &plan.steps {
        if let Action::File { path, after, .. } = &step.action
            && *after != FileState::Absent
        {
            for directory in missing(target, path)? {
                if !all.contains(&directory) {
                    all.push(directory);
                }
            }
        }
    }
    Ok(all)
}

/// Copies what stands at the paths of every step into `before/` of a journal, but for steps that touch a path after
/// another one: what stands there before those is not known yet.
pub(crate) fn capture_all(target: &Target, journal: &str, plan: &Plan) -> Result<Prepared, Error> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let fresh =
            touched(step).into_iter().map(|(path, _)| seen.insert(path)).fold(true, |all, one| all & one);
        all.push(if fresh { Some(capture(target, journal, index, step)?) } else { None });
    }
    Ok(all)
}

/// Copies what stands at the paths of a step into `before/` of a journal.
pub(crate) fn capture(
    target: &Target,
    journal: &str,
    index: usize,
    step: &Step,
) -> Result<Vec<Image>, Error> {
    let mut images: Vec<Image> = Vec::new();
    for (path, follow) in touched(step) {
        let at = |error: io::Error| Error::at(path, error);
        let image =
            |real: &str, before, kept| Image { path: path.to_owned(), real: real.to_owned(), before, kept };
        let place = match target.place(path, follow) {
            Ok(place) => place,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                images.push(image(path, Standing::Absent, None));
                continue;
            }
            Err(error) => return Err(at(error)),
        };
        let before = Standing::in_place(&place).map_err(at)?;
        let mut kept = None;
        if let Standing::File { .. } = before {
            let mut name = copy_name(index, path);
            while images.iter().any(|image| image.kept.as_deref() == Some(&format!("before/{name}"))) {
                name.push('+');
            }
            let name = format!("before/{name}");
            let mut original = standing::open(&place).map_err(at)?;
            let copy = target.place(&format!("{journal}/{name}"), Follow::Nothing).map_err(at)?;
            install::copy(&copy, ".part", &mut original).map_err(at)?;
            if Standing::in_place(&copy).map_err(at)? != before {
                let difference = "it is being changed right now".to_owned();
                return Err(Error::Drift(vec![Drift { path: path.to_owned(), difference }]));
            }
            kept = Some(name);
        }
        images.push(image(&place.real, before, kept));
    }
    Ok(images)
}
