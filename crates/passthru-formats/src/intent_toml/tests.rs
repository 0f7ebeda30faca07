use super::{IntentError, add, new_file, parse, remove, set_boot, set_host, set_method};
use passthru_model::address::PciAddress;
use passthru_model::boot_settings::BootSettings;
use passthru_model::hex::{ClassCode, Hex16, PciId};
use passthru_model::host_settings::HostSettings;
use passthru_model::intent::{DeviceIdentity, Intent, Method};
use proptest::prelude::*;

fn device(bus: u8) -> DeviceIdentity {
    DeviceIdentity {
        address: PciAddress::new(0, bus, 0, 0).expect("in range"),
        id: PciId { vendor: Hex16(0x1234), device: Hex16(0x1111) },
        subsystem: PciId { vendor: Hex16(0x1af4), device: Hex16(0x1100) },
        class: ClassCode::new(0x03_0000).expect("24 bits"),
        parents: vec![PciAddress::new(0, 0, 2, 0).expect("in range")],
    }
}

fn settings() -> BootSettings {
    BootSettings {
        hugepages: Some("1G=0:8,1:8".parse().expect("a pool")),
        isolated_cpus: "2-7".parse().expect("CPUs"),
        igfx_off: true,
        disable_idle_d3: true,
        acs_override: Some("downstream,id:8086:a110".parse().expect("words")),
    }
}

fn of_host() -> HostSettings {
    HostSettings {
        gpu: Some(device(1).address),
        guest_user: Some("anna".parse().expect("a name")),
        kvmfr: Some("64M".parse().expect("a size")),
        vendor_reset: true,
        no_d3cold: true,
        reset_methods: [(device(2).address, "flr bus".parse().expect("ways"))].into(),
        virtual_functions: [(device(2).address, "4".parse().expect("a number"))].into(),
    }
}

#[test]
fn a_new_file_reads_back_as_the_intent_it_was_made_of() {
    let (boot, host) = (settings(), of_host());
    let intent = Intent { method: Method::Ids, boot, host, isolate: vec![device(2), device(3)] };
    let text = new_file(&intent);
    assert_eq!(parse(&text), Ok(intent), "{text}");
    assert_eq!(parse(&new_file(&Intent::default())), Ok(Intent::default()));
}

#[test]
fn a_device_that_is_added_and_removed_leaves_the_file_as_it_was() {
    for text in ["", "# mine\nmethod = \"ids\" # why\n", &new_file(&Intent::default())] {
        let longer = add(text, &device(2), Some("a card\n[[isolate]]")).expect("added");
        assert!(parse(&longer).expect("reads").isolates(device(2).address), "{longer}");
        assert_eq!(add(&longer, &device(2), None).as_deref(), Ok(longer.as_str()));
        let twice = add(&longer, &device(3), Some("another")).expect("added");
        assert_eq!(remove(&twice, device(3).address).as_deref(), Ok(longer.as_str()));
        assert_eq!(remove(&longer, device(2).address).as_deref(), Ok(text));
    }
}

#[test]
fn comments_that_do_not_belong_to_a_removed_device_stay() {
    let one = add("", &device(2), Some("first")).expect("added");
    let two = add(&one, &device(3), Some("second")).expect("added");
    let text = format!("# my file\n\n{two}\n# the end\n");
    let left = remove(&text, device(2).address).expect("removed");
    assert!(left.contains("# my file") && left.contains("# second") && left.contains("# the end"), "{left}");
    assert!(!left.contains("# first"), "{left}");
    let left = remove(&left, device(3).address).expect("removed");
    assert!(left.contains("# my file") && left.contains("# the end"), "{left}");
    assert_eq!(parse(&left), Ok(Intent::default()));
}

#[test]
fn the_method_changes_and_its_comment_stays() {
    assert_eq!(
        set_method("method = \"ids\" # why\n", Method::Override).as_deref(),
        Ok("method = \"override\" # why\n")
    );
    assert_eq!(set_method("", Method::Override).as_deref(), Ok(""), "it is the default");
    let text = set_method(&add("", &device(2), None).expect("added"), Method::Ids).expect("set");
    assert_eq!(parse(&text).expect("reads").method, Method::Ids, "{text}");
}

#[test]
fn boot_settings_come_and_go_and_what_stood_there_stays_as_it_was() {
    let texts =
        ["", "method = \"ids\" # why\n", &add("# mine\n", &device(2), Some("a card")).expect("added")];
    for text in texts {
        let longer = set_boot(text, &settings()).expect("set");
        assert_eq!(parse(&longer).expect("reads").boot, settings(), "{longer}");
        assert_eq!(set_boot(&longer, &settings()).as_deref(), Ok(longer.as_str()));
        assert_eq!(set_boot(&longer, &BootSettings::default()).as_deref(), Ok(text), "{longer}");
    }
    let by_hand = "[boot]\nhugepages = \"2M=512\" # small\nisolated-cpus = \"2,3\" # as I write it\n";
    let wanted = BootSettings {
        hugepages: Some("2M=1024".parse().expect("a pool")),
        ..parse(by_hand).expect("reads").boot
    };
    assert_eq!(set_boot(by_hand, &wanted).as_deref(), Ok(by_hand.replace("512", "1024").as_str()));
    assert_eq!(
        set_boot("boot = {igfx-off = true}\n", &BootSettings::default()).as_deref(),
        Ok("boot = {}\n")
    );
}

