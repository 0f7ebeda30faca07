use super::{Expected, HostRom, judge};
use crate::attempt::TryDevice;
use crate::placement::place;
use crate::testing::{self, address};
use passthru_model::PciFunction;
use passthru_model::guest_report::{GuestReport, SeenBar, SeenFunction, SeenRom};

/// What a faultless guest sees of a function.
fn seen(function: &PciFunction, at: &str) -> SeenFunction {
    SeenFunction {
        address: address(at),
        id: function.id,
        subsystem: function.subsystem,
        class: function.class,
        bars: function
            .resources
            .iter()
            .map(|bar| SeenBar {
                index: bar.index,
                size: bar.size(),
                start: 0x8000_0000,
                memory: bar.is_memory(),
            })
            .collect(),
        rom: function.has_rom.then(|| SeenRom { size: 65536, signature: true, sha256: "aa".to_owned() }),
        msi: !function.config.is_empty(),
    }
}

fn card() -> [PciFunction; 2] {
    let facts = testing::facts();
    ["1:0.0", "1:0.1"].map(|at| facts.function(address(at)).expect("the card").clone())
}

/// Judges a card whose guest's view was changed.
fn judged(change: impl FnOnce(&mut Vec<SeenFunction>)) -> Vec<TryDevice> {
    let card = card();
    let mut functions = vec![seen(&card[0], "0:0.0"), seen(&card[0], "2:0.0"), seen(&card[1], "2:0.1")];
    functions[0].id = "8086:29c0".parse().expect("the host bridge");
    change(&mut functions);
    let rom = HostRom::Read { size: 65536, sha256: "aa".to_owned() };
    let expected =
        [Expected { function: &card[0], rom }, Expected { function: &card[1], rom: HostRom::None }];
    let slots = place(&[&card[0], &card[1]]);
    judge(&slots, &expected, &GuestReport { kernel: String::new(), uefi: true, functions })
}

fn reasons(change: impl FnOnce(&mut SeenFunction)) -> String {
    let devices = judged(|functions| change(&mut functions[1]));
    assert!(!devices[0].ok);
    devices[0].reasons.join("; ")
}

#[test]
fn a_guest_that_sees_everything_passes() {
    let devices = judged(|_| {});
    assert!(devices.iter().all(|device| device.ok && device.notes.is_empty()), "{devices:?}");
    assert_eq!(devices[1].guest, Some(address("2:0.1")));
}

#[test]
fn a_function_that_the_guest_did_not_see_fails_alone() {
    let devices = judged(|functions| functions.truncate(2));
    assert_eq!(devices.iter().map(|device| device.ok).collect::<Vec<_>>(), [true, false]);
    assert_eq!(devices[1].reasons, ["the guest did not see it"]);
    let devices = judged(Vec::clear);
    assert!(devices.iter().all(|device| !device.ok));
}

#[test]
fn every_difference_is_a_reason() {
    let id = |text: &str| text.parse().expect("an id");
    insta::assert_snapshot!(
        [
            reasons(|gpu| gpu.id = id("10de:ffff")),
            reasons(|gpu| gpu.subsystem = id("1458:0000")),
            reasons(|gpu| gpu.class = "030200".parse().expect("a class")),
            reasons(|gpu| gpu.bars.truncate(1)),
            reasons(|gpu| gpu.bars[1].size = 4096),
            reasons(|gpu| gpu.bars[1].start = 0),
            reasons(|gpu| gpu.bars[1].memory = false),
            reasons(|gpu| gpu.msi = false),
            reasons(|gpu| gpu.rom = None),
            reasons(|gpu| gpu.rom.iter_mut().for_each(|rom| rom.signature = false)),
            reasons(|gpu| gpu.rom.iter_mut().for_each(|rom| rom.size = 512)),
        ]
        .join("\n")
    );
}

#[test]
fn what_the_host_cannot_know_is_a_note_and_no_fault() {
    let devices = judged(|functions| {
        functions[1].rom.iter_mut().for_each(|rom| rom.sha256 = "bb".to_owned());
    });
    assert!(devices[0].ok);
    assert_eq!(devices[0].notes.len(), 1);
}

#[test]
fn twins_on_two_slots_are_told_apart_by_the_order_of_their_ports() {
    let one = testing::function("1:0.0", "1234:1111", "038000");
    let two = testing::function("2:0.0", "1234:1111", "038000");
    let expected = [&one, &two].map(|function| Expected { function, rom: HostRom::None });
    let functions = vec![seen(&one, "1:0.0"), seen(&two, "2:0.0")];
    let report = GuestReport { kernel: String::new(), uefi: true, functions };
    let devices = judge(&place(&[&one, &two]), &expected, &report);
    assert_eq!(
        devices.iter().map(|device| device.guest).collect::<Vec<_>>(),
        [Some(address("1:0.0")), Some(address("2:0.0"))]
    );
}
