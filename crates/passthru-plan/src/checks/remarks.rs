//! Several things that one check has to say: the worst gives the verdict, and all of them are said.

use passthru_model::fact::Evidence;
use passthru_model::finding::{Remedy, Verdict};
use passthru_model::virtualisation::{DomainEdit, Place};

use super::Outcome;

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found, in one line.
    pub what: String,
    /// Where in the guest's file it stands, where it stands in one place.
    pub place: Option<Place>,
    /// The line, from 1, where what stands there is no element.
    pub line: Option<usize>,
    /// What to do about it.
    pub remedy: Option<Remedy>,
    /// What to change in its place where the guest is a command line of QEMU; nothing where that has no word for it.
    pub in_command: Option<String>,
    /// Whether the remedy is in words of libvirt's file.
    pub is_of_file: bool,
    /// The changes of the guest's file that mend it, where changes of the file do.
    pub edits: Vec<DomainEdit>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    list: Vec<Remark>,
    /// Which of them the next words are about.
    current: usize,
    evidence: Vec<Evidence>,
    /// The command by which a guest's file is edited, for remedies that are about the file.
    editor: Option<String>,
}

impl Remarks {
    /// Whether nothing was remarked.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How the file of the guest that is looked at next is edited.
    pub(super) fn edited_by(&mut self, command: String) {
        self.editor = Some(command);
    }

    /// Something that works, with something to mend.
    pub(super) fn warn(&mut self, what: impl Into<String>) -> &mut Self {
        self.say(Verdict::Warn, what)
    }

    /// Something that stands in the way.
    pub(super) fn fail(&mut self, what: impl Into<String>) -> &mut Self {
        self.say(Verdict::Fail, what)
    }

    fn say(&mut self, verdict: Verdict, what: impl Into<String>) -> &mut Self {
        let remark = Remark {
            verdict,
            what: what.into(),
            place: None,
            line: None,
            remedy: None,
            in_command: None,
            is_of_file: false,
            edits: Vec::new(),
        };
        // What is said again is one remark, which the rest of the sentence is about.
        self.current = self.list.iter().position(|known| known.what == remark.what).unwrap_or_else(|| {
            self.list.push(remark);
            self.list.len() - 1
        });
        self
    }

    fn last(&mut self, change: impl FnOnce(&mut Remark)) -> &mut Self {
        if let Some(last) = self.list.get_mut(self.current) {
            change(last);
        }
        self
    }

    /// Where in the guest's file the last remark is about.
    pub(super) fn at(&mut self, place: &Place) -> &mut Self {
        self.last(|remark| remark.place = Some(place.clone()))
    }

    /// The same, by path.
    pub(super) fn at_path(&mut self, path: &str) -> &mut Self {
        self.at(&Place::new(path))
    }

    /// The line of the guest's file that the last remark is about, for what is no element.
    pub(super) fn at_line(&mut self, line: usize) -> &mut Self {
        self.last(|remark| remark.line = Some(line))
    }

    /// What to do about the last remark.
    pub(super) fn by_hand(&mut self, what: impl Into<String>) -> &mut Self {
        self.remedied(Remedy::by_hand(what))
    }

    /// What to change in the guest's file about the last remark.
    pub(super) fn in_file(&mut self, what: impl Into<String>) -> &mut Self {
        let mut what = what.into();
        if let Some(editor) = &self.editor {
            what = format!("{what}: {editor}");
        }
        self.last(|remark| remark.is_of_file |= remark.remedy.is_none());
        self.by_hand(what)
    }

    /// What to change about the last remark where the guest is a command line of QEMU.
    pub(super) fn in_command(&mut self, what: impl Into<String>) -> &mut Self {
        self.last(|remark| {
            remark.in_command.get_or_insert(what.into());
        })
    }

    /// The command that mends what the last remark says.
    pub(super) fn by_command(&mut self, what: impl Into<String>, command: impl Into<String>) -> &mut Self {
        self.remedied(Remedy::by_command(what, command))
    }

    fn remedied(&mut self, remedy: Remedy) -> &mut Self {
        self.last(|remark| {
            remark.remedy.get_or_insert(remedy);
        })
    }

    /// The changes that mend what the last remark says.
    pub(super) fn edits(&mut self, edits: impl IntoIterator<Item = DomainEdit>) -> &mut Self {
        self.last(|remark| remark.edits.extend(edits))
    }

    /// What was looked at.
    pub(super) fn seen(&mut self, path: impl Into<String>, value: impl Into<String>) -> &mut Self {
        let evidence = Evidence::new(path, value);
        if !self.evidence.contains(&evidence) {
            self.evidence.push(evidence);
        }
        self
    }

    /// All remarks, in the order in which they were found.
    pub(super) fn into_list(self) -> Vec<Remark> {
        self.list
    }

    /// The outcome: all remarks in one line, or, where there is none, `otherwise`. The remedy is that of the worst remark that
    /// has one, the first among equals.
    pub(super) fn outcome(self, otherwise: impl Into<String>) -> Outcome {
        // Worst first; among equals the order in which they were found.
        let mut list = self.list;
        list.sort_by_key(|remark| std::cmp::Reverse(remark.verdict));
        let summary = if list.is_empty() {
            otherwise.into()
        } else {
            list.iter().map(|remark| remark.what.as_str()).collect::<Vec<_>>().join("; ")
        };
        Outcome {
            verdict: list.first().map_or(Verdict::Pass, |remark| remark.verdict),
            summary,
            evidence: self.evidence,
            remedy: list.into_iter().find_map(|remark| remark.remedy),
        }
    }
}
