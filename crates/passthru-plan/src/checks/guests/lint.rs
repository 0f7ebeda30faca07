//! A rule about one guest: the same for the guests that libvirt has and for a file that somebody names.

use passthru_model::HostFacts;
use passthru_model::program::quoted;
use passthru_model::virtualisation::Domain;

use super::domains::domains;
use crate::checks::remarks::{Remark, Remarks};
use crate::checks::{Check, Outcome, count};

/// A rule about guests: data and pure functions. `doctor` holds it against the guests that the host has, [`Lint::judge`]
/// against one.
#[derive(Clone, Copy, Debug)]
pub struct Lint {
    /// Its stable name, such as `guest-pinning`, which is its check's too.
    pub id: &'static str,
    /// What it asks, in a few words.
    pub title: &'static str,
    /// The section of the page "PCI passthrough via OVMF" that it belongs to.
    pub section: &'static str,
    /// Why it matters to passthrough.
    pub why: &'static str,
    /// Which guests it is about, as the end of "no guest …".
    pub(super) about: &'static str,
    /// Whether it is about this guest.
    pub(super) concerns: fn(&HostFacts, &Domain) -> bool,
    /// Says what is wrong with a guest on this host.
    pub(super) judge: fn(&HostFacts, &Domain, &mut Remarks),
    /// What is said where nothing was found, but something of the host was not known, or makes the question idle.
    pub(super) instead: fn(&HostFacts) -> Option<Outcome>,
    /// What guests are that pass, as the end of "2 guests …".
    pub(super) well: &'static str,
}

/// What a rule says of one guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is about other guests.
    NotConcerned,
    /// Nothing was found.
    Well,
    /// Nothing was found, and this is why that says little.
    Instead(Outcome),
    /// What was found.
    Found(Vec<Remark>),
}

impl Lint {
    /// Which guests it is about, as the end of "no guest …".
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// The check of this name, by a function that calls [`Lint::over`].
    pub(super) const fn check(&self, run: fn(&HostFacts) -> Outcome) -> Check {
        Check { id: self.id, title: self.title, section: self.section, why: self.why, run }
    }

    /// Judges all guests that the host has.
    pub(super) fn over(&self, facts: &HostFacts) -> Outcome {
        let domains = match domains(facts, self.about, |domain| (self.concerns)(facts, domain)) {
            Ok(domains) => domains,
            Err(outcome) => return outcome,
        };
        let mut remarks = Remarks::default();
        for domain in &domains {
            remarks.edited_by(format!("virsh edit {}", quoted(&domain.name)));
            (self.judge)(facts, domain, &mut remarks);
        }
        match (self.instead)(facts) {
            Some(outcome) if remarks.is_empty() => outcome,
            _ => remarks.outcome(format!("{} {}", count(domains.len(), "guest"), self.well)),
        }
    }

    /// Judges one guest, as if it ran on this host.
    pub fn judge(&self, facts: &HostFacts, domain: &Domain) -> Judgement {
        if !(self.concerns)(facts, domain) {
            return Judgement::NotConcerned;
        }
        let mut remarks = Remarks::default();
        (self.judge)(facts, domain, &mut remarks);
        match (remarks.is_empty(), (self.instead)(facts)) {
            (true, Some(outcome)) => Judgement::Instead(outcome),
            (true, None) => Judgement::Well,
            (false, _) => Judgement::Found(remarks.into_list()),
        }
    }
}

/// For rules that ask nothing of the host.
pub(super) fn nothing(_: &HostFacts) -> Option<Outcome> {
    None
}
