//! Whether the last boot that was recorded went as intended.

use passthru_model::boot_record::{BOOT_RECORDS, BootRecord, Boots};
use passthru_model::finding::Verdict;
use passthru_model::plan::FileState;
use passthru_model::{HostFacts, managed};

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "last-boot",
    title: "the last boot went as intended",
    section: "Isolating the GPU",
    why: "an update of the kernel or the firmware, or a card that was moved, undoes silently what was set up for boot",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    // A wrong intent is isolation-state's business.
    let Ok(Some(intent)) = crate::intent::of(facts) else {
        return Outcome::skip("no device is chosen for guests");
    };
    let Some(boots) = facts.boots.value() else {
        return Outcome::unknown("how boots went", facts.boots.because().unwrap_or_default());
    };
    let last = boots.records.last().filter(|record| crate::boot_record::is_about(record, &intent));
    let Some(last) = last else { return unrecorded(facts, boots) };
    let which = named(boots, last);
    let seen =
        format!("kernel {}, {}, {}", last.kernel, last.time, count(last.differences.len(), "difference"));
    if last.off {
        return Outcome::warn(format!(
            "{which} went without passthrough: passthru.off was on the kernel command line"
        ))
        .evidence(BOOT_RECORDS, seen)
        .by_hand("Boot the normal menu entry");
    }
    let mut remarks = Remarks::default();
    remarks.seen(BOOT_RECORDS, seen);
    for found in &last.differences {
        let remark = match found.verdict {
            Verdict::Fail => remarks.fail(&*found.summary),
            _ => remarks.warn(&*found.summary),
        };
        if let Some(remedy) = &found.remedy {
            match &remedy.command {
                Some(command) => remark.by_command(&*remedy.what, &**command),
                None => remark.by_hand(&*remedy.what),
            };
        }
    }
    let well = remarks.is_empty();
    for gap in &boots.gaps {
        remarks.warn(gap).by_hand("Remove that file; the records beside it stay");
    }
    let mut outcome =
        remarks.outcome(format!("{which} went as intended, with {}", count(last.devices.len(), "function")));
    if !well {
        outcome.summary = format!("{which} differs from the intent: {}", outcome.summary);
    }
    outcome
}

/// The boot that a record is about, in words.
fn named(boots: &Boots, record: &BootRecord) -> String {
    if boots.present.as_ref() == Some(&record.boot) {
        format!("this boot (kernel {})", record.kernel)
    } else {
        format!("the last recorded boot ({}, kernel {})", record.time, record.kernel)
    }
}

/// Where no record is about what is chosen now.
fn unrecorded(facts: &HostFacts, boots: &Boots) -> Outcome {
    let unit = facts.files.get(managed::RECORD_UNIT);
    if !matches!(unit, Some(FileState::File { .. })) {
        return Outcome::skip("no unit keeps records of boots on this host; ‘passthru plan’ would add it");
    }
    if boots.program.is_none() {
        return Outcome::warn("no boot is recorded, for systemd does not find the program passthru")
            .evidence(managed::RECORD_UNIT, "ExecStart=-passthru verify --record")
            .by_hand("Install passthru as /usr/local/bin/passthru, or live without records: nothing else needs it at boot");
    }
    Outcome::skip("no boot was recorded since the devices were chosen")
}
