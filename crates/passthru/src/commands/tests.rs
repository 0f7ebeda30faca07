//! Every reading command says the same with the subjects it asks for as with all of them.

use std::path::{Path, PathBuf};

use clap::Parser as _;

use crate::args::{Arguments, ColorWhen};
use crate::context::Context;
use crate::printer::Printer;

/// Command lines that read; `ADDRESS` stands for each function of the host in turn.
const READING: &[&[&str]] = &[
    &["status"],
    &["doctor"],
    &["groups"],
    &["groups", "ADDRESS"],
    &["groups", "--predict"],
    &["groups", "--predict", "--acs-override=downstream,multifunction"],
    &["groups", "--why", "ADDRESS"],
    &["usb"],
    &["topology"],
    &["topology", "--vcpus", "2", "--device", "ADDRESS"],
    &["rom", "check", "ADDRESS"],
    &["plan"],
    &["isolate", "ADDRESS", "--dry-run"],
    &["bind", "ADDRESS", "--dry-run"],
    &["unbind", "ADDRESS", "--dry-run"],
    &["verify"],
];

/// What a command prints or fails with. `least`: what is done to the context first.
fn answer(host: &Path, line: &[&str], json: bool, least: impl Fn(Context) -> Context) -> String {
    let arguments = Arguments::try_parse_from(std::iter::once(&"passthru").chain(line))
        .unwrap_or_else(|error| panic!("{line:?}: {error}"));
    let context = least(Context::new(Printer::keeping(json), Some(host.to_owned())));
    let command = arguments.command.expect("each line has a command");
    let end = crate::run(&context, command);
    format!("{}{end:?}", context.printer.kept())
}

/// Compares all commands on a host, with this many functions of it; gives back how many were.
fn compare(host: &Path, functions: usize, forms: &[bool]) -> usize {
    let opened = passthru_host::Host::open(host).expect("opens");
    let facts = passthru_host::gather(&opened);
    let addresses: Vec<String> = facts.functions().map(|function| function.address.to_string()).collect();
    let mut compared = 0;
    for line in READING {
        let named = line.contains(&"ADDRESS");
        let absent = ["0000:ff:1f.7".to_owned()];
        let step = addresses.len().div_ceil(functions).max(1);
        let places: Vec<&str> = if named {
            addresses.iter().step_by(step).chain(&absent).map(String::as_str).collect()
        } else {
            vec![""]
        };
        for place in places {
            let line: Vec<&str> =
                line.iter().map(|word| if *word == "ADDRESS" { place } else { word }).collect();
            for &json in forms {
                let asked = answer(host, &line, json, |context| context);
                let all = answer(host, &line, json, Context::reading_all);
                assert_eq!(asked, all, "{}: {line:?}", host.display());
                assert!(
                    !asked.contains(passthru_host::gather::NOT_ASKED),
                    "{}: {line:?} shows what it did not ask for:\n{asked}",
                    host.display()
                );
                compared += 1;
            }
        }
    }
    compared
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hosts")
}

#[test]
fn a_command_says_the_same_with_its_subjects_as_with_all() {
    for host in ["workstation", "container"] {
        assert!(compare(&fixtures().join(host), 4, &[false, true]) > 20, "{host}");
    }
}

#[test]
fn on_real_machines_too() {
    let hosts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/hosts");
    // Each answer reads and unpacks the whole archive, so two stand for all.
    for name in ["amd-3550H-gtx1650-laptop.tar.gz", "intel-8700-H370-rtx3060.tar.gz"] {
        let host = hosts.join(name);
        if host.exists() {
            assert!(compare(&host, 1, &[true]) > 10, "{name}");
        } else {
            Printer::new(ColorWhen::Never, false).say(&format!("skipped: {} is not there", host.display()));
        }
    }
}

/// Guests that ask for what is decided by different parts of a host.
fn guests(facts: &passthru_model::HostFacts) -> Vec<passthru_guest::GuestSpec> {
    let passed = facts.functions().filter(|function| !function.is_bridge());
    let devices = passed.map(passthru_model::intent::DeviceIdentity::of).map(|device| {
        format!(
            "[[devices]]\naddress = \"{}\"\nid = \"{}\"\nsubsystem = \"{}\"\nclass = \"{}\"\n",
            device.address, device.id, device.subsystem, device.class
        )
    });
    let small = "memory = \"1G\"\ncpus = 1\n".to_owned();
    let mut texts: Vec<String> = devices.map(|device| format!("{small}{device}")).collect();
    for more in [
        "os = \"windows-11\"\n",
        "accel = \"kvm\"\n[processor]\npinning = \"on\"\n[memory-backing]\npages = \"2M\"\n",
        "[tuning]\nisolation = \"slices\"\nfrequency = \"performance\"\ninterrupts = \"move\"\n",
        "[[usb]]\nid = \"046d:c52b\"\n[audio]\nbackend = \"pipewire\"\n[looking-glass]\nresolution = \"2560x1440\"\n",
    ] {
        texts.push(format!("{small}{more}"));
    }
    let name = || "box".parse().expect("a name");
    texts.iter().map(|text| passthru_guest::spec::parse(name(), "box.toml", text).expect("a guest")).collect()
}

#[test]
fn a_guest_is_the_same_by_what_it_is_built_from_as_by_all_of_a_host() {
    use crate::commands::guest::start::{TUNED, built_from, plan};
    let opened = passthru_host::Host::open(&fixtures().join("workstation")).expect("opens");
    let read = |subjects| {
        let options = passthru_host::Options { ssh_connection: None, subjects };
        passthru_host::gather_with(&opened, &options)
    };
    let all = read(passthru_host::Subjects::ALL);
    let mut built = 0;
    for spec in guests(&all) {
        let some = read(built_from(&spec) | TUNED);
        let guest =
            |facts| passthru_guest::Guest::build(&spec, facts, &passthru_guest::look::Looked::default());
        match (guest(&all), guest(&some)) {
            (Ok(by_all), Ok(by_some)) => {
                built += 1;
                assert_eq!(by_all, by_some);
                assert_eq!(by_all.not_ready(&all), by_some.not_ready(&some));
                // Where a function changes drivers, everything is read anyway.
                if by_all.not_ready(&all).is_empty() {
                    let planned = |facts, guest| format!("{:?}", plan(facts, &spec, guest));
                    assert_eq!(planned(&all, &by_all), planned(&some, &by_some));
                }
            }
            (by_all, by_some) => {
                let told = |built: Result<_, passthru_guest::guest::BuildErrors>| {
                    built.map(|_: passthru_guest::Guest| ()).map_err(|errors| errors.to_string())
                };
                assert_eq!(told(by_all), told(by_some));
            }
        }
    }
    assert!(built > 3, "{built}");
}
