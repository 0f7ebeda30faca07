//! Functions that change drivers: in order, taken back on every failure, never tried again where a driver hangs.

use passthru_model::plan::{Action, Effect, Plan};
use passthru_model::program::Program;

use super::kernel::{self, CARD, Kernel, bind, card, plug_in, unbind};
use super::tree::{Programs, Tree, difference};
use crate::{Error, How, JournalState, OnConflict, Silent, StepFailure, Underway, Which};

const BOOT: &str = "/proc/sys/kernel/random/boot_id";

fn tree() -> Tree {
    let tree = Tree::new();
    plug_in(&tree);
    tree
}

fn with(kernel: Kernel) -> Programs {
    Programs { kernel, ..Programs::default() }
}

fn apply(tree: &Tree, plan: &Plan, programs: &mut Programs) -> Result<crate::Applied, Error> {
    crate::apply(&tree.target(), plan, programs, &mut Silent)
}

fn on_vfio(tree: &Tree) -> bool {
    card(tree).iter().all(|(driver, wanted)| driver.as_deref() == Some("vfio-pci") && wanted == "vfio-pci")
}

fn at_home(tree: &Tree) -> bool {
    card(tree)
        .iter()
        .zip(CARD)
        .all(|((driver, wanted), (_, native))| driver.as_deref() == Some(native) && wanted == "(null)")
}

fn state(tree: &Tree) -> JournalState {
    crate::history(&tree.target()).expect("reads").pop().expect("a journal").state
}

#[test]
fn overrides_come_first_then_drivers_let_go_then_the_new_one_is_asked() {
    let tree = tree();
    let mut programs = Programs::default();
    apply(&tree, &bind(), &mut programs).expect("binds");
    assert!(on_vfio(&tree));
    let writes: Vec<String> =
        programs.kernel.writes.iter().map(|(path, text)| format!("{text} > {path}")).collect();
    assert_eq!(
        writes,
        [
            "vfio-pci > /sys/bus/pci/devices/0000:02:00.0/driver_override",
            "vfio-pci > /sys/bus/pci/devices/0000:02:00.1/driver_override",
            "0000:02:00.0 > /sys/bus/pci/drivers/bochs-drm/unbind",
            "0000:02:00.1 > /sys/bus/pci/drivers/snd_hda_intel/unbind",
            "0000:02:00.0 > /sys/bus/pci/drivers_probe",
            "0000:02:00.1 > /sys/bus/pci/drivers_probe",
        ]
    );
    let mut programs = Programs::default();
    apply(&tree, &unbind(), &mut programs).expect("unbinds");
    assert!(at_home(&tree));
    assert_eq!(programs.kernel.writes.len(), 6);
    assert_eq!(programs.kernel.writes[0].1, "", "the override is cleared first");
}

#[test]
fn undo_gives_each_function_back_to_the_driver_that_it_had() {
    let tree = tree();
    let old = tree.snapshot();
    for plan in [bind(), unbind()] {
        apply(&tree, &plan, &mut Programs::default()).expect("applies");
    }
    assert!(at_home(&tree));
    let undone = tree.undo().expect("undoes the unbinding");
    assert_eq!((undone.title.as_str(), undone.needs_reboot), ("unbind the card", false));
    assert!(on_vfio(&tree));
    let undone = tree.undo().expect("undoes the binding");
    assert!(undone.paths.iter().all(|path| path.how == How::PutBack), "{:?}", undone.paths);
    assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
    assert!(matches!(tree.undo(), Err(Error::NothingToUndo)));
}

#[test]
fn undo_leaves_what_was_moved_elsewhere_or_pulled_out_meanwhile() {
    let tree = tree();
    apply(&tree, &bind(), &mut Programs::default()).expect("binds");
    let mut kernel = Kernel::default();
    for (path, text) in [
        ("/sys/bus/pci/drivers/vfio-pci/unbind", CARD[0].0),
        ("/sys/bus/pci/devices/0000:02:00.0/driver_override", "other"),
        ("/sys/bus/pci/drivers_probe", CARD[0].0),
    ] {
        kernel.write(path, text, tree.root()).expect("writes");
    }
    std::fs::remove_file(tree.host("/sys/bus/pci/devices/0000:02:00.1")).expect("removes");
    let undone = tree.undo().expect("undoes");
    assert_eq!(undone.paths.iter().map(|path| path.how).collect::<Vec<_>>(), [How::Gone, How::LeftAsEdited]);
    assert_eq!(card(&tree)[0], (Some("other".to_owned()), "other".to_owned()));
}

#[test]
fn what_is_not_as_the_plan_takes_it_to_be_is_drift_and_nothing_is_written() {
    let elsewhere = tree();
    Kernel::default()
        .write("/sys/bus/pci/drivers/bochs-drm/unbind", CARD[0].0, elsewhere.root())
        .expect("unbinds");
    let another = tree();
    another.write("/sys/devices/pci0000:00/0000:02:00.1/device", "0x293f\n");
    let gone = tree();
    std::fs::remove_file(gone.host("/sys/bus/pci/devices/0000:02:00.0")).expect("removes");
    for (tree, why) in [
        (elsewhere, "its driver is none, not bochs-drm"),
        (another, "another device is there: 0x8086 0x293f"),
        (gone, "it is not there"),
    ] {
        let mut programs = Programs::default();
        let error = apply(&tree, &bind(), &mut programs).expect_err("drift");
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().contains(why), "{error}");
        assert!(programs.kernel.writes.is_empty());
    }
}

