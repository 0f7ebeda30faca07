//! Killed at every write, rename and fsync, and inside the programs: afterwards the host is wholly old or wholly new.

use std::process::Command;

use passthru_model::plan::{Action, Plan};
use passthru_model::program::Program;

use super::kernel::{self, CARD};
use super::tree::{
    Programs, Snapshot, Tree, copied_plan, difference, edited_plan, tool_plan, variables_plan, whole_plan,
};
use super::tuning;
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
    let variables = [
        (TREE, tree.root().to_str().expect("UTF-8")),
        (POINT, &point.to_string()),
        (WORK, &format!("{work:?}")),
    ];
    super::dies("tests::killed::the_child_that_is_killed", &variables)
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
    // The last step fails, so that there is most to take back: a program, or what the last function's driver does.
    let last = match plan.steps.last().map(|step| &step.action) {
        Some(Action::Run { program, .. }) => Some(*program),
        _ => None,
    };
    let mut bad = Programs { fails: last, ..Programs::default() };
    bad.kernel.unstartable = Some(CARD[1].0);
    bad.values.refuses = Some(tuning::LAST);
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
    let Scene { tree, plan, .. } = Scene::of_files();
    let _plan = give_plan(&tree, &plan);
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

/// A tree, what is done to it, and how it looks before and after.
struct Scene {
    tree: Tree,
    plan: Plan,
    old: Snapshot,
    new: Snapshot,
}

impl Scene {
    /// The plan that touches every kind of file and runs programs.
    fn of_files() -> Self {
        let tree = Tree::new();
        let plan = whole_plan(&tree);
        Self::of(tree, plan)
    }

    /// The plan whose programs copy images for the boot loader.
    fn of_copies() -> Self {
        let tree = Tree::new();
        let plan = copied_plan(&tree);
        Self::of(tree, plan)
    }

    /// The plan that edits settings of others, of which entries are made.
    fn of_settings() -> Self {
        let tree = Tree::new();
        let plan = edited_plan(&tree);
        Self::of(tree, plan)
    }

    /// The plan of which one program makes images and the menu that names them.
    fn of_tools() -> Self {
        let tree = Tree::new();
        let plan = tool_plan(&tree);
        Self::of(tree, plan)
    }

    /// The plan that changes variables of the firmware.
    fn of_variables() -> Self {
        let tree = Tree::new();
        let plan = variables_plan(&tree);
        Self::of(tree, plan)
    }

    /// The plan that gives functions to other drivers.
    fn of_drivers() -> Self {
        let tree = Tree::new();
        kernel::plug_in(&tree);
        Self::of(tree, kernel::bind())
    }

    /// The plan that changes values of the running kernel, for a guest.
    fn of_values() -> Self {
        let tree = Tree::new();
        tuning::boot(&tree);
        Self::of(tree, tuning::tune())
    }

    /// The plan that gives the host's picture up, for a guest.
    fn of_display() -> Self {
        let tree = Tree::new();
        tuning::boot(&tree);
        Self::of(tree, tuning::hand_over())
    }

