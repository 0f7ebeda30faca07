//! A guest with its supervisor, which changes a tree that stands for the host: whoever is killed, and whenever, afterwards the
//! tree is as before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;

use passthru_apply::{Runner, Silent, Target};
use passthru_guest::run::supervisor::Stage;
use passthru_guest::run::{
    GuestPaths, GuestState, HowStopped, Launcher, StartError, Started, Tuning, in_use, left_behind, put_back,
    start, state, stop,
};
use passthru_guest::spec::FirmwareKind;
use passthru_guest::{Guest, GuestName};
use passthru_model::guest_tuning::{Scheduler, ThreadPlaces};
use passthru_model::plan::{Action, Effect, Step};
use passthru_model::setting::{Place, Setting, Value, Word, guest_group};

use super::{ALONE, PATIENCE, at_once, build, launcher, spec, until};

pub(super) const GOVERNOR: &str = "sys/devices/system/cpu/cpufreq/policy0/scaling_governor";
/// Which driver of consoles draws them.
pub(super) const CONSOLE: &str = "sys/class/vtconsole/vtcon1/bind";
const PAGES: &str = "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

/// A guest, and the tree that stands for its host.
pub(super) struct Scene {
    directory: tempfile::TempDir,
    pub(super) guest: Guest,
    launcher: Launcher,
}

impl Scene {
    pub(super) fn new() -> Option<Self> {
        let launcher = launcher()?;
        let directory = tempfile::tempdir().expect("a directory");
        let mut spec = spec(directory.path());
        spec.firmware = FirmwareKind::Seabios;
        let scene = Self { guest: build(&spec), directory, launcher };
        for (path, text) in [
            (GOVERNOR, "schedutil\n"),
            (PAGES, "0\n"),
            (CONSOLE, "1\n"),
            ("sys/fs/cgroup/cgroup.controllers", "cpuset\n"),
            ("sys/fs/cgroup/cgroup.procs", "0\n"),
            ("proc/sys/kernel/random/boot_id", "7d5c6a0e-0000-4000-8000-000000000001\n"),
        ] {
            let path = scene.root().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        std::fs::create_dir_all(scene.root().join("var/lib")).expect("made");
        std::fs::create_dir_all(scene.paths().state()).expect("made");
        Some(scene)
    }

    pub(super) fn root(&self) -> PathBuf {
        self.directory.path().join("host")
    }

    pub(super) fn paths(&self) -> GuestPaths {
        GuestPaths::new(&self.directory.path().join("run"), self.directory.path(), self.guest.name())
    }

    pub(super) fn target(&self) -> Target {
        Target::open(self.root()).expect("opens")
    }

    /// What is changed for the guest: one value of each way to change one.
    pub(super) fn tuning(&self) -> Tuning {
        let guest = self.guest.name().clone();
        let word = |text: &str| Value::try_from(text.to_owned()).expect("a value");
        let settings = [
            (Place::HugePages { size_kib: 2048, node: None }, word("0"), word("8")),
            (Place::Governor { policy: 0 }, word("schedutil"), word("performance")),
            (Place::GuestGroup { guest: guest.clone() }, Value::default(), Word::Made.into()),
        ];
        let settings = settings
            .into_iter()
            .map(|(place, before, after)| Setting { place, before, after, needed: true })
            .collect();
        let mut tuning = Tuning { root: self.root(), ..Tuning::none(&guest) };
        tuning.plan.steps.push(Step {
            id: "values".to_owned(),
            action: Action::Tune { settings },
            what: "change three values".to_owned(),
            why: "a test".to_owned(),
            effect: Effect::GuestStart,
        });
        tuning.group = Some(guest_group(&guest));
        tuning
    }

    pub(super) fn start(&self) -> Result<Started, StartError> {
        self.start_with(&self.tuning())
    }

    pub(super) fn start_with(&self, tuning: &Tuning) -> Result<Started, StartError> {
        start(&self.guest, &self.paths(), &self.launcher, tuning, PATIENCE, &mut |_| {})
    }

    /// Every file of the host but our own state.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        visit(&self.root(), &mut files);
        files.retain(|path, _| !path.starts_with(self.root().join("var/lib/passthru")));
        files
    }

    pub(super) fn left(&self) -> Vec<GuestName> {
        left_behind(&self.target(), &self.directory.path().join("run"), self.directory.path()).expect("reads")
    }
}

