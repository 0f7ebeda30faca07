//! `/etc/kernel/cmdline`: the kernel command line of all entries that a tool makes, edited one word at a time.

use passthru_formats::cmdline::CommandLine;
use passthru_formats::error::Refused;
use passthru_formats::kernel_cmdline;
use passthru_model::{HostFacts, managed};

use super::{Change, refused, text_of};
use crate::planner::iommu::{INTEL_ON, Parameters};
use crate::planner::{Reason, select, settings};

/// Where the command line stands, and what the file says; for a host without such a file, what it would be made from.
#[derive(Clone, Debug)]
pub(super) struct KernelCmdline {
    source: Source,
    text: String,
}

/// Where kernel-install and its kin take the command line from: the first of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// `/etc/kernel/cmdline`.
    Etc,
    /// `/usr/lib/kernel/cmdline`, which belongs to a package.
    Usr,
    /// The running command line.
    Running,
}

impl KernelCmdline {
    /// As it stands.
    pub(super) fn of(facts: &HostFacts, reasons: &mut Vec<Reason>) -> Self {
        let running = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
        let mut found = Self { source: Source::Running, text: kernel_cmdline::from_running(running) };
        for (source, path) in
            [(Source::Usr, managed::KERNEL_CMDLINE_VENDOR), (Source::Etc, managed::KERNEL_CMDLINE)]
        {
            if let Some(text) = text_of(facts, path, reasons) {
                found = Self { source, text: text.to_owned() };
            }
        }
        if let (Source::Running, Some(because)) = (found.source, facts.kernel.cmdline.because()) {
            reasons.push(select::unknown(facts, "the running command line", because));
        }
        found
    }

    /// The command line.
    pub(super) fn line(&self) -> String {
        kernel_cmdline::read(&self.text)
    }

    /// Whether a word is on it.
    pub(super) fn has(&self, word: &str) -> bool {
        CommandLine::new(&self.line()).has_word(word)
    }

    /// The words that the running command line must hold after a reboot because of us.
    pub(super) fn effective_parameters(&self) -> Vec<String> {
        let asked = self.source == Source::Etc && self.has(INTEL_ON);
        asked.then(|| INTEL_ON.to_owned()).into_iter().collect()
    }

    /// The source with the needed words.
    fn with(&self, needed: &Parameters) -> Result<String, Refused> {
        let mut text = self.text.clone();
        for change in needed.changes() {
            text = kernel_cmdline::edit(&text, &change)?;
        }
        Ok(text)
    }

    /// The change for the needed words to come and go.
    ///
    /// The file is made where it is not there, whether or not a word changes: without it the running command line is taken, and in
    /// a boot without passthrough every entry would be given our word for that.
    pub(super) fn edits(
        &self,
        facts: &HostFacts,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Option<Change> {
        let path = managed::KERNEL_CMDLINE;
        let text = self.with(needed).map_err(|error| reasons.push(refused(path, error))).ok()?;
        Change::to(path, facts.files.get(path)?, text)
    }

    /// The change by which the file has nothing of ours any more.
    pub(super) fn withdrawals(&self, facts: &HostFacts) -> Option<Change> {
        let needed = settings::withdrawn(facts);
        (self.source == Source::Etc).then(|| self.edits(facts, &needed, &mut Vec::new())).flatten()
    }
}