#[test]
fn the_hosts_own_settings_come_and_go_and_what_stood_there_stays_as_it_was() {
    for text in ["", "method = \"ids\" # why\n", "[boot]\nigfx-off = true # mine\n"] {
        let longer = set_host(text, &of_host()).expect("set");
        assert_eq!(parse(&longer).expect("reads").host, of_host(), "{longer}");
        assert_eq!(set_host(&longer, &of_host()).as_deref(), Ok(longer.as_str()));
        assert_eq!(set_host(&longer, &HostSettings::default()).as_deref(), Ok(text), "{longer}");
    }
    let by_hand = "[host]\nkvmfr = \"64\" # as I write it\nreset-methods = { \"02:00.0\" = \"flr,bus\" }\n";
    let wanted = HostSettings { vendor_reset: true, ..parse(by_hand).expect("reads").host };
    assert_eq!(set_host(by_hand, &wanted), Ok(format!("{by_hand}vendor-reset = true\n")));
}

#[test]
fn a_new_file_with_boot_settings_reads_as_a_person_would_write_it() {
    let text = new_file(&Intent { boot: settings(), isolate: vec![device(2)], ..Intent::default() });
    let (_, own) = text.split_once("method = \"override\"\n").expect("the head");
    assert_eq!(
        own,
        "\n[[isolate]]\naddress = \"0000:02:00.0\"\nid = \"1234:1111\"\nsubsystem = \"1af4:1100\"\nclass = \"030000\"\n\
         parents = [\"0000:00:02.0\"]\n\n# What else the kernel is told at boot, while a device is isolated.\n[boot]\n\
         hugepages = \"1G=0:8,1:8\"\nisolated-cpus = \"2-7\"\nigfx-off = true\ndisable-idle-d3 = true\n\
         acs-override = \"downstream,id:8086:a110\"\n"
    );
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_key() {
    for (text, at, name, part) in [
        ("\nmethd = \"ids\"\n", 2, Some("methd"), "unknown field"),
        ("method = \"idz\"\n", 1, Some("method"), "unknown variant"),
        ("[[isolate]]\naddress = \"02:00\"\n", 2, Some("address"), "not a PCI address"),
        ("# x\n[[isolate]]\naddress = \"02:00.0\"\n", 2, None, "missing field"),
        ("method\n", 1, None, ""),
        ("[boot]\nhugepages = \"16\"\n", 2, Some("hugepages"), "write 1G=16 or 2M=4096"),
        ("[boot]\nisolated-cpus = \"3-1\"\n", 2, Some("isolated-cpus"), "ends before it begins"),
        ("[boot]\nacs-override = \"all\"\n", 2, Some("acs-override"), "it knows downstream"),
        ("[boot]\nnohz = true\n", 2, Some("nohz"), "unknown field"),
    ] {
        match parse(text) {
            Err(IntentError::Wrong { line, key, message }) => {
                assert_eq!((line, key.as_deref()), (at, name), "{text:?}: {message}");
                assert!(message.contains(part), "{text:?}: {message}");
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
    let twice = format!("{0}{0}", add("", &device(2), None).expect("added"));
    assert_eq!(parse(&twice), Err(IntentError::Twice(device(2).address)));
}

#[test]
fn an_inline_list_is_read_but_not_edited_unless_it_is_empty() {
    let text = "isolate = [{ address = \"02:00.0\", id = \"1234:1111\", subsystem = \"1af4:1100\", class = \"030000\" }]\n";
    assert!(parse(text).expect("reads").isolates(device(2).address));
    assert_eq!(add(text, &device(3), None), Err(IntentError::InlineList));
    assert!(add("isolate = []\n", &device(3), None).is_ok_and(|text| parse(&text).is_ok()));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "([a-z]{1,4}|[\\[\\]={}\"#\n ]|isolate|method|address){0,30}", any in "\\PC{0,60}") {
        for text in [text, any] {
            let _ = (parse(&text), add(&text, &device(2), None), remove(&text, device(2).address));
        }
    }

    #[test]
    fn what_is_written_is_read_back(buses in prop::collection::btree_set(any::<u8>(), 0..6)) {
        let intent = Intent { isolate: buses.into_iter().map(device).collect(), ..Intent::default() };
        prop_assert_eq!(parse(&new_file(&intent)), Ok(intent));
    }
}
