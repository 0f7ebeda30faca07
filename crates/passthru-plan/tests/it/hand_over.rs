//! The host's picture, which is given up for a guest that takes the only card.

use passthru_model::graphics::{Console, FirmwareScreen, Graphics};
use passthru_model::guest_tuning::GuestTuning;
use passthru_model::setting::DisplayService;
use passthru_model::tuning::RunTimeFacts;
use passthru_model::ways_in::WaysIn;
use passthru_model::{Fact, HostFacts};
use passthru_plan::{GuestRun, PlannedRun, Refusal, guest_run};

use crate::common::{at, edit};
use crate::guest_runs::{self, plain_run, shown};
use crate::run_time::hold;

/// A host with one card, of NVIDIA, on which the desktop, the consoles and the firmware's screen are drawn.
fn host() -> HostFacts {
    let mut facts = guest_runs::host();
    let Fact::Known(functions, _) = &mut facts.pci else { panic!("known functions") };
    let other = |address: &str| !["01:00.0", "01:00.1"].map(at).contains(&at(address));
    functions.retain(|address, function| !function.class.is_display() || !other(&address.to_string()));
    edit(&mut facts, "01:00.0", |card| card.driver = Some("nvidia".to_owned()));
    let console = |number, name: &str, bound| Console { number, name: name.to_owned(), bound };
    let screen = FirmwareScreen {
        device: "efi-framebuffer.0".to_owned(),
        driver: Some("efi-framebuffer".to_owned()),
        address: None,
    };
    let graphics = Graphics {
        consoles: vec![console(0, "(S) dummy device", false), console(1, "(M) frame buffer device", true)],
        firmware_screens: vec![screen],
        ..Graphics::default()
    };
    facts.graphics = Fact::known(graphics, "/sys/class/drm", "");
    facts.kernel.loaded = Fact::known(
        ["vfio_pci", "nvidia", "nvidia_modeset", "nvidia_drm"].map(str::to_owned).into(),
        "/proc/modules",
        "",
    );
    now(&mut facts, |now| {
        now.display_services = [DisplayService::NvidiaPersistenced, DisplayService::Sddm].into();
    });
    hold(&mut facts, &[("kwin_wayland", "/dev/dri/card1", "01:00.0")]);
    facts
}

fn now(facts: &mut HostFacts, change: impl FnOnce(&mut RunTimeFacts)) {
    let Fact::Known(now, _) = &mut facts.tuning.run_time else { panic!("known") };
    change(now);
}

fn run(facts: &HostFacts, hand_over_display: bool) -> Result<PlannedRun, Refusal> {
    let guest = "win".parse().expect("a name");
    let functions = ["01:00.0", "01:00.1"].map(at);
    let tuning = GuestTuning { hand_over_display, take_last_keyboard: true, ..GuestTuning::default() };
    guest_run(facts, &GuestRun { tuning, ..plain_run(&guest, &functions) })
}

fn refused(facts: &HostFacts) -> String {
    run(facts, true).expect_err("a refusal").to_string()
}

#[test]
fn what_draws_on_the_card_is_given_up_in_order_before_its_driver_lets_go() {
    let run = run(&host(), true).expect("a plan");
    assert!(run.plan.hands_over_display());
    insta::assert_snapshot!(shown(&run.plan));
}

#[test]
fn nothing_is_given_up_that_the_specification_does_not_give() {
    let refusal = run(&host(), false).expect_err("a refusal").to_string();
    assert!(refusal.contains("is the host's only display"), "{refusal}");
    let mut facts = host();
    for function in ["01:00.0", "01:00.1"] {
        edit(&mut facts, function, |function| function.driver = Some("vfio-pci".to_owned()));
    }
    let plan = run(&facts, true).expect("a plan").plan;
    assert!(!plan.hands_over_display(), "the desktop is not drawn on a card that vfio-pci has");
}

#[test]
fn a_host_that_nobody_could_reach_keeps_its_picture() {
    let mut facts = host();
    facts.ways_in = Fact::known(WaysIn::default(), "/etc/systemd/system", "");
    assert!(refused(&facts).contains("nothing else leads in"));
}

#[test]
fn a_desktop_that_nobody_could_end_is_named() {
    let mut facts = host();
    now(&mut facts, |now| now.display_services.clear());
    let refusal = refused(&facts);
    assert!(refusal.contains("kwin_wayland (process 800: /dev/dri/card1)"), "{refusal}");
    now(&mut facts, |now| now.cpuset = None);
    assert!(refused(&facts).contains("control groups of version 2"));
}

#[test]
fn modules_that_another_card_needs_are_not_taken_out() {
    let mut facts = host();
    edit(&mut facts, "00:05.0", |function| function.driver = Some("nvidia".to_owned()));
    let refusal = refused(&facts);
    assert!(refusal.contains("00:05.0 needs, which stays with the host's driver nvidia"), "{refusal}");
}
