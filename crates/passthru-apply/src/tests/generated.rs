//! Any plan at all.

use passthru_model::plan::{Action, FileState, Plan};
use passthru_model::program::Program;
use proptest::prelude::*;

use super::tree::{GRUB_CFG, IMAGE, OLDER_IMAGE, Programs, Tree, add, difference, file, link, plan_of, run};
use crate::Silent;

const PATHS: &[&str] = &[
    "/etc/default/grub",
    "/etc/modules",
    "/etc/passthru/devices",
    "/etc/a/b/c",
    "/etc/a/d",
    "/srv/e",
    "/boot/f",
];

#[derive(Clone, Debug)]
enum Change {
    File(usize, FileState),
    Images,
    Menu,
}

fn state() -> impl Strategy<Value = FileState> {
    prop_oneof![
        1 => Just(FileState::Absent),
        3 => ("[a-c\n]{0,12}", prop::sample::select(vec![0o600_u32, 0o644, 0o755, 0o4711, 0o000]))
            .prop_map(|(content, mode)| file(&content, mode)),
        1 => "[a-z]{1,4}(/[a-z]{1,4})?".prop_map(|target| link(&format!("/no/where/{target}"))),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        6 => (0..PATHS.len(), state()).prop_map(|(path, state)| Change::File(path, state)),
        1 => Just(Change::Images),
        1 => Just(Change::Menu),
    ];
    prop::collection::vec(change, 0..10)
}

/// A tree in which some paths are something already, and a plan on it.
fn made(start: &[(usize, FileState)], changes: &[Change]) -> (Tree, Plan) {
    let tree = Tree::new();
    for (path, state) in start {
        let host = tree.host(PATHS[*path]);
        let _ = std::fs::remove_file(&host);
        match state {
            FileState::Absent => {}
            FileState::Link { target } => {
                std::fs::create_dir_all(host.parent().expect("has a parent")).expect("makes");
                std::os::unix::fs::symlink(target, host).expect("links");
            }
            FileState::File { content, mode, .. } => {
                tree.write(PATHS[*path], &content.0);
                let mode = std::os::unix::fs::PermissionsExt::from_mode(*mode);
                std::fs::set_permissions(host, mode).expect("sets a mode");
            }
        }
    }
    let mut plan = plan_of(&tree, &[]);
    for change in changes {
        match change {
            Change::File(path, after) => add(&tree, &mut plan, PATHS[*path], after.clone()),
            Change::Images => run(&mut plan, Program::UpdateInitramfs, &[IMAGE, OLDER_IMAGE], Vec::new()),
            Change::Menu => run(&mut plan, Program::UpdateGrub, &[GRUB_CFG], Vec::new()),
        }
    }
    (tree, plan)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_plan_applied_leaves_what_it_says_and_undone_leaves_what_was(
        start in prop::collection::vec((0..PATHS.len(), state()), 0..6),
        changes in changes(),
    ) {
        let (tree, plan) = made(&start, &changes);
        let old = tree.snapshot();
        tree.apply(&plan).expect("applies");
        for path in PATHS {
            let last = plan.steps.iter().rev().find_map(|step| match &step.action {
                Action::File { path: there, after, .. } if there == path => Some(after),
                _ => None,
            });
            if let Some(after) = last {
                prop_assert_eq!(&tree.state(path), after);
            }
        }
        if !plan.is_empty() {
            tree.undo().expect("undoes");
        }
        // Of a file that was built anew and came out the same, the time is not put back.
        prop_assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
    }

    #[test]
    fn any_plan_whose_program_fails_leaves_what_was(
        start in prop::collection::vec((0..PATHS.len(), state()), 0..6),
        changes in changes(),
    ) {
        let (tree, mut plan) = made(&start, &changes);
        run(&mut plan, Program::QemuSystemX86_64, &[GRUB_CFG], Vec::new());
        let old = tree.snapshot();
        let mut programs = Programs::failing(Program::QemuSystemX86_64);
        let error = crate::apply(&tree.target(), &plan, &mut programs, &mut Silent).expect_err("fails");
        prop_assert_eq!(error.exit_code(), 5);
        prop_assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
    }

    #[test]
    fn lines_that_a_user_adds_far_from_ours_survive_any_undo(mine in "[a-z]{1,10}", at_end: bool) {
        let tree = Tree::new();
        let lines: Vec<String> = (0..20).map(|line| format!("line {line}\n")).collect();
        let ours = lines.concat().replace("line 10\n", "line 10\nours\n");
        tree.write("/etc/x", lines.concat());
        tree.apply(&plan_of(&tree, &[("/etc/x", file(&ours, 0o644))])).expect("applies");
        let edit = |text: &str| if at_end { format!("{text}{mine}\n") } else { format!("{mine}\n{text}") };
        tree.write("/etc/x", edit(&ours));
        tree.undo().expect("undoes");
        prop_assert_eq!(tree.text("/etc/x"), edit(&lines.concat()));
    }
}
