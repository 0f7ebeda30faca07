//! The table `[hyper-v]`: what the guest is told about its hypervisor. A Windows is told what makes it fast where nothing is
//! said.

use std::collections::BTreeSet;

use passthru_plan::hyperv::Enlightenment;
use serde::Deserialize;

use super::write::{Table, quoted};

/// The table. `None` leaves a key to the builder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct HyperV {
    /// The enlightenments that are on; an empty list turns all off.
    pub enlightenments: Option<BTreeSet<Enlightenment>>,
    /// Up to twelve characters in the place of Hyper-V's name.
    pub vendor_id: Option<String>,
}

impl HyperV {
    /// The table as text; nothing where all is left to the builder.
    pub(super) fn write(&self) -> String {
        let mut table = Table::new("hyper-v");
        table.optional(
            "enlightenments",
            self.enlightenments.as_ref().map(|all| {
                let words: Vec<String> = all.iter().map(|one| quoted(one.word())).collect();
                format!("[{}]", words.join(", "))
            }),
        );
        table.optional("vendor-id", self.vendor_id.as_deref().map(quoted));
        table.finish()
    }
}
