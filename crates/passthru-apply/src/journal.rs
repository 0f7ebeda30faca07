//! The journal: the durable record of a plan being carried out, and all that is needed to take it back.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};

use passthru_model::plan::{Digest256, Plan};
use rustix::fs::{Mode, OFlags};

use crate::error::Error;
use crate::record::{Course, Image, Record};
use crate::standing::{self, Standing};
use crate::target::{Follow, Target};
use crate::{failpoint, install};

/// Where the journals are, one directory each.
pub const JOURNALS: &str = "/var/lib/passthru/journal";

/// A journal that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) id: String,
    pub(crate) plan: Plan,
    pub(crate) course: Course,
    records: File,
    length: u64,
}

/// A journal as it was read.
pub(crate) struct Saved {
    pub(crate) plan: Plan,
    pub(crate) course: Course,
    /// How much of the records is whole.
    length: u64,
}

/// The directory of a journal.
pub(crate) fn directory(id: &str) -> String {
    format!("{JOURNALS}/{id}")
}

/// The time, as stamps have it.
pub(crate) fn stamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The boot that the host is in, where it says so.
pub(crate) fn boot(target: &Target) -> Option<String> {
    let bytes = standing::bytes(target, "/proc/sys/kernel/random/boot_id", Follow::Links).ok()??;
    String::from_utf8(bytes).ok().map(|text| text.trim().to_owned())
}

/// Whether a change lasted until the next boot, and the host was booted since, or does not run at all: a mounted system has no
/// devices. Where the boot of a running host is not known, it was not booted since.
pub(crate) fn ended_by_boot(target: &Target, plan: &Plan, course: &Course) -> bool {
    plan.ends_with_boot()
        && match (&course.boot, boot(target)) {
            (Some(then), Some(now)) => *then != now,
            (_, None) => !target.is_live() && target.directory("/sys/bus/pci").is_err(),
            (None, Some(_)) => false,
        }
}

/// The names of all journals, oldest first. Writes nothing; no directory is no journal.
pub(crate) fn list(target: &Target) -> Result<Vec<String>, Error> {
    let directory = match target.directory(JOURNALS) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::at(JOURNALS, error)),
    };
    let entries = rustix::fs::Dir::read_from(&directory).map_err(|error| Error::at(JOURNALS, error))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::at(JOURNALS, error))?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if let Some(number) = number(name) {
            found.push((number, name.to_owned()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, name)| name).collect())
}

/// The running number in a journal's name, if it is one. Numbers and not times say which is the newest: clocks jump.
pub(crate) fn number(id: &str) -> Option<u64> {
    let (stamp, number) = id.split_once('-')?;
    let time = stamp.strip_suffix('Z')?;
    let known = !number.starts_with(['+', '0']) && time.bytes().all(|b| b.is_ascii_digit() || b == b'T');
    if known { number.parse().ok() } else { None }
}

/// Reads a journal. A torn last line is what a kill leaves behind, and counts as not written.
pub(crate) fn read(target: &Target, id: &str) -> Result<Saved, Error> {
    let corrupt = |why: String| Error::Corrupt { id: id.to_owned(), why };
    let get = |name: &str| {
        let path = format!("{}/{name}", directory(id));
        standing::bytes(target, &path, Follow::Nothing)
            .map_err(|error| Error::at(&path, error))?
            .ok_or_else(|| corrupt(format!("{name} is not there")))
    };
    let plan_bytes = get("plan.json")?;
    let plan: Plan =
        serde_json::from_slice(&plan_bytes).map_err(|error| corrupt(format!("plan.json: {error}")))?;
    let bytes = get("records.jsonl")?;
    let mut course: Option<Course> = None;
    let mut length = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let last = length + line.len() == bytes.len();
        let record: Record = match serde_json::from_slice(line) {
            Ok(record) if line.ends_with(b"\n") => record,
            _ if last => break,
            Ok(_) => break,
            Err(error) => return Err(corrupt(format!("records.jsonl: {error}"))),
        };
        match &mut course {
            Some(course) => course.take(&record).map_err(corrupt)?,
            None => course = Some(Course::begin(&record, plan.steps.len()).map_err(corrupt)?),
        }
        length += line.len();
    }
    let course = course.ok_or_else(|| corrupt("it has no beginning".to_owned()))?;
    if Digest256::of(&plan_bytes) != course.plan {
        return Err(corrupt("plan.json was changed since".to_owned()));
    }
    Ok(Saved { plan, course, length: length as u64 })
}

impl Journal {
    /// Opens a journal to go on with it.
    pub(crate) fn open(target: &Target, id: &str) -> Result<Self, Error> {
        let Saved { plan, course, length } = read(target, id)?;
        let path = format!("{}/records.jsonl", directory(id));
        let open = || -> io::Result<File> {
            let mut records =
                File::from(target.open_at(&path, OFlags::RDWR | OFlags::NOFOLLOW, Mode::empty())?);
            records.set_len(length)?;
            records.seek(SeekFrom::Start(length))?;
            Ok(records)
        };
        let records = open().map_err(|error| Error::at(&path, error))?;
        Ok(Self { id: id.to_owned(), plan, course, records, length })
    }

    /// Adds a record; it is on disk when this returns.
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<()> {
        let line = line(record)?;
        failpoint::hit();
        let written = install::write_killably(&mut self.records, &line).and_then(|()| {
            failpoint::hit();
            self.records.sync_all()
        });
        if let Err(error) = written {
            // Half a line must not be followed by another one.
            let _ = self
                .records
                .set_len(self.length)
                .and_then(|()| self.records.seek(SeekFrom::Start(self.length)));
            return Err(error);
        }
        failpoint::hit();
        self.length += line.len() as u64;
        self.course.take(record).map_err(io::Error::other)
    }

    /// The directory of this journal.
    pub(crate) fn directory(&self) -> String {
        directory(&self.id)
    }

    /// The name of the temporary file in every directory that this journal changes.
    pub(crate) fn temporary(&self) -> String {
        format!(".passthru-{}", self.course.token)
    }

    /// Takes away the temporary files that a kill has left behind.
    pub(crate) fn clear_temporaries(&self, target: &Target) -> io::Result<()> {
        let images =
            self.course.steps.iter().filter_map(|step| step.intent.as_ref()).flat_map(|(images, _)| images);
        for image in images {
            match target.place(&image.real, Follow::Nothing) {
                Ok(place) => install::forget(&place, &self.temporary())?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Opens a kept copy, if it is still what was recorded.
    pub(crate) fn kept(&self, target: &Target, image: &Image) -> io::Result<File> {
        let unusable = || io::Error::other(format!("the copy of {} in the journal is damaged", image.path));
        let kept = image.kept.as_ref().ok_or_else(unusable)?;
        let place = target.place(&format!("{}/{kept}", self.directory()), Follow::Nothing)?;
        if Standing::in_place(&place)? != image.before {
            return Err(unusable());
        }
        standing::open(&place)
    }
}

/// The name of a copy: the step, and the file's own name.
pub(crate) fn copy_name(index: usize, path: &str) -> String {
    format!("{:03}-{}", index + 1, path.rsplit('/').next().unwrap_or_default())
}

/// A record as it is written.
pub(crate) fn line(record: &Record) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}
