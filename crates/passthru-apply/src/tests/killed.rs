//! Killed at every write, rename and fsync, and inside the programs: afterwards the host is wholly old or wholly new.

use std::process::Command;

use passthru_model::plan::{Action, Plan};
use passthru_model::program::Program;

use super::tree::{Programs, Tree, copied_plan, difference, whole_plan};
use crate::{Error, OnConflict, Resumed, RunFailure, Runner, Silent, Target, Underway, Which, failpoint};

const TREE: &str = "PASSTHRU_TEST_TREE";
const POINT: &str = "PASSTHRU_TEST_POINT";
const WORK: &str = "PASSTHRU_TEST_WORK";

/// What the child was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Apply,
    ApplyAndFail,
    Undo,
    Resume,
    ApplyAndLeaveAProgramRunning,
}

/// Does the work in a child that dies at a point. `false`: it came to its end before that point.
fn killed(tree: &Tree, work: Work, point: usize) -> bool {
    let output = Command::new(std::env::current_exe().expect("knows itself"))
        .args(["--exact", "tests::killed::the_child_that_is_killed", "--nocapture"])
        .env(TREE, tree.root())
        .env(POINT, point.to_string())
        .env(WORK, format!("{work:?}"))
        .output()
        .expect("starts");
    let died = std::os::unix::process::ExitStatusExt::signal(&output.status).is_some();
    assert!(died || output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    died
}

#[test]
fn the_child_that_is_killed() {
    let (Ok(tree), Ok(point), Ok(work)) = (std::env::var(TREE), std::env::var(POINT), std::env::var(WORK))
    else {
        return;
    };
    let target = Target::open(&tree).expect("opens");
    let plan: Plan =
        serde_json::from_slice(&std::fs::read(format!("{tree}.plan")).expect("reads")).expect("parses");
    let mut good = Programs::default();
    // The last program fails, so that there is most to take back.
    let last = plan.steps.iter().rev().find_map(|step| match &step.action {
        Action::Run { program, .. } => Some(*program),
        Action::File { .. } => None,
    });
    let mut bad = Programs { fails: last, ..Programs::default() };
    failpoint::arm(point.parse().expect("is a number"));
    match work.as_str() {
        "Apply" => drop(crate::apply(&target, &plan, &mut good, &mut Silent).expect("applies")),
        "ApplyAndFail" => drop(crate::apply(&target, &plan, &mut bad, &mut Silent).expect_err("fails")),
        "Undo" => {
            drop(
                crate::undo(&target, &Which::Newest, OnConflict::Refuse, &mut good, &mut Silent)
                    .expect("undoes"),
            );
        }
        "ApplyAndLeaveAProgramRunning" => {
            let _ = crate::apply(&target, &plan, &mut Starter, &mut Silent);
        }
        _ => drop(crate::resume(&target, &mut good, &mut Silent).expect("resumes")),
    }
    assert!(failpoint::hits() > 0);
}

/// Starts a program that goes on for a minute, says which, and is killed while it waits for it.
struct Starter;

#[expect(clippy::zombie_processes, reason = "that nobody is left to wait for it is the point")]
impl Runner for Starter {
    fn run(
        &mut self,
        _: Program,
        _: &[String],
        root: &std::path::Path,
        _: &mut dyn FnMut(&str),
    ) -> Result<(), RunFailure> {
        let child = Command::new("sleep")
            .arg("60")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        std::fs::write(root.join("pid"), child.id().to_string()).expect("writes");
        failpoint::arm(0);
        failpoint::hit();
        Ok(())
    }
}

#[test]
fn a_program_that_outlives_us_keeps_the_lock_until_it_ends() {
    let (tree, _, _) = prepared(whole_plan);
    let _plan = give_plan(&tree, &whole_plan(&tree));
    assert!(killed(&tree, Work::ApplyAndLeaveAProgramRunning, usize::MAX));
    assert!(matches!(tree.undo(), Err(Error::Locked { .. })));
    let pid = tree.text("/pid");
    assert!(Command::new("kill").arg(pid).status().expect("kills").success());
    std::fs::remove_file(tree.host("/pid")).expect("removes");
    let undone = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        tree.undo().is_ok()
    });
    assert!(undone);
}

/// A plan for a tree.
type Make = fn(&Tree) -> Plan;

/// A tree with the plan for its child beside it, and how it looks when the plan is applied.
fn prepared(make: Make) -> (Tree, super::tree::Snapshot, super::tree::Snapshot) {
    let tree = Tree::new();
    let old = tree.snapshot();
    let copy = tree.copy();
    copy.apply(&make(&copy)).expect("applies");
    (tree, old, copy.snapshot())
}

fn give_plan(tree: &Tree, plan: &Plan) -> PlanFile {
    let path = format!("{}.plan", tree.root().display());
    std::fs::write(&path, serde_json::to_vec(plan).expect("serialises")).expect("writes");
    PlanFile(path)
}

/// Goes when the test ends.
struct PlanFile(String);

impl Drop for PlanFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn resume(tree: &Tree) -> Resumed {
    crate::resume(&tree.target(), &mut Programs::default(), &mut Silent).expect("resumes")
}

