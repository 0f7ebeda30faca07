//! Of which devices the checks speak, so that a server with hundreds of functions is not answered with hundreds of lines.

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::finding::Verdict;
use passthru_model::pci::PciFunction;

use crate::checks::{Outcome, displays};

/// The functions that matter.
pub(super) struct Subjects<'a> {
    /// Whether somebody has decided that guests are to have them: the intent names them, or vfio-pci has them.
    pub(super) chosen: bool,
    /// In order of address.
    pub(super) functions: Vec<&'a PciFunction>,
}

impl<'a> Subjects<'a> {
    /// The displays among them.
    pub(super) fn displays(&self) -> impl Iterator<Item = &'a PciFunction> {
        self.functions.iter().copied().filter(|function| function.class.is_display())
    }

    /// Whether something that is not as it should be stands in the way, or is only worth knowing while nothing is chosen.
    pub(super) fn worse(&self) -> Verdict {
        if self.chosen { Verdict::Fail } else { Verdict::Warn }
    }
}

/// The functions that guests have or are most likely to get: those of the intent; else the displays that vfio-pci has; else
/// those on which the host did not boot; else its only one. An answer instead, where there are none.
pub(super) fn subjects(facts: &HostFacts) -> Result<Subjects<'_>, Outcome> {
    if let Some(because) = facts.pci.because() {
        return Err(Outcome::unknown("which devices there are", because));
    }
    let intent = crate::intent::of(facts).ok().flatten().unwrap_or_default();
    if !intent.isolate.is_empty() {
        let functions = facts.functions().filter(|function| intent.isolates(function.address)).collect();
        return Ok(Subjects { chosen: true, functions });
    }
    let all = displays(facts);
    if all.is_empty() {
        return Err(Outcome::skip("this host has no display device, and none is chosen for guests"));
    }
    let some = |wanted: &dyn Fn(&PciFunction) -> bool| -> Option<Vec<&PciFunction>> {
        let found: Vec<_> = all.iter().copied().filter(|function| wanted(function)).collect();
        (!found.is_empty()).then_some(found)
    };
    if let Some(functions) = some(&PciFunction::is_on_vfio) {
        return Ok(Subjects { chosen: true, functions });
    }
    let functions = some(&|function| function.boot_vga != Some(true)).unwrap_or(all);
    Ok(Subjects { chosen: false, functions })
}

/// All functions of the cards that some functions are on, bridges aside, in order of address.
pub(super) fn cards<'a>(facts: &'a HostFacts, functions: &[&PciFunction]) -> Vec<&'a PciFunction> {
    facts
        .functions()
        .filter(|function| !function.is_bridge())
        .filter(|function| functions.iter().any(|one| one.address.slot() == function.address.slot()))
        .collect()
}

/// Many remarks as one outcome: the worst verdict, and the remarks that have it. Of nothing but good ones, all are told.
///
/// Remarks that differ in the first address that they name are told once, with all of these addresses.
pub(super) fn judged(remarks: &[(Verdict, String)]) -> Outcome {
    let worst = remarks.iter().map(|(verdict, _)| *verdict).max().unwrap_or(Verdict::Skip);
    // What could not be read is told beside what is wrong; what is right is not.
    let told = |verdict: Verdict| verdict == worst || verdict > Verdict::Pass;
    let mut lines: Vec<Line<'_>> = Vec::new();
    for line in remarks.iter().filter(|(verdict, _)| told(*verdict)).map(|(_, text)| Line::new(text)) {
        match lines.iter_mut().find(|other| (other.before, other.after) == (line.before, line.after)) {
            Some(other) => other.addresses.extend(line.addresses),
            None => lines.push(line),
        }
    }
    let lines: Vec<String> = lines.iter().map(Line::text).collect();
    Outcome::new(worst, lines.join("; "))
}

/// A remark, cut at the first address in it.
struct Line<'a> {
    before: &'a str,
    addresses: Vec<&'a str>,
    after: &'a str,
}

impl<'a> Line<'a> {
    fn new(text: &'a str) -> Self {
        let is_part = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, ':' | '.');
        let mut at = 0;
        for word in text.split_inclusive(|letter| !is_part(letter)) {
            let plain = word.trim_end_matches(|letter| !is_part(letter)).trim_end_matches(['.', ':']);
            if plain.parse::<PciAddress>().is_ok()
                && let (Some(before), Some(after)) = (text.get(..at), text.get(at + plain.len()..))
            {
                return Self { before, addresses: vec![plain], after };
            }
            at += word.len();
        }
        Self { before: text, addresses: Vec::new(), after: "" }
    }

    fn text(&self) -> String {
        let mut addresses = self.addresses.clone();
        addresses.dedup();
        format!("{}{}{}", self.before, addresses.join(", "), self.after)
    }
}

#[cfg(test)]
mod tests {
    use passthru_model::Verdict;

    use super::judged;

    #[test]
    fn remarks_that_differ_in_an_address_are_told_once() {
        let remark = |verdict, text: &str| (verdict, text.to_owned());
        let outcome = judged(&[
            remark(Verdict::Warn, "no ROM is shown by 0000:01:00.0: as here"),
            remark(Verdict::Pass, "all is well at 0000:02:00.0"),
            remark(Verdict::Warn, "no ROM is shown by 0000:03:00.0: as here"),
            remark(Verdict::Unknown, "0000:04:00.0: a face, decade: not read"),
        ]);
        assert_eq!(
            (outcome.verdict, outcome.summary.as_str()),
            (
                Verdict::Warn,
                "no ROM is shown by 0000:01:00.0, 0000:03:00.0: as here; 0000:04:00.0: a face, decade: not read"
            )
        );
        assert_eq!(judged(&[]).verdict, Verdict::Skip);
    }
}