fn visit(directory: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(directory).expect("lists") {
        let path = entry.expect("lists").path();
        if path.is_dir() {
            files.insert(path.clone(), Vec::new());
            visit(&path, files);
        } else {
            files.insert(path.clone(), std::fs::read(&path).expect("reads"));
        }
    }
}

/// What `passthru guest stop` writes with; here it is the tree's.
pub(super) struct Tree;

impl Runner for Tree {
    fn run(
        &mut self,
        _: passthru_model::program::Program,
        _: &[String],
        _: &Path,
        _: &mut dyn FnMut(&str),
    ) -> Result<(), passthru_apply::RunFailure> {
        Ok(())
    }

    fn write_kernel(
        &mut self,
        writes: &[passthru_model::setting::KernelWrite],
        root: &Path,
    ) -> Vec<Result<(), passthru_apply::AttributeFailure>> {
        use passthru_model::setting::KernelWrite;
        for write in writes {
            let path = root.join(write.path().trim_start_matches('/'));
            match write {
                KernelWrite::Text { text, .. } => std::fs::write(path, format!("{text}\n")).expect("written"),
                KernelWrite::Make { .. } => std::fs::create_dir(path).expect("made"),
                KernelWrite::Remove { .. } => std::fs::remove_dir_all(path).expect("removed"),
            }
        }
        writes.iter().map(|_| Ok(())).collect()
    }
}

pub(super) fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
}

#[test]
fn however_qemu_ends_the_host_is_as_before_without_anybodys_help() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(scene) = Scene::new() else { return };
    let before = scene.files();
    for killed in [true, false] {
        let started = scene.start().expect("started");
        assert_eq!(started.status, "running");
        let text = |path: &str| std::fs::read_to_string(scene.root().join(path)).expect("reads");
        assert_eq!((text(GOVERNOR).as_str(), text(PAGES).as_str()), ("performance\n", "8\n"));
        assert_eq!(text("sys/fs/cgroup/passthru-box/cgroup.procs"), "0\n", "QEMU has joined its group");
        assert_eq!(scene.left(), [], "a guest that runs has left nothing behind");
        if killed {
            kill(started.pid);
            until("the supervisor has ended", || !in_use(&scene.paths()).expect("looked"));
        } else {
            assert_eq!(stop(&scene.paths(), at_once(true)).expect("stopped"), HowStopped::Quit);
        }
        assert_eq!(scene.files(), before);
        assert_eq!(scene.left(), []);
    }
}

#[test]
fn whenever_the_supervisor_is_killed_the_next_command_finds_what_it_has_left_and_puts_it_back() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(scene) = Scene::new() else { return };
    let (before, name) = (scene.files(), scene.guest.name().clone());
    for (stage, runs, leaves) in [
        (Stage::Begun, false, false),
        (Stage::Tuned, false, true),
        (Stage::Paused, true, true),
        (Stage::Placed, true, true),
        (Stage::Running, true, true),
        (Stage::Ended, false, true),
        (Stage::PutBack, false, false),
    ] {
        let dies_at = scene.paths().order().with_file_name("dies-at");
        std::fs::write(&dies_at, format!("{stage:?}")).expect("written");
        let started = scene.start();
        if let Ok(started) = &started
            && matches!(stage, Stage::Ended | Stage::PutBack)
        {
            kill(started.pid);
        }
        until("the supervisor has died", || {
            let record = std::fs::read_to_string(scene.paths().supervisor()).unwrap_or_default();
            let pid = record.split(['{', ':', ',']).find_map(|word| word.parse::<i32>().ok());
            pid.is_none_or(|pid| !Path::new(&format!("/proc/{pid}/exe")).exists())
        });
        std::fs::remove_file(&dies_at).expect("removed");
        let running = matches!(state(&scene.paths()).expect("a state"), GuestState::Running { .. });
        assert_eq!(running, runs, "{stage:?}: {started:?}");
        // While QEMU runs, what was changed is in use; once it has ended, it is left behind.
        if running {
            assert_eq!(scene.left(), [], "{stage:?}");
        }
        stop(&scene.paths(), at_once(true)).expect("stopped");
        assert_eq!(!scene.left().is_empty(), leaves, "{stage:?}");
        put_back(&scene.target(), &name, &mut Tree, &mut Silent).expect("puts back");
        assert_eq!(scene.files(), before, "{stage:?}");
        assert_eq!(scene.left(), [], "{stage:?}");
    }
    // And then it starts again as if nothing had been.
    scene.start().expect("started");
    stop(&scene.paths(), at_once(true)).expect("stopped");
    assert_eq!(scene.files(), before);
}