#[test]
fn a_refusal_at_any_write_takes_everything_back() {
    for (address, _) in CARD {
        let tree = tree();
        let old = tree.snapshot();
        let mut programs = with(Kernel { unstartable: Some(address), ..Kernel::default() });
        let error = apply(&tree, &bind(), &mut programs).expect_err("fails");
        assert_eq!(error.exit_code(), 5, "{error}");
        assert!(error.to_string().contains("Invalid argument"), "{error}");
        assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
        assert_eq!(state(&tree), JournalState::RolledBack);
    }
}

#[test]
fn a_driver_that_takes_a_function_nevertheless_is_found_out() {
    let tree = tree();
    std::fs::remove_dir(tree.host("/sys/bus/pci/drivers/vfio-pci")).expect("removes");
    let error = apply(&tree, &bind(), &mut Programs::default()).expect_err("fails");
    let Error::RolledBack { cause, .. } = error else { panic!("{error}") };
    assert!(matches!(*cause, StepFailure::Driver { .. }), "{cause}");
    assert!(cause.to_string().starts_with("0000:02:00.0 is with no driver, not with vfio-pci"), "{cause}");
    assert!(at_home(&tree));
}

#[test]
fn a_driver_is_not_asked_to_let_go_of_what_a_program_has_open() {
    let tree = tree();
    let old = tree.snapshot();
    let mut programs = Programs { holders: vec!["Xorg (process 812)".to_owned()], ..Programs::default() };
    let error = apply(&tree, &bind(), &mut programs).expect_err("fails");
    assert_eq!(error.exit_code(), 5, "{error}");
    assert!(error.to_string().contains("does not let go of what is open: Xorg (process 812)"), "{error}");
    assert_eq!(programs.kernel.writes, [], "it was not even asked");
    assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
}

#[test]
fn nor_is_a_module_taken_out_that_a_program_uses_through_the_card() {
    let tree = tree();
    super::tuning::boot(&tree);
    let old = tree.snapshot();
    let mut plan = super::tuning::hand_over();
    plan.steps.extend(bind().steps);
    let mut programs = Programs { holders: vec!["Xorg (process 812)".to_owned()], ..Programs::default() };
    let error = apply(&tree, &plan, &mut programs).expect_err("fails");
    assert!(error.to_string().contains("what is open: Xorg (process 812)"), "{error}");
    assert_eq!(programs.ran, [Program::Systemctl, Program::Systemctl], "the desktop came back");
    assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
    apply(&tree, &plan, &mut Programs::default()).expect("applies");
    tree.undo().expect("undoes");
    assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
}

#[test]
fn a_card_that_is_pulled_out_in_the_middle_is_no_obstacle_to_going_back() {
    for after in 0..6 {
        let tree = tree();
        let mut programs = with(Kernel { unplugs: Some((after, CARD[1].0)), ..Kernel::default() });
        let error = apply(&tree, &bind(), &mut programs).expect_err("fails");
        assert_eq!(error.exit_code(), 5, "after {after}: {error}");
        assert_eq!(card(&tree)[0], (Some("bochs-drm".to_owned()), "(null)".to_owned()), "after {after}");
    }
}

#[test]
fn a_driver_that_hangs_is_reported_and_nobody_tries_again_until_the_reboot() {
    for at in 0..6 {
        let tree = tree();
        let mut programs = with(Kernel { hangs: Some(at), ..Kernel::default() });
        let error = apply(&tree, &bind(), &mut programs).expect_err("hangs");
        assert_eq!(error.exit_code(), 6, "write {at}: {error}");
        let stuck = CARD[at % 2].0;
        let said = error.to_string();
        assert!(said.contains("has not come to an end within 1 seconds; it is not tried again"), "{said}");
        assert!(
            said.contains(&format!("{stuck} is left alone from now on, and only a reboot frees it")),
            "{said}"
        );
        assert!(said.ends_with("to finish by hand:\n  reboot"), "{said}");
        let touched = programs.kernel.writes.iter().skip(at + 1);
        let again = touched.filter(|(path, text)| path.contains(stuck) || text == stuck).count();
        assert_eq!(again, 0, "write {at}: the function that hangs was touched again");
        let (other, native) = CARD[1 - at % 2];
        let found = &card(&tree)[1 - at % 2];
        assert_eq!(*found, (Some(native.to_owned()), "(null)".to_owned()), "write {at}: {other}");

        let found = crate::interrupted(&tree.target()).expect("reads").expect("is unfinished");
        assert_eq!((found.underway, found.hung.len()), (Underway::PartlyRolledBack, 1));
        let refused = apply(&tree, &bind(), &mut Programs::default()).expect_err("refuses").to_string();
        assert!(refused.contains("only a reboot frees it"), "{refused}");
        for again in ["resume", "undo"] {
            let mut programs = Programs::default();
            let error = match again {
                "resume" => crate::resume(&tree.target(), &mut programs, &mut Silent).expect_err("hangs"),
                _ => crate::undo(
                    &tree.target(),
                    &Which::Newest,
                    OnConflict::Refuse,
                    &mut programs,
                    &mut Silent,
                )
                .expect_err("hangs"),
            };
            assert_eq!(error.exit_code(), 6, "{error}");
            assert_eq!(programs.kernel.writes, [], "{again} wrote");
        }
        tree.write(BOOT, "7d5c6a0e-0000-4000-8000-000000000002\n");
        assert_eq!(crate::interrupted(&tree.target()).expect("reads"), None);
        assert_eq!(state(&tree), JournalState::EndedByBoot);
    }
}

