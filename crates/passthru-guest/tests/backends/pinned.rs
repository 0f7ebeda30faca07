//! What both backends say of pins and topology is what was planned, on hosts of several shapes and for every number of vCPUs.

use passthru_formats::libvirt_domain;
use passthru_guest::look::Looked;
use passthru_guest::spec::{Disk, DiskFormat, PinningChoice, Processor};
use passthru_guest::{Guest, GuestSpec, libvirt};
use passthru_model::HostFacts;
use passthru_model::guest_tuning::Scheduler;
use passthru_plan::pinning::{self, Near, Pinning, Request, Threads};

use crate::{paths, said, testing};

fn spec(cpus: u32, threads: Threads) -> GuestSpec {
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.cpus = cpus;
    spec.devices = testing::gpu_identities();
    spec.processor = Processor { pinning: PinningChoice::On, threads: Some(threads), ..Processor::default() };
    spec
}

fn planned(facts: &HostFacts, cpus: u32, threads: Threads) -> Option<Pinning> {
    let near = Some(Near { address: testing::address("0000:01:00.0"), node: None });
    let vcpus = usize::try_from(cpus).expect("small");
    pinning::pin(facts.topology.value()?, &Request { vcpus, threads, near, ..Request::default() }).ok()
}

#[test]
fn both_backends_say_what_was_planned_for_every_number_of_vcpus() {
    let mut guests = 0;
    for (cores, in_one, nodes) in [(2, 2, 1), (4, 4, 1), (8, 4, 1), (16, 8, 1), (12, 3, 2), (16, 4, 2)] {
        let facts = testing::tuned_facts(testing::processors(cores, in_one, nodes));
        for threads in [Threads::Siblings, Threads::OnePerCore, Threads::Shared] {
            for cpus in 1..=2 * cores {
                let built = Guest::build(&spec(cpus, threads), &facts, &Looked::default());
                let Some(planned) = planned(&facts, cpus, threads) else {
                    assert!(built.is_err(), "{cpus} vCPUs have no room on {cores} cores and are refused");
                    continue;
                };
                let guest = built.unwrap_or_else(|errors| panic!("{cores} cores, {cpus} vCPUs: {errors}"));
                assert_eq!(guest.pinning(), Some(&planned));
                let emulator = planned.emulator.to_string();
                assert_eq!(said::to_qemu(&guest), (planned.pins.len(), planned.guest));
                assert_eq!(said::by_libvirt(&guest), (planned.pins, emulator, planned.guest));
                guests += 1;
            }
        }
    }
    assert!(guests > 150, "{guests}");
}

/// The CPUs of the I/O thread, where there is one.
fn io_thread(guest: &Guest) -> Option<String> {
    let xml = libvirt::xml(&guest.machine(&paths(guest)));
    let root = libvirt_domain::tree("box.xml", xml.as_bytes()).expect("a domain");
    let pin = root.at(&["cputune", "iothreadpin"])?;
    assert_eq!(pin.attribute("iothread"), Some("1"), "the only one");
    pin.attribute("cpuset").map(str::to_owned)
}

#[test]
fn the_io_thread_of_disks_runs_where_it_was_planned() {
    let facts = testing::tuned_facts(testing::processors(8, 4, 1));
    let mut spec = spec(4, Threads::Siblings);
    let built = |spec: &GuestSpec| Guest::build(spec, &facts, &Looked::default()).expect("a guest");
    assert_eq!(io_thread(&built(&spec)), None, "without a disk there is none");
    spec.disks.push(Disk { path: "/srv/box.img".into(), format: DiskFormat::Raw });
    let guest = built(&spec);
    let planned = guest.pinning().map(|pinning| pinning.iothread.to_string());
    assert_eq!(io_thread(&guest), planned);
}

#[test]
fn libvirt_schedules_vcpus_as_the_specification_wants() {
    let facts = testing::tuned_facts(testing::processors(8, 4, 1));
    let scheduled = |spec: &GuestSpec| {
        let guest = Guest::build(spec, &facts, &Looked::default()).expect("a guest");
        let xml = libvirt::xml(&guest.machine(&paths(&guest)));
        xml.lines().find(|line| line.contains("vcpusched")).map(|line| line.trim().to_owned())
    };
    let mut spec = spec(4, Threads::Siblings);
    assert_eq!(scheduled(&spec), None);
    spec.processor.scheduler = Scheduler::RoundRobin;
    assert_eq!(scheduled(&spec).as_deref(), Some("<vcpusched vcpus='0-3' scheduler='rr' priority='1'/>"));
    spec.processor.pinning = PinningChoice::Off;
    spec.processor.threads = None;
    let errors = Guest::build(&spec, &facts, &Looked::default()).expect_err("no CPUs of its own").to_string();
    assert!(errors.contains("processor.scheduler means nothing beside pinning = \"off\""), "{errors}");
}
