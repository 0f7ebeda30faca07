//! A guest that libvirt runs and calls us around, on a tree that stands for the host: whatever comes of it, afterwards the tree is as
//! before.

use std::process::{Child, Command};
use std::sync::PoisonError;
use std::time::Duration;

use passthru_guest::run::libvirt::{Held, held_by_libvirt, prepare, released, started};
use passthru_guest::run::{GuestState, HowStopped, StartError, StopError, in_use, state, stop};

use super::supervised::{GOVERNOR, Scene, Tree};
use super::{ALONE, at_once};

/// A process that stands for libvirt's QEMU, and the file that names it.
fn qemu(scene: &Scene) -> (Child, std::path::PathBuf) {
    let child = Command::new("sleep").arg("1000").spawn().expect("starts");
    let pid_file = scene.root().join("box.pid");
    std::fs::write(&pid_file, format!("{}\n", child.id())).expect("written");
    (child, pid_file)
}

/// This process stands for libvirt's daemon.
fn daemon() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

fn release(scene: &Scene) -> usize {
    let (target, guest) = (scene.target(), scene.guest.name());
    released(&target, &scene.paths(), guest, &mut Tree, Duration::ZERO).expect("put back").len()
}

#[test]
fn the_host_is_changed_before_libvirt_starts_a_guest_and_as_before_once_it_is_released() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(scene) = Scene::new() else { return };
    let (before, paths) = (scene.files(), scene.paths());
    let mut told = Vec::new();
    prepare(&paths, daemon(), &scene.tuning(), &mut Tree, &mut |line| told.push(line.to_owned()))
        .expect("prepared");
    assert_eq!(told, ["change three values"]);
    let governor = || std::fs::read_to_string(scene.root().join(GOVERNOR)).expect("reads");
    assert_eq!(governor(), "performance\n");
    assert_eq!(held_by_libvirt(&paths).expect("looked"), Some(Held::Starting));
    assert_eq!(scene.left(), [], "what libvirt starts has left nothing behind");
    assert!(matches!(scene.start(), Err(StartError::Libvirt)));
    let (mut child, pid_file) = qemu(&scene);
    started(&paths, daemon(), &pid_file).expect("noted");
    std::fs::remove_file(pid_file).expect("removed");
    let pid = i32::try_from(child.id()).expect("small");
    assert_eq!(state(&paths).expect("known"), GuestState::Running { pid });
    assert!(matches!(stop(&paths, at_once(true)), Err(StopError::Libvirt)));
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(release(&scene), 1);
    assert_eq!(scene.files(), before);
    assert_eq!(
        (state(&paths).expect("known"), in_use(&paths).expect("looked")),
        (GuestState::Stopped, false)
    );
    assert_eq!(release(&scene), 0, "a second time there is nothing to put back");
}

#[test]
fn a_start_that_fails_and_a_daemon_that_is_killed_leave_what_the_next_command_finds() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(scene) = Scene::new() else { return };
    let (before, paths) = (scene.files(), scene.paths());
    let begin = || prepare(&paths, daemon(), &scene.tuning(), &mut Tree, &mut |_| {}).expect("prepared");
    begin();
    assert_eq!(release(&scene), 1, "libvirt releases what did not start");
    assert_eq!(scene.files(), before);
    // Nobody calls: libvirt's daemon was killed, and then QEMU.
    begin();
    let (mut child, pid_file) = qemu(&scene);
    started(&paths, daemon(), &pid_file).expect("noted");
    std::fs::remove_file(pid_file).expect("removed");
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(scene.left(), [scene.guest.name().clone()]);
    assert_eq!(stop(&paths, at_once(true)).expect("nothing to stop"), HowStopped::NotRunning);
    assert_eq!(release(&scene), 1);
    assert_eq!(scene.files(), before);
}

#[test]
fn what_passthru_itself_runs_libvirt_neither_starts_nor_has_put_back() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(scene) = Scene::new() else { return };
    let (before, paths) = (scene.files(), scene.paths());
    scene.start().expect("started");
    let error = prepare(&paths, daemon(), &scene.tuning(), &mut Tree, &mut |_| {}).expect_err("it runs");
    assert!(matches!(error, StartError::Running { .. }), "{error}");
    assert_eq!(release(&scene), 0, "libvirt releases what it did not start");
    assert!(scene.files() != before, "the guest runs, and what was changed for it stands");
    assert_eq!(stop(&paths, at_once(true)).expect("stopped"), HowStopped::Quit);
    assert_eq!(scene.files(), before);
}
