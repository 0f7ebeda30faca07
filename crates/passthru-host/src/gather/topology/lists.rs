//! Lists of CPUs and numbers in sysfs, with the reasons for those that could not be read.

use std::collections::BTreeMap;

use passthru_formats::sysfs;
use passthru_model::cpu_set::CpuSet;

use crate::error::ReadError;
use crate::host::Host;

/// Reads lists and numbers. That one is not there is no gap: which there are depends on the kernel's age.
pub(super) struct Lists<'a> {
    pub(super) host: &'a Host,
    pub(super) gaps: BTreeMap<String, String>,
}

impl<'a> Lists<'a> {
    pub(super) fn new(host: &'a Host) -> Self {
        Self { host, gaps: BTreeMap::new() }
    }

    /// Keeps a reason. The first one for a path stays.
    pub(super) fn gap(&mut self, path: &str, why: impl Into<String>) {
        self.gaps.entry(path.to_owned()).or_insert_with(|| why.into());
    }

    /// The first of some files in a directory that is there: lists (`0-3,8`), then masks (`00000101`).
    pub(super) fn set(&mut self, directory: &str, lists: &[&str], masks: &[&str]) -> Option<CpuSet> {
        let files = lists.iter().map(|name| (name, false)).chain(masks.iter().map(|name| (name, true)));
        for (name, is_mask) in files {
            let path = format!("{directory}/{name}");
            let Some(text) = self.text(&path) else { continue };
            let text = text.trim();
            // `nohz_full` says so where it is not set (`print_cpus_nohz_full`, `drivers/base/cpu.c`).
            let text = if text == "(null)" { "" } else { text };
            let parsed = if is_mask { CpuSet::from_mask(text) } else { text.parse() };
            match parsed {
                Ok(set) => return Some(set),
                Err(error) => self.gap(&path, error.to_string()),
            }
        }
        None
    }

    /// A file with one whole number.
    pub(super) fn number(&mut self, path: &str) -> Option<i64> {
        let text = self.text(path)?;
        let number = text.trim().parse().ok();
        if number.is_none() {
            self.gap(path, format!("‘{text}’ is not a number"));
        }
        number
    }

    /// A file of one line.
    pub(super) fn text(&mut self, path: &str) -> Option<String> {
        let read = self.host.read(path);
        self.unless_absent(read).map(|bytes| sysfs::line(&bytes))
    }

    /// The names in a directory; none where it is not there.
    pub(super) fn names(&mut self, path: &str) -> Vec<String> {
        let names = self.host.list(path);
        self.unless_absent(names).unwrap_or_default()
    }

    fn unless_absent<T>(&mut self, result: Result<T, ReadError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if !error.is_not_found() {
                    self.gap(&error.path, error.to_string());
                }
                None
            }
        }
    }
}