/// After a kill, in two copies: finished it is wholly as it was heading for, undone it is wholly old.
fn both_ways(tree: &Tree, old: &super::tree::Snapshot, new: &super::tree::Snapshot, point: &str) {
    let found = crate::interrupted(&tree.target()).expect("reads");
    let Some(found) = found else {
        let now = tree.snapshot();
        let (to_old, to_new) = (difference(&now, old), difference(&now, new));
        assert!(
            to_old.is_empty() || to_new.is_empty(),
            "{point}: neither old nor new: {to_old:?} {to_new:?}"
        );
        return;
    };
    let refused = tree.apply(&whole_plan(tree)).expect_err("refuses");
    assert_eq!(refused.exit_code(), 3, "{point}");
    let finished = tree.copy();
    let expected = match resume(&finished) {
        Resumed::Applied(_) => {
            assert_eq!(found.underway, Underway::Applying, "{point}");
            new
        }
        Resumed::RolledBack(_) | Resumed::Undone(_) => old,
    };
    assert_eq!(difference(&finished.snapshot(), expected), Vec::<String>::new(), "{point}: resumed");
    assert_eq!(crate::interrupted(&finished.target()).expect("reads"), None, "{point}");
    if expected == new {
        finished.undo().expect("undoes what was resumed");
        assert_eq!(difference(&finished.snapshot(), old), Vec::<String>::new(), "{point}: resumed, undone");
    }
    tree.undo().expect("undoes");
    assert_eq!(difference(&tree.snapshot(), old), Vec::<String>::new(), "{point}: undone");
    assert_eq!(crate::interrupted(&tree.target()).expect("reads"), None, "{point}");
}

/// Kills the work at every point there is.
fn everywhere(make: Make, work: Work, applied: bool, boot_known: bool) -> usize {
    let (template, old, new) = prepared(make);
    if applied {
        template.apply(&make(&template)).expect("applies");
    }
    let boot = "/proc/sys/kernel/random/boot_id";
    let without = |snapshot: &super::tree::Snapshot| {
        let mut snapshot = snapshot.clone();
        snapshot.remove(std::path::Path::new(boot.trim_start_matches('/')));
        snapshot
    };
    let (old, new) = if boot_known { (old, new) } else { (without(&old), without(&new)) };
    let plan = make(&Tree::new());
    for point in 0.. {
        let tree = template.copy();
        if !boot_known {
            std::fs::remove_file(tree.host(boot)).expect("removes");
        }
        let _plan = give_plan(&tree, &plan);
        if !killed(&tree, work, point) {
            return point;
        }
        both_ways(&tree, &old, &new, &format!("{work:?} killed at {point}"));
    }
    0
}

#[test]
#[expect(clippy::print_stderr, reason = "how many points were tried is what this test is for")]
fn killed_at_any_point_of_any_work_the_host_ends_wholly_old_or_wholly_new() {
    let mut all = 0;
    for (work, applied, boot_known) in [
        (Work::Apply, false, true),
        (Work::Apply, false, false),
        (Work::ApplyAndFail, false, true),
        (Work::ApplyAndFail, false, false),
        (Work::Undo, true, true),
    ] {
        let points = everywhere(whole_plan, work, applied, boot_known);
        eprintln!("{work:?}: killed at {points} points, {points} passed");
        assert!(points > 50);
        all += points;
    }
    eprintln!("killed at {all} points in all, {all} passed");
}

#[test]
#[expect(clippy::print_stderr, reason = "how many points were tried is what this test is for")]
fn killed_while_images_are_copied_for_the_boot_loader_the_host_ends_wholly_old_or_wholly_new() {
    let mut all = 0;
    for (work, applied) in [(Work::Apply, false), (Work::ApplyAndFail, false), (Work::Undo, true)] {
        let points = everywhere(copied_plan, work, applied, true);
        eprintln!("{work:?}: killed at {points} points, {points} passed");
        assert!(points > 25);
        all += points;
    }
    eprintln!("killed at {all} points in all, {all} passed");
}

#[test]
#[expect(clippy::print_stderr, reason = "how many points were tried is what this test is for")]
fn killed_again_while_it_is_finished_or_undone_it_can_still_be_finished_or_undone() {
    let (template, old, new) = prepared(whole_plan);
    let plan = whole_plan(&template);
    let mut pairs = 0;
    for first in (0..).step_by(23) {
        let once = template.copy();
        let given = give_plan(&once, &plan);
        if !killed(&once, Work::Apply, first) {
            break;
        }
        drop(given);
        if crate::interrupted(&once.target()).expect("reads").is_none() {
            continue;
        }
        for work in [Work::Undo, Work::Resume] {
            for second in (first % 5..).step_by(5) {
                let twice = once.copy();
                let _plan = give_plan(&twice, &plan);
                if !killed(&twice, work, second) {
                    break;
                }
                pairs += 1;
                both_ways(&twice, &old, &new, &format!("apply killed at {first}, {work:?} at {second}"));
            }
        }
    }
    eprintln!("killed twice at {pairs} pairs of points, {pairs} passed");
    assert!(pairs > 20);
}
