//! Values of the running kernel: changed only from what the plan takes them to be, put back, and left where they are others'.

use std::fs;
use std::path::Path;

use passthru_model::guest_name::GuestName;
use passthru_model::plan::{Action, Effect, Plan};
use passthru_model::program::Program;
use passthru_model::setting::{
    DisplayModule, DisplayService, HostSlice, KernelWrite, Place, Screen, Setting,
};

use super::tree::{Programs, Tree, difference, step};
use crate::{
    AttributeFailure, Error, Event, How, JournalState, OnConflict, Progress, Silent, Which, failpoint,
};

const PAGES: &str = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages";
const COMPACT: &str = "/sys/devices/system/node/node0/compact";
const CACHES: &str = "/proc/sys/vm/drop_caches";
const GOVERNOR: &str = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor";
const IRQ: &str = "/proc/irq/30/smp_affinity_list";
const MANAGED: &str = "/proc/irq/31/smp_affinity_list";
const CONTROLLERS: &str = "/sys/fs/cgroup/cgroup.subtree_control";
const SLICE: &str = "/sys/fs/cgroup/user.slice/cpuset.cpus";
const SDDM: &str = "/sys/fs/cgroup/system.slice/sddm.service/cgroup.events";
const POPULATED: &str = "populated 1\nfrozen 0\n";
const CONSOLE: &str = "/sys/class/vtconsole/vtcon1/bind";
const SCREEN: &str = "/sys/bus/platform/devices/efi-framebuffer.0/uevent";
const SCREENS: &str = "/sys/bus/platform/drivers/efi-framebuffer";
const BOUND: &str = "DRIVER=efi-framebuffer\nMODALIAS=platform:efi-framebuffer\n";
const UNBOUND: &str = "MODALIAS=platform:efi-framebuffer\n";
const PARTITION: &str = "/sys/fs/cgroup/passthru-win/cpuset.cpus.partition";
/// What the plan changes last.
pub(super) const LAST: &str = PARTITION;

/// How the kernel of a tree takes values.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    /// The most huge pages that there is room for.
    pub(super) most_pages: Option<u64>,
    /// The same once a node's memory was moved together, and once caches were given up before that.
    pub(super) roomier: Vec<u64>,
    /// A path that is not written to.
    pub(super) refuses: Option<&'static str>,
    /// The partition that is asked for and not given.
    pub(super) invalid: bool,
}

impl Values {
    /// Does what the kernel does.
    pub(super) fn write(&mut self, write: &KernelWrite, root: &Path) -> Result<(), AttributeFailure> {
        let at = |path: &str| root.join(path.trim_start_matches('/'));
        failpoint::hit();
        match write {
            KernelWrite::Make { path } => {
                fs::create_dir_all(at(path)).expect("makes a group");
                for (name, text) in [("cpuset.cpus", "\n"), ("cpuset.cpus.partition", "member\n")] {
                    fs::write(at(path).join(name), text).expect("writes");
                }
            }
            KernelWrite::Remove { path } => fs::remove_dir_all(at(path)).expect("removes a group"),
            KernelWrite::Text { path, text } => {
                let refused = |why: &str| AttributeFailure::Refused {
                    path: path.clone(),
                    text: text.clone(),
                    why: why.to_owned(),
                };
                if let Some(verb) = path.strip_prefix(SCREENS) {
                    assert_eq!(text, "efi-framebuffer.0");
                    let text = if verb == "/bind" { BOUND } else { UNBOUND };
                    fs::write(at(SCREEN), text).expect("writes");
                    failpoint::hit();
                    return Ok(());
                }
                if !at(path).exists() {
                    return Err(refused("No such file or directory (os error 2)"));
                }
                if self.refuses == Some(path) || path == MANAGED {
                    return Err(refused("Input/output error (os error 5)"));
                }
                match path.as_str() {
                    // The first is of this memory moved, the next of the caches given up too.
                    COMPACT => {
                        self.most_pages = self.roomier.first().copied().or(self.most_pages);
                        return Ok(());
                    }
                    CACHES => {
                        self.roomier.remove(0);
                        return Ok(());
                    }
                    _ => {}
                }
                let text = match (path.as_str(), text.as_str(), self.most_pages) {
                    (PAGES, text, Some(most)) => text.parse::<u64>().expect("a number").min(most).to_string(),
                    (CONTROLLERS, "+cpuset", _) => "cpuset cpu io".to_owned(),
                    (CONTROLLERS, _, _) => "cpu io".to_owned(),
                    (PARTITION, text, _) if self.invalid => {
                        format!("{text} invalid (Cpu list in cpuset.cpus not exclusive)")
                    }
                    (_, text, _) => text.to_owned(),
                };
                fs::write(at(path), format!("{text}\n")).expect("writes");
            }
        }
        failpoint::hit();
        Ok(())
    }
}

