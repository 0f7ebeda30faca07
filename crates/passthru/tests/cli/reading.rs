//! Commands that read, on hosts that have little to read: a clear answer, no error, no panic, and nothing written.

use crate::common::{Answer, passthru, schema_errors};

/// Reading commands with the exit codes that an odd host may bring, and the schema of their JSON.
const READING: &[(&[&str], &[i32], &str)] = &[
    (&["status"], &[0], "status"),
    (&["doctor"], &[0, 1], "findings"),
    (&["groups"], &[0], "groups"),
    (&["usb"], &[0], "usb"),
    (&["plan"], &[0], "plan"),
    (&["verify"], &[0, 1], "findings"),
];

/// An answer to be had from any host: an expected exit code, no trace of a panic.
fn assert_clear(answer: &Answer, expected: &[i32], what: &str) {
    assert!(expected.contains(&answer.code), "{what}: exit {}\n{}", answer.code, answer.err);
    assert!(!answer.err.contains("panicked"), "{what}: {}", answer.err);
}

#[test]
fn an_empty_directory_is_a_host_of_which_nothing_is_known() {
    let host = tempfile::tempdir().expect("a directory");
    let path = host.path().to_str().expect("UTF-8");
    for (command, expected, schema) in READING {
        let mut arguments = vec!["--host", path];
        arguments.extend_from_slice(command);
        assert_clear(&passthru(&arguments), expected, &command.join(" "));
        arguments.push("--json");
        let answer = passthru(&arguments);
        assert_clear(&answer, expected, &command.join(" "));
        assert_eq!(schema_errors(schema, &answer.out), Vec::<String>::new(), "{command:?}");
    }
    assert_eq!(
        std::fs::read_dir(host.path()).expect("lists").count(),
        0,
        "a reading command wrote something"
    );
}

#[test]
fn this_machine_is_read_without_an_error_whatever_it_is() {
    for (command, expected, schema) in READING {
        assert_clear(&passthru(command), expected, &command.join(" "));
        let mut arguments = command.to_vec();
        arguments.push("--json");
        assert_eq!(schema_errors(schema, &passthru(&arguments).out), Vec::<String>::new(), "{command:?}");
    }
}

#[test]
fn a_host_that_is_not_there_is_wrong_use_and_is_named() {
    let answer = passthru(&["--host", "/no/such/place", "groups"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("/no/such/place"), "{}", answer.err);
}

#[test]
fn doctor_says_what_is_well_in_a_line_and_one_check_whole() {
    let place = tempfile::tempdir().expect("a directory");
    let cpu = "vendor_id\t: GenuineIntel\nflags\t: fpu vmx\n";
    std::fs::create_dir(place.path().join("proc")).expect("makes it");
    std::fs::write(place.path().join("proc/cpuinfo"), cpu).expect("writes");
    let path = place.path().to_str().expect("UTF-8");
    let all = passthru(&["--host", path, "doctor"]);
    let titles = [
        "The machine and its kernel",
        "Devices and their groups",
        "What guests need",
        "What makes guests fast",
    ];
    let places: Vec<usize> = titles.iter().map(|title| all.out.find(title).expect("a heading")).collect();
    assert!(places.is_sorted(), "{}", all.out);
    assert!(all.out.contains("cpu-virtualization: the processor offers VT-x (vmx)\n"), "{}", all.out);
    let one = passthru(&["--host", path, "doctor", "cpu-virtualization"]);
    assert!(one.out.contains("seen /proc/cpuinfo: flags: vmx"), "{}", one.out);
}

#[test]
fn an_unknown_check_is_wrong_use_and_the_known_ones_can_be_listed() {
    let answer = passthru(&["doctor", "no-such-check"]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.err.contains("no-such-check") && answer.err.contains("--list"), "{}", answer.err);
    let list = passthru(&["doctor", "--list", "--json"]);
    assert_eq!(schema_errors("checks", &list.out), Vec::<String>::new());
}

#[test]
fn an_address_that_is_none_is_wrong_use_and_says_what_one_looks_like() {
    let answer = passthru(&["groups", "nonsense"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("0000:06:00.0"), "{}", answer.err);
}

#[test]
fn a_device_that_is_not_there_cannot_be_isolated_and_nothing_is_written() {
    let host = tempfile::tempdir().expect("a directory");
    let path = host.path().to_str().expect("UTF-8");
    let answer = passthru(&["--host", path, "isolate", "06:00.0", "--dry-run"]);
    assert_eq!(answer.code, 3, "{}", answer.err);
    assert!(answer.err.starts_with("refused:"), "{}", answer.err);
    assert_eq!(std::fs::read_dir(host.path()).expect("lists").count(), 0);
}

#[test]
fn commands_that_change_this_machine_do_not_take_another_host() {
    for command in
        [&["apply"][..], &["undo"], &["try", "06:00.0"], &["isolate", "06:00.0"], &["guest", "start", "x"]]
    {
        let mut arguments = vec!["--host", "/"];
        arguments.extend_from_slice(command);
        let answer = passthru(&arguments);
        assert_eq!(answer.code, 2, "{command:?}: {}", answer.err);
        assert!(answer.err.contains("--host"), "{command:?}: {}", answer.err);
    }
}

#[test]
fn colour_is_left_out_where_the_output_is_no_terminal() {
    assert!(!passthru(&["doctor"]).out.contains('\u{1b}'));
    assert!(passthru(&["--color", "always", "doctor"]).out.contains('\u{1b}'));
}

#[test]
fn a_capture_answers_like_the_host_it_was_made_of() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("host.tar.gz");
    let file = file.to_str().expect("UTF-8");
    let made = passthru(&["capture", "-o", file]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert_eq!(passthru(&["--host", file, "groups", "--json"]).out, passthru(&["groups", "--json"]).out);
    assert_eq!(passthru(&["capture", "-o", file]).code, 1, "an existing file is not overwritten");
}