const STARTER: &str = "PASSTHRU_TEST_STARTER";

#[test]
fn the_starter_that_is_killed() {
    if std::env::var_os(STARTER).is_none() {
        return;
    }
    let Some(scene) = Scene::new() else { return };
    let place = std::env::var_os(STARTER).map(PathBuf::from).expect("a place");
    std::fs::write(&place, scene.directory.path().to_str().expect("UTF-8")).expect("written");
    let _ = scene.start();
    std::thread::sleep(PATIENCE);
}

#[test]
fn a_guest_whose_starter_is_killed_starts_all_the_same_and_is_cleared_up_after() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if launcher().is_none() {
        return;
    }
    let place = tempfile::NamedTempFile::new().expect("a file");
    let mut starter = Command::new(std::env::current_exe().expect("knows itself"))
        .args(["--exact", "supervised::the_starter_that_is_killed", "--nocapture"])
        .env(STARTER, place.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    let directory = || PathBuf::from(std::fs::read_to_string(place.path()).expect("reads"));
    let paths = || GuestPaths::new(&directory().join("run"), &directory(), &"box".parse().expect("a name"));
    until("the supervisor is there", || paths().supervisor().exists());
    starter.kill().expect("killed");
    starter.wait().expect("ended");
    until("the guest runs", || {
        matches!(state(&paths()), Ok(GuestState::Running { .. }))
            && passthru_guest::qmp::Qmp::connect(&paths().qmp(), PATIENCE)
                .and_then(|mut qmp| qmp.status(PATIENCE))
                .is_ok_and(|status| status == "running")
    });
    stop(&paths(), at_once(true)).expect("stopped");
    let governor = std::fs::read_to_string(directory().join("host").join(GOVERNOR)).expect("reads");
    assert_eq!(governor, "schedutil\n");
    std::fs::remove_dir_all(directory()).expect("removed");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn each_thread_of_qemu_runs_where_it_belongs_also_those_that_it_makes_later() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(scene) = Scene::new() else { return };
    let here = rustix::thread::sched_getaffinity(None).expect("an affinity");
    let cpus: Vec<u32> = (0..64u32).filter(|cpu| here.is_set(*cpu as usize)).collect();
    let [own, vcpu, ..] = cpus.as_slice() else {
        eprintln!("skipped: there is one CPU");
        return;
    };
    let set = |cpu: u32| [cpu].into_iter().collect();
    let mut tuning = scene.tuning();
    tuning.threads = Some(ThreadPlaces {
        vcpus: vec![*vcpu],
        emulator: set(*own),
        iothreads: set(*own),
        scheduler: Scheduler::Normal,
    });
    let started = start(&scene.guest, &scene.paths(), &scene.launcher, &tuning, PATIENCE, &mut |_| {})
        .expect("started");
    let places = || -> BTreeMap<String, Vec<String>> {
        let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for task in std::fs::read_dir(format!("/proc/{}/task", started.pid)).expect("runs") {
            let status = task.expect("lists").path().join("status");
            let status = std::fs::read_to_string(status).unwrap_or_default();
            let field = |name: &str| {
                status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
            };
            places.entry(field("Cpus_allowed_list:")).or_default().push(field("Name:"));
        }
        places
    };
    let now = places();
    assert_eq!(now.get(&vcpu.to_string()).map(Vec::len), Some(1), "one vCPU: {now:?}");
    assert!(now.keys().all(|cpus| *cpus == vcpu.to_string() || *cpus == own.to_string()), "{now:?}");

    // More places than vCPUs: nothing is started, and nothing is left.
    stop(&scene.paths(), at_once(true)).expect("stopped");
    let before = scene.files();
    tuning.threads = Some(ThreadPlaces {
        vcpus: vec![*vcpu, *own],
        emulator: set(*own),
        iothreads: set(*own),
        scheduler: Scheduler::Normal,
    });
    let error = start(&scene.guest, &scene.paths(), &scene.launcher, &tuning, PATIENCE, &mut |_| {})
        .expect_err("refused")
        .to_string();
    assert!(error.contains("QEMU runs 1 vCPUs, and CPUs were chosen for 2"), "{error}");
    assert_eq!(scene.files(), before);
    assert!(!in_use(&scene.paths()).expect("looked"));
}