/// What systemd does when it is asked.
pub(super) fn systemctl(arguments: &[String], root: &Path) {
    let [verb, _, unit] = arguments else { return set_property(arguments, root) };
    let group = root.join(format!("sys/fs/cgroup/system.slice/{unit}"));
    failpoint::hit();
    match verb.as_str() {
        "start" => {
            fs::create_dir_all(&group).expect("makes a group");
            fs::write(group.join("cgroup.events"), POPULATED).expect("writes");
        }
        "stop" => fs::remove_dir_all(group).expect("removes a group"),
        other => panic!("{other}"),
    }
}

/// What comes of a module's name.
pub(super) fn module(program: Program, arguments: &[String], root: &Path) {
    let [_, name] = arguments else { return };
    let directory = root.join("sys/module").join(name);
    failpoint::hit();
    match program {
        Program::Rmmod => fs::remove_dir(directory).expect("removes"),
        _ => fs::create_dir_all(directory).expect("makes"),
    }
}

/// What systemd does when it is asked to allow a unit CPUs.
fn set_property(arguments: &[String], root: &Path) {
    let [verb, runtime, end, unit, property] = arguments else { panic!("{arguments:?}") };
    assert_eq!([verb.as_str(), runtime, end], ["set-property", "--runtime", "--"]);
    let cpus = property.strip_prefix("AllowedCPUs=").expect("a property");
    failpoint::hit();
    let group = root.join(format!("sys/fs/cgroup/{unit}"));
    if cpus.is_empty() {
        let _ = fs::remove_file(group.join("cpuset.cpus"));
    } else {
        fs::write(group.join("cpuset.cpus"), format!("{cpus}\n")).expect("writes");
    }
}

/// Puts the values into a tree.
pub(super) fn boot(tree: &Tree) {
    for (path, text) in [
        (PAGES, "2"),
        (GOVERNOR, "schedutil"),
        (IRQ, "0-7"),
        (MANAGED, "0-7"),
        (CONTROLLERS, "cpu io"),
        (SDDM, POPULATED.trim_end()),
        (CONSOLE, "1"),
        (SCREEN, BOUND.trim_end()),
        ("/sys/fs/cgroup/user.slice/cgroup.procs", ""),
        // A system that does not run has no devices.
        ("/sys/bus/pci/drivers_probe", ""),
    ] {
        tree.write(path, format!("{text}\n"));
    }
    fs::create_dir_all(tree.host("/sys/module/nvidia_drm")).expect("makes");
}

fn guest() -> GuestName {
    "win".parse().expect("a name")
}

fn setting(place: Place, before: &str, after: &str) -> Setting {
    let value = |text: &str| text.to_owned().try_into().expect("a value");
    let needed = !matches!(place, Place::InterruptCpus { .. });
    Setting { place, before: value(before), after: value(after), needed }
}

