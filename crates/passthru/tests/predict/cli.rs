//! `groups --predict` and `--why` as their user meets them.

use std::path::Path;

use crate::common::{passthru, schema_errors};

/// A real machine, where the folder of their data is there.
fn machine(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/hosts").join(name);
    path.exists().then(|| path.to_string_lossy().into_owned())
}

#[test]
fn foretelling_is_answered_on_any_host_and_in_json_as_the_schema_says() {
    let empty = tempfile::tempdir().expect("a directory");
    let path = empty.path().to_str().expect("UTF-8");
    for host in [&["--host", path][..], &[]] {
        for more in [&[][..], &["--acs-override=downstream,multifunction"]] {
            let mut arguments = host.to_vec();
            arguments.extend_from_slice(&["groups", "--predict"]);
            arguments.extend_from_slice(more);
            let text = passthru(&arguments);
            assert_eq!(text.code, 0, "{}", text.err);
            arguments.push("--json");
            let answer = passthru(&arguments);
            assert_eq!(schema_errors("groups", &answer.out), Vec::<String>::new(), "{arguments:?}");
            assert!(answer.out.contains("\"predicted\": true"), "{}", answer.out);
        }
    }
    assert_eq!(std::fs::read_dir(empty.path()).expect("lists").count(), 0, "it wrote something");
}

#[test]
fn wrong_use_is_named() {
    for (arguments, piece) in [
        (&["groups", "--acs-override=downstream"][..], "--predict"),
        (&["groups", "--predict", "--acs-override=up"], "‘up’ is not a word of the ACS override"),
        (&["groups", "--why", "01:00.0", "02:00.0"], "--why"),
        (&["groups", "--why"], "--why"),
    ] {
        let answer = passthru(arguments);
        assert_eq!(answer.code, 2, "{arguments:?}: {}", answer.err);
        assert!(answer.err.contains(piece), "{arguments:?}: {}", answer.err);
    }
    let empty = tempfile::tempdir().expect("a directory");
    let path = empty.path().to_str().expect("UTF-8");
    let absent = passthru(&["--host", path, "groups", "--why", "01:00.0"]);
    assert_eq!(absent.code, 1);
    assert!(absent.err.contains("0000:01:00.0 is not on this host"), "{}", absent.err);
}

#[test]
fn a_real_card_behind_a_port_without_services_is_explained() {
    let Some(host) = machine("intel-8700-H370-rtx3060.tar.gz") else { return };
    let why = passthru(&["--host", &host, "groups", "--why", "01:00.0"]);
    assert_eq!(why.code, 0, "{}", why.err);
    for piece in
        ["0000:00:01.0", "not apart: it has no Access Control Services", "its own card", "in group 1 now"]
    {
        assert!(why.out.contains(piece), "{piece}: {}", why.out);
    }
    let json = passthru(&["--host", &host, "groups", "--why", "01:00.0", "--json"]);
    assert_eq!(schema_errors("groups-why", &json.out), Vec::<String>::new());

    let text = passthru(&["--host", &host, "groups", "--predict"]).out;
    assert!(text.contains("foretold, and the real groups are the same"), "{text}");
    let overridden = passthru(&["--host", &host, "groups", "--predict", "--acs-override=downstream"]).out;
    for piece in ["take apart 0000:00:01.0, 0000:01:00.0, 0000:01:00.1", "risk:"] {
        assert!(overridden.contains(piece), "{piece}: {overridden}");
    }
    let one = passthru(&["--host", &host, "groups", "--predict", "01:00.0"]).out;
    assert!(one.contains("group 1") && !one.contains("group 2"), "{one}");
}

#[test]
fn a_machine_whose_iommu_is_off_has_its_groups_foretold_and_nothing_to_compare() {
    let Some(host) = machine("off-intel-W2265-C422.tar.gz") else { return };
    let answer = passthru(&["--host", &host, "groups", "--predict", "--json"]);
    assert_eq!(schema_errors("groups", &answer.out), Vec::<String>::new());
    assert!(!answer.out.contains("\"differences\""), "there is nothing to differ from");
    assert!(answer.out.contains("behind the volume management device 0000:b2:05.5"), "{}", answer.out);
    let text = passthru(&["--host", &host, "groups", "--predict"]).out;
    assert!(text.contains("no groups to compare with"), "{text}");
}
