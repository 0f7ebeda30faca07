//! A guest that has the host's picture, on a tree that stands for the host: whoever is killed, and whenever, the host has it back
//! without anybody's help, for nobody could type a command.

use std::path::Path;
use std::sync::PoisonError;

use passthru_guest::run::supervisor::Stage;
use passthru_guest::run::{GuestState, HowStopped, Tuning, in_use, state, stop};
use passthru_model::setting::{Place, Setting, Word};

use super::supervised::{CONSOLE, Scene, kill};
use super::{ALONE, at_once, until};

/// What is changed for the guest: what others are changed for, and the consoles.
fn tuning(scene: &Scene) -> Tuning {
    let mut tuning = scene.tuning();
    let mut step = tuning.plan.steps.remove(0);
    let place = Place::Console { number: 1 };
    let (before, after) = (Word::On.into(), Word::Off.into());
    let passthru_model::plan::Action::Tune { settings } = &mut step.action else { panic!("values") };
    settings.push(Setting { place, before, after, needed: true });
    tuning.plan.steps.push(step);
    tuning
}

/// Has the supervisor of the next start die there.
fn dies_at(scene: &Scene, stage: Option<Stage>) {
    let file = scene.paths().order().with_file_name("dies-at");
    match stage {
        Some(stage) => std::fs::write(file, format!("{stage:?}")).expect("written"),
        None => std::fs::remove_file(file).expect("removed"),
    }
}

#[test]
fn whenever_the_supervisor_is_killed_the_screen_comes_back_by_itself() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(scene) = Scene::new() else { return };
    let (before, tuning, paths) = (scene.files(), tuning(&scene), scene.paths());
    for (stage, runs) in [
        (Stage::Begun, false),
        (Stage::Tuned, false),
        // Before its first instruction a guest has nothing to lose.
        (Stage::Paused, false),
        (Stage::Placed, false),
        (Stage::Running, true),
        (Stage::Ended, true),
        (Stage::PutBack, true),
    ] {
        dies_at(&scene, Some(stage));
        let started = scene.start_with(&tuning);
        assert_eq!(started.is_ok(), runs, "{stage:?}: {started:?}");
        if let Ok(started) = started {
            let console = std::fs::read_to_string(scene.root().join(CONSOLE)).expect("reads");
            assert_eq!(console, "0\n", "while the guest runs, it has the screen");
            kill(started.pid);
        }
        until(&format!("{stage:?}: all is as before"), || scene.files() == before);
        dies_at(&scene, None);
        until("it is written down too", || scene.left().is_empty() && !in_use(&paths).expect("looked"));
        assert!(!matches!(state(&paths).expect("a state"), GuestState::Running { .. }), "{stage:?}");
    }
    scene.start_with(&tuning).expect("and then it starts again as if nothing had been");
    assert_eq!(stop(&paths, at_once(true)).expect("stopped"), HowStopped::Quit);
    assert_eq!(scene.files(), before);
}

#[test]
fn a_guest_that_does_not_come_up_leaves_the_screen_to_the_host() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(scene) = Scene::new() else { return };
    let before = scene.files();
    let mut tuning = tuning(&scene);
    // It cannot join a group that is not there.
    tuning.group = Some("/sys/fs/cgroup/nowhere".to_owned());
    let error = scene.start_with(&tuning).expect_err("it does not come up").to_string();
    assert!(error.contains("cannot be joined"), "{error}");
    assert_eq!(scene.files(), before);
    let log = std::fs::read_to_string(scene.paths().supervisor_log()).expect("a log");
    assert!(log.contains("change three values"), "what was done is told where the screen is gone: {log}");
}

#[test]
fn a_session_that_cannot_be_left_is_not_ended() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(scene) = Scene::new() else { return };
    std::fs::remove_file(scene.root().join("sys/fs/cgroup/cgroup.procs")).expect("removed");
    let before = scene.files();
    let error = scene.start_with(&tuning(&scene)).expect_err("refused").to_string();
    assert!(error.contains("the desktop's end would be the guest's"), "{error}");
    assert_eq!(scene.files(), before);
    assert!(!Path::new(&scene.paths().record()).exists());
}
