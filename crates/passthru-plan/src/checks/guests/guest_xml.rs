//! Whether a guest's file is XML that libvirt takes.

use passthru_model::HostFacts;
use passthru_model::virtualisation::Domain;

use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;

pub(super) const LINT: Lint = Lint {
    id: "guest-xml",
    title: "the files of guests are XML that libvirt takes",
    section: "Setting up an OVMF-based guest VM",
    why: "libvirt refuses a file whole for one mistake in it, even in a comment",
    about: "has a file",
    concerns: |_, _| true,
    judge,
    instead: nothing,
    well: "written in good XML",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(_: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let Some((line, column)) = domain.bad_comment else { return };
    remarks
        .fail(format!(
            "{} has two dashes within a comment (line {line}, column {column}), which XML forbids",
            domain.name
        ))
        .seen(domain.path.clone(), format!("line {line}, column {column}"))
        .at_line(line)
        .by_hand("Take the dashes out: a comment begins with <!--, ends with -->, and has no other -- in it");
}