    fn of(tree: Tree, plan: Plan) -> Self {
        let old = tree.snapshot();
        let copy = tree.copy();
        copy.apply(&plan).expect("applies");
        Self { old, new: copy.snapshot(), tree, plan }
    }
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
fn both_ways(tree: &Tree, old: &Snapshot, new: &Snapshot, point: &str) {
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
fn everywhere(scene: &Scene, work: Work, boot_known: bool) -> usize {
    let boot = "/proc/sys/kernel/random/boot_id";
    let without = |snapshot: &Snapshot| {
        let mut snapshot = snapshot.clone();
        if !boot_known {
            snapshot.remove(std::path::Path::new(boot.trim_start_matches('/')));
        }
        snapshot
    };
    let (old, new) = (without(&scene.old), without(&scene.new));
    let template = scene.tree.copy();
    if work == Work::Undo {
        template.apply(&scene.plan).expect("applies");
    }
    for point in 0.. {
        let tree = template.copy();
        if !boot_known {
            std::fs::remove_file(tree.host(boot)).expect("removes");
        }
        let _plan = give_plan(&tree, &scene.plan);
        if !killed(&tree, work, point) {
            return point;
        }
        both_ways(&tree, &old, &new, &format!("{work:?} killed at {point}"));
    }
    0
}

/// How many points there were to kill the work at, all of which passed.
#[expect(clippy::print_stderr, reason = "how many points were tried is what these tests are for")]
fn counted(scene: &Scene, work: Work, boot_known: bool) -> usize {
    let points = everywhere(scene, work, boot_known);
    eprintln!("{}, {work:?}: killed at {points} points, {points} passed", scene.plan.title);
    assert!(points > 20);
    points
}

/// The same of applying, where it is known which boot this is and where it is not, and of undoing.
fn counted_with_and_without_the_boot(scene: &Scene) {
    for (work, boot_known) in [(Work::Apply, true), (Work::Apply, false), (Work::Undo, true)] {
        counted(scene, work, boot_known);
    }
}

/// Where the boot is not known, what programs have made is made anew, and copies after what they are copies of.
#[test]
fn killed_at_any_point_settings_of_others_and_copies_of_images_end_wholly_old_or_wholly_new() {
    counted_with_and_without_the_boot(&Scene::of_settings());
}

#[test]
fn killed_at_any_point_images_and_a_menu_with_their_hashes_end_wholly_old_or_wholly_new() {
    counted_with_and_without_the_boot(&Scene::of_tools());
}

#[test]
fn killed_at_any_point_variables_of_the_firmware_end_wholly_old_or_wholly_new() {
    counted_with_and_without_the_boot(&Scene::of_variables());
}

#[test]
fn killed_at_any_point_the_host_has_its_picture_or_has_given_it_up() {
    let scene = Scene::of_display();
    for work in [Work::Apply, Work::Undo] {
        counted(&scene, work, true);
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "how many points were tried is what this test is for")]
fn killed_at_any_point_of_any_work_the_host_ends_wholly_old_or_wholly_new() {
    let mut all = 0;
    let works = [
        (Work::Apply, true),
        (Work::Apply, false),
        (Work::ApplyAndFail, true),
        (Work::ApplyAndFail, false),
        (Work::Undo, true),
    ];
    // Where the boot is not known, undo has images made anew. The first image in the tree of copies is of another generator than
    // the one that makes them there, so that it could not come back byte for byte.
    for (scene, made_alike) in [
        (Scene::of_files(), true),
        (Scene::of_copies(), false),
        (Scene::of_drivers(), true),
        (Scene::of_values(), true),
    ] {
        let works = works.into_iter().filter(|(_, boot_known)| *boot_known || made_alike);
        all += works.map(|(work, boot_known)| counted(&scene, work, boot_known)).sum::<usize>();
    }
    eprintln!("killed at {all} points in all, {all} passed");
}

#[test]
#[expect(clippy::print_stderr, reason = "how many points were tried is what this test is for")]
fn killed_again_while_it_is_finished_or_undone_it_can_still_be_finished_or_undone() {
    for (scene, strides) in
        [(Scene::of_files(), (23, 5)), (Scene::of_drivers(), (9, 3)), (Scene::of_values(), (9, 3))]
    {
        let pairs = twice(&scene, strides);
        eprintln!("{}: killed twice at {pairs} pairs of points, {pairs} passed", scene.plan.title);
        assert!(pairs > 20);
    }
}

/// Kills the work, and then whatever completes it, at pairs of points so far apart.
fn twice(scene: &Scene, (outer, inner): (usize, usize)) -> usize {
    let Scene { tree: template, plan, old, new } = scene;
    let mut pairs = 0;
    for first in (0..).step_by(outer) {
        let once = template.copy();
        let given = give_plan(&once, plan);
        if !killed(&once, Work::Apply, first) {
            break;
        }
        drop(given);
        if crate::interrupted(&once.target()).expect("reads").is_none() {
            continue;
        }
        for work in [Work::Undo, Work::Resume] {
            for second in (first % inner..).step_by(inner) {
                let twice = once.copy();
                let _plan = give_plan(&twice, plan);
                if !killed(&twice, work, second) {
                    break;
                }
                pairs += 1;
                both_ways(&twice, old, new, &format!("apply killed at {first}, {work:?} at {second}"));
            }
        }
    }
    pairs
}