#[test]
fn a_reboot_ends_what_was_bound_at_run_time_and_nothing_else() {
    let tree = tree();
    apply(&tree, &bind(), &mut Programs::default()).expect("binds");
    let id = crate::undo_choice(&tree.target(), &Which::Newest).expect("can be undone").0;
    assert!(crate::history(&tree.target()).expect("reads")[0].until_boot);
    tree.write(BOOT, "7d5c6a0e-0000-4000-8000-000000000002\n");
    assert_eq!(state(&tree), JournalState::EndedByBoot);
    assert!(matches!(tree.undo(), Err(Error::NothingToUndo)));
    let named = crate::undo_choice(&tree.target(), &Which::Journal(id));
    assert!(matches!(named, Err(Error::EndedByBoot { .. })), "{named:?}");

    // A mounted system says of no boot, and has no devices: it does not run.
    std::fs::remove_file(tree.host(BOOT)).expect("removes");
    std::fs::remove_dir_all(tree.host("/sys")).expect("removes");
    assert_eq!(state(&tree), JournalState::EndedByBoot);

    let tree = Tree::new();
    tree.apply(&super::tree::whole_plan(&tree)).expect("applies");
    tree.write(BOOT, "7d5c6a0e-0000-4000-8000-000000000002\n");
    assert_eq!(state(&tree), JournalState::Applied);
    tree.undo().expect("undoes");
}

#[test]
fn a_module_is_loaded_first_and_stays() {
    let tree = tree();
    let mut plan = bind();
    super::tree::run(&mut plan, Program::Modprobe, &[], Vec::new());
    plan.steps.reverse();
    assert!(plan.ends_with_boot() && matches!(plan.steps[0].action, Action::Run { .. }));
    plan.steps[0].effect = Effect::Now;
    let mut programs = Programs::default();
    apply(&tree, &plan, &mut programs).expect("applies");
    assert_eq!(programs.ran, [Program::Modprobe]);
    let mut programs = Programs::default();
    let undone = crate::undo(&tree.target(), &Which::Newest, OnConflict::Refuse, &mut programs, &mut Silent);
    assert_eq!(undone.expect("undoes").paths.len(), 2);
    assert_eq!(programs.ran, []);
    let mut programs = Programs::failing(Program::Modprobe);
    let error = apply(&tree, &plan, &mut programs).expect_err("fails");
    assert_eq!(error.exit_code(), 5);
    assert!(programs.kernel.writes.is_empty() && at_home(&tree));
}

#[test]
fn the_readme_has_the_commands_and_they_are_right() {
    let tree = tree();
    let old = tree.snapshot();
    apply(&tree, &bind(), &mut Programs::default()).expect("binds");
    let journal = crate::history(&tree.target()).expect("reads").remove(0).directory;
    let readme = tree.text(&format!("{journal}/README"));
    assert!(readme.contains("a reboot undoes all of it too"), "{readme}");
    assert!(readme.contains("0000:02:00.0: from bochs-drm to vfio-pci"), "{readme}");
    // Each line of the readme is `echo [TEXT] > "$root"PATH`: what sh would write, the kernel's stand-in is given.
    let mut kernel = Kernel::default();
    for line in readme.lines().filter_map(|line| line.trim().strip_prefix("echo")) {
        let (text, path) = line.split_once("> \"$root\"").expect("a line of the readme");
        let path = match path.strip_suffix("/driver/unbind") {
            Some(_) => "/sys/bus/pci/drivers/vfio-pci/unbind",
            None => path,
        };
        kernel.write(path, text.trim(), tree.root()).expect("writes");
    }
    assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
}

#[test]
fn such_steps_have_no_place_in_a_plan_file() {
    let bytes = crate::plan_file::write(&kernel::bind(), "host").expect("writes");
    let error = crate::plan_file::parse(&bytes).expect_err("is refused").to_string();
    assert!(error.contains("‘passthru bind’"), "{error}");
}

#[test]
fn where_sysfs_is_not_there_nothing_is_begun() {
    let tree = Tree::new();
    let error = apply(&tree, &bind(), &mut Programs::default()).expect_err("is refused");
    assert_eq!(error.exit_code(), 4);
    assert!(crate::history(&tree.target()).expect("reads").is_empty());
}