/// A plan that changes one value of each kind, the partition last.
pub(super) fn tune() -> Plan {
    let steps = [
        vec![setting(Place::HugePages { size_kib: 2048, node: Some(0) }, "2", "10")],
        vec![setting(Place::Governor { policy: 0 }, "schedutil", "performance")],
        vec![
            setting(Place::InterruptCpus { interrupt: 30 }, "0-7", "0-1"),
            setting(Place::InterruptCpus { interrupt: 31 }, "0-7", "0-1"),
        ],
        vec![setting(
            Place::SliceCpus { slice: HostSlice::User, online: "0-7".parse().expect("CPUs") },
            "",
            "0-1",
        )],
        vec![
            setting(Place::CpusetController, "off", "on"),
            setting(Place::GuestGroup { guest: guest() }, "", "made"),
            setting(Place::GuestGroupCpus { guest: guest() }, "", "2-7"),
            setting(Place::GuestGroupPartition { guest: guest() }, "member", "root"),
        ],
    ];
    plan("run win", steps)
}

/// A plan of steps of values.
fn plan<const STEPS: usize>(title: &str, steps: [Vec<Setting>; STEPS]) -> Plan {
    let steps = steps
        .into_iter()
        .enumerate()
        .map(|(id, settings)| step(id, Action::Tune { settings }, Effect::GuestStart));
    Plan { title: title.to_owned(), steps: steps.collect(), notes: Vec::new(), guest: Some(guest()) }
}

/// A plan that gives the host's picture up: the desktop, consoles and the firmware's screen, and a module beside the card's driver.
pub(super) fn hand_over() -> Plan {
    let steps = [
        vec![setting(Place::DisplayService { service: DisplayService::Sddm }, "on", "off")],
        vec![
            setting(Place::Console { number: 1 }, "on", "off"),
            setting(Place::FirmwareScreen { screen: Screen::Efi }, "on", "off"),
        ],
        vec![setting(Place::DisplayModule { module: DisplayModule::NvidiaDrm }, "on", "off")],
    ];
    plan("hand over", steps)
}

fn tree() -> Tree {
    let tree = Tree::new();
    boot(&tree);
    tree
}

fn apply(tree: &Tree, values: Values) -> Result<crate::Applied, Error> {
    let mut programs = Programs { values, ..Programs::default() };
    crate::apply(&tree.target(), &tune(), &mut programs, &mut Silent)
}

#[test]
fn values_are_changed_and_what_the_kernel_refuses_and_need_not_be_is_left() {
    let tree = tree();
    let old = tree.snapshot();
    apply(&tree, Values::default()).expect("tunes");
    let now = [PAGES, GOVERNOR, IRQ, MANAGED, CONTROLLERS, SLICE, PARTITION].map(|path| tree.text(path));
    assert_eq!(now, ["10\n", "performance\n", "0-1\n", "0-7\n", "cpuset cpu io\n", "0-1\n", "root\n"]);
    let journal = crate::history(&tree.target()).expect("reads").remove(0);
    assert_eq!((journal.guest, journal.until_boot), (Some(guest()), true));
    let undone = tree.undo().expect("undoes");
    assert!(undone.paths.iter().all(|path| path.how == How::PutBack || path.path == MANAGED), "{undone:?}");
    assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
}

#[test]
fn a_value_that_is_not_what_the_plan_takes_it_to_be_is_drift_and_nothing_is_written() {
    for (path, text, why) in [
        (GOVERNOR, "powersave", "it is powersave, not schedutil"),
        (PAGES, "3", "it is 3, not 2"),
        (SLICE, "0-3", "it is 0-3, not nothing"),
        (PARTITION, "root", "it is made, not nothing"),
    ] {
        let tree = tree();
        tree.write(path, format!("{text}\n"));
        let old = tree.snapshot();
        let error = apply(&tree, Values::default()).expect_err("drift");
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
    }
    let tree = tree();
    tree.write(IRQ, "0-3\n");
    apply(&tree, Values::default()).expect("an interrupt may be anywhere");
    assert_eq!(tree.text(IRQ), "0-3\n");
}

