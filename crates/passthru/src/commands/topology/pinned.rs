//! The pinning as a table of vCPUs and a list of reasons.

use std::fmt::Write as _;

use passthru_model::Topology;
use passthru_plan::pinning::{self, Pinning, Threads};

use crate::printer::{self, STRONG};

/// Two rows, vCPUs above CPUs, in as many blocks as are needed to fit the width; and why.
pub(super) fn lines(topology: &Topology, pinning: &Pinning) -> String {
    let count = pinning.pins.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut out = format!("\n{STRONG}a guest with {count} vCPU{plural}{STRONG:#}\n");
    let digits =
        topology.online.last().unwrap_or(0).max(u32::try_from(count).unwrap_or(u32::MAX)).to_string().len();
    let in_a_row = (printer::width().min(100).saturating_sub(8) / (digits + 1)).max(1);
    // Siblings stay in one row.
    let in_a_row = (in_a_row / pinning.guest.threads * pinning.guest.threads).max(1);
    for (row, cpus) in pinning.pins.chunks(in_a_row).enumerate() {
        let (mut above, mut below) = (String::new(), String::new());
        for (at, cpu) in cpus.iter().enumerate() {
            let _ = write!(above, " {:>digits$}", row * in_a_row + at);
            let _ = write!(below, " {cpu:>digits$}");
        }
        let _ = writeln!(out, "  vCPU{above}\n  CPU {below}");
    }
    for choice in &pinning.choices {
        let _ = writeln!(out, "  - {}", printer::wrap(&with_room(&choice.why), printer::width().min(100), 4));
    }
    out
}

/// Long lists of CPUs with blanks after the commas, so that they can be wrapped.
fn with_room(text: &str) -> String {
    const LONG: usize = 40;
    let room = |word: &str| if word.len() > LONG { word.replace(',', ", ") } else { word.to_owned() };
    text.split(' ').map(room).collect::<Vec<_>>().join(" ")
}

/// What to type to see a pinning, where one is possible.
pub(super) fn invitation(topology: &Topology) -> String {
    let most = pinning::most(topology, Threads::Siblings);
    if most == 0 {
        return "\nNo guest can have a core of its own here: the host has one and needs it\n".to_owned();
    }
    let plural = if most == 1 { "" } else { "s" };
    format!(
        "\nA guest can have up to {most} vCPU{plural}; ‘passthru topology --vcpus N’ says on which CPUs, and why\n"
    )
}