#[test]
fn fewer_huge_pages_than_asked_for_and_a_partition_that_is_none_take_everything_back() {
    for (values, why) in [
        (
            Values { most_pages: Some(7), ..Values::default() },
            "it is 7, not 10, although the kernel was asked",
        ),
        (Values { most_pages: Some(2), ..Values::default() }, "it is 2, not 10"),
        (Values { invalid: true, ..Values::default() }, "it is root invalid (Cpu list"),
        (Values { refuses: Some(GOVERNOR), ..Values::default() }, "Input/output error"),
    ] {
        let tree = tree();
        let old = tree.snapshot();
        let error = apply(&tree, values).expect_err("fails");
        assert_eq!(error.exit_code(), 5, "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
    }
}

/// What is said on the way.
#[derive(Default)]
struct Lines(Vec<String>);

impl Progress for Lines {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Output { line } = event {
            self.0.push(line.to_owned());
        }
    }
}

#[test]
fn where_there_is_no_room_for_huge_pages_memory_is_moved_and_then_caches_are_given_up() {
    let tried = |roomier: &[u64]| {
        let tree = tree();
        tree.write(COMPACT, "");
        tree.write(CACHES, "");
        let old = tree.snapshot();
        let values = Values { most_pages: Some(7), roomier: roomier.to_vec(), ..Values::default() };
        let mut programs = Programs { values, ..Programs::default() };
        let mut said = Lines::default();
        let outcome = crate::apply(&tree.target(), &tune(), &mut programs, &mut said);
        let pages = tree.text(PAGES);
        let outcome = outcome.map(drop).map_err(|error| error.to_string());
        if outcome.is_err() {
            assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
        }
        said.0.retain(|line| line.starts_with(PAGES));
        (outcome, pages, said.0)
    };
    let moved = format!("{PAGES} is 7 of 10 so far: memory is moved together");
    let dropped = |now| {
        format!("{PAGES} is {now} of 10 so far: clean caches are given up, and memory is moved together")
    };
    assert_eq!(tried(&[10]), (Ok(()), "10\n".to_owned(), vec![moved.clone()]));
    assert_eq!(tried(&[8, 10]), (Ok(()), "10\n".to_owned(), vec![moved.clone(), dropped(8)]));
    let (outcome, pages, said) = tried(&[8, 9]);
    assert!(outcome.is_err_and(|why| why.contains("it is 9, not 10")));
    assert_eq!((pages, said), ("2\n".to_owned(), vec![moved, dropped(8)]));
}

#[test]
fn what_somebody_else_changed_meanwhile_is_left_and_said() {
    let tree = tree();
    apply(&tree, Values::default()).expect("tunes");
    tree.write(GOVERNOR, "ondemand\n");
    tree.write(PAGES, "30\n");
    let undone = tree.undo().expect("undoes");
    let left: Vec<&str> = undone
        .paths
        .iter()
        .filter(|path| path.how == How::LeftAsEdited)
        .map(|path| path.path.as_str())
        .collect();
    assert_eq!(left, [GOVERNOR, PAGES]);
    assert_eq!((tree.text(GOVERNOR).as_str(), tree.text(PAGES).as_str()), ("ondemand\n", "30\n"));
    assert_eq!(tree.text(IRQ), "0-7\n");
}

#[test]
fn what_cannot_be_put_back_keeps_nothing_else_from_it_and_is_told_with_its_command() {
    let tree = tree();
    apply(&tree, Values::default()).expect("tunes");
    let values = Values { refuses: Some(GOVERNOR), ..Values::default() };
    let mut programs = Programs { values, ..Programs::default() };
    let error = tree.undo_with(OnConflict::Refuse, &mut programs).expect_err("in part");
    assert_eq!(error.exit_code(), 6);
    let Error::Partly { commands, .. } = &error else { panic!("{error}") };
    let command = format!("echo schedutil > {}{GOVERNOR}", tree.root().display());
    assert_eq!(commands, &[command]);
    assert_eq!(tree.text(PAGES), "2\n");
    tree.undo().expect("undoes");
    assert_eq!(tree.text(GOVERNOR), "schedutil\n");
}

#[test]
fn the_picture_is_given_up_and_comes_back_and_what_the_kernel_took_away_is_no_obstacle() {
    let tree = tree();
    let old = tree.snapshot();
    let mut programs = Programs::default();
    crate::apply(&tree.target(), &hand_over(), &mut programs, &mut Silent).expect("gives up");
    assert_eq!(programs.ran, [Program::Systemctl, Program::Rmmod]);
    assert!(!tree.host(SDDM).exists());
    assert_eq!((tree.text(CONSOLE).as_str(), tree.text(SCREEN).as_str()), ("0\n", UNBOUND));
    let mut programs = Programs::default();
    tree.undo_with(OnConflict::Refuse, &mut programs).expect("undoes");
    assert_eq!(programs.ran, [Program::Modprobe, Program::Systemctl], "the desktop comes last");
    assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
    // vfio-pci takes the firmware's screen away with it, and consoles go with the last framebuffer.
    tree.apply(&hand_over()).expect("gives up");
    fs::remove_file(tree.host(SCREEN)).expect("removes");
    fs::remove_file(tree.host(CONSOLE)).expect("removes");
    let undone = tree.undo().expect("undoes");
    let gone: Vec<&str> =
        undone.paths.iter().filter(|path| path.how == How::Gone).map(|path| path.path.as_str()).collect();
    assert_eq!(gone, [SCREEN, CONSOLE]);
    assert!(tree.host(SDDM).exists());
}

#[test]
fn a_reboot_ends_it_and_a_plan_file_cannot_ask_for_it() {
    let tree = tree();
    apply(&tree, Values::default()).expect("tunes");
    tree.write("/proc/sys/kernel/random/boot_id", "7d5c6a0e-0000-4000-8000-000000000002\n");
    let state = crate::history(&tree.target()).expect("reads").remove(0).state;
    assert_eq!(state, JournalState::EndedByBoot);
    assert!(matches!(
        crate::undo(
            &tree.target(),
            &Which::Newest,
            OnConflict::Refuse,
            &mut Programs::default(),
            &mut Silent
        ),
        Err(Error::NothingToUndo)
    ));
    let bytes = crate::plan_file::write(&tune(), "host").expect("writes");
    let error = crate::plan_file::parse(&bytes).expect_err("is refused").to_string();
    assert!(error.contains("‘passthru guest start’"), "{error}");
}

#[test]
fn a_program_that_fails_is_asked_to_take_it_back_and_told_of_where_it_does_not() {
    let tree = tree();
    let old = tree.snapshot();
    let mut programs = Programs::failing(Program::Systemctl);
    let error = crate::apply(&tree.target(), &tune(), &mut programs, &mut Silent).expect_err("fails");
    // It is asked to take back what it may have done in part, and fails again.
    assert_eq!(error.exit_code(), 6, "{error}");
    assert!(
        error.to_string().contains("systemctl set-property --runtime -- user.slice AllowedCPUs=0-7"),
        "{error}"
    );
    tree.undo().expect("undoes");
    assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
}

#[test]
fn the_readme_has_the_commands_in_the_opposite_order() {
    let tree = tree();
    apply(&tree, Values::default()).expect("tunes");
    let journal = crate::history(&tree.target()).expect("reads").remove(0).directory;
    let readme = tree.text(&format!("{journal}/README"));
    let lines: Vec<&str> = readme
        .lines()
        .map(str::trim)
        .filter(|line| line.contains("cgroup") || line.contains("echo"))
        .collect();
    let last = lines.iter().rposition(|line| line.contains(PAGES)).expect("the first step");
    let first = lines.iter().rposition(|line| line.starts_with("echo member >")).expect("the last step");
    assert!(first < last, "{readme}");
    assert!(matches!(tree.apply(&tune()), Err(Error::Drift(_))));
}
