use super::{Hooks, List, add, is_read, list, remove};
use crate::shell::{Place, ShellError, oracle};
use proptest::prelude::*;

fn items(files: &[&str], which: List) -> Vec<String> {
    list(files, which).expect("plain")
}

#[test]
fn modules_are_added_in_the_form_that_is_there() {
    for (text, first, last) in [
        ("MODULES=()\n", "MODULES=(vfio_pci)\n", "MODULES=(vfio_pci)\n"),
        (
            "MODULES=(ext4 amdgpu) # why\n",
            "MODULES=(vfio_pci ext4 amdgpu) # why\n",
            "MODULES=(ext4 amdgpu vfio_pci) # why\n",
        ),
        ("MODULES=\"\"\n", "MODULES=\"vfio_pci\"\n", "MODULES=\"vfio_pci\"\n"),
        ("MODULES='a b'\n", "MODULES='vfio_pci a b'\n", "MODULES='a b vfio_pci'\n"),
        ("MODULES=a\n", "MODULES=vfio_pci\\ a\n", "MODULES=a\\ vfio_pci\n"),
        (
            "MODULES=(\n  a # one\n  b # two\n)\n",
            "MODULES=(\n  vfio_pci a # one\n  b # two\n)\n",
            "MODULES=(\n  a # one\n  b vfio_pci # two\n)\n",
        ),
        (
            "MODULES=(a)\nMODULES+=(b)\n",
            "MODULES=(vfio_pci a)\nMODULES+=(b)\n",
            "MODULES=(a)\nMODULES+=(b vfio_pci)\n",
        ),
        (
            "MODULES=(no)\nMODULES=( a )\n",
            "MODULES=(no)\nMODULES=( vfio_pci a )\n",
            "MODULES=(no)\nMODULES=( a vfio_pci )\n",
        ),
        (
            "#MODULES=(no)\n  MODULES=(a)",
            "#MODULES=(no)\n  MODULES=(vfio_pci a)",
            "#MODULES=(no)\n  MODULES=(a vfio_pci)",
        ),
        ("MODULES=\"a\n b\"\n", "MODULES=\"vfio_pci a\n b\"\n", "MODULES=\"a\n b vfio_pci\"\n"),
    ] {
        for (place, longer) in [(Place::First, first), (Place::Last, last)] {
            assert_eq!(add(text, List::Modules, "vfio_pci", place).as_deref(), Ok(longer), "{text}");
            assert_eq!(remove(longer, List::Modules, "vfio_pci").as_deref(), Ok(text), "{longer}");
            if let Some(seen) = oracle::list(longer, "MODULES") {
                assert_eq!(seen, items(&[longer], List::Modules), "{longer}");
            }
        }
    }
}

#[test]
fn a_file_that_does_not_set_the_list_gets_a_line_that_adds_to_it() {
    assert_eq!(
        add("#MODULES=(no)", List::Modules, "vfio_pci", Place::First).as_deref(),
        Ok("#MODULES=(no)\nMODULES+=(vfio_pci)\n")
    );
}

#[test]
fn a_module_that_may_be_missing_is_the_same_module() {
    for text in ["MODULES=(vfio-pci?)\n", "MODULES=(vfio_pci)\n", "MODULES=\"ext4 vfio-pci\"\n"] {
        assert_eq!(add(text, List::Modules, "vfio_pci", Place::First).as_deref(), Ok(text));
        assert_ne!(remove(text, List::Modules, "vfio_pci").as_deref(), Ok(text));
    }
}

#[test]
fn a_later_drop_in_adds_or_sets_anew() {
    let main = "MODULES=(ext4)\nHOOKS=(base udev)\n";
    assert_eq!(items(&[main, "MODULES+=(vfio_pci)\n"], List::Modules), ["ext4", "vfio_pci"]);
    assert_eq!(items(&[main, "MODULES+=(vfio_pci)\n", "MODULES=(a)"], List::Modules), ["a"]);
    assert_eq!(items(&[main, "MODULES=\"a b\""], List::Modules), ["a", "b"]);
    assert_eq!(items(&[main, ""], List::Hooks), ["base", "udev"]);
    assert!(items(&[], List::Files).is_empty());
    assert_eq!(["a.conf", "a.conf.pacnew", "a"].map(is_read), [true, false, false]);
}

#[test]
fn a_string_and_an_array_are_not_joined() {
    let mixed = |line| ShellError::Mixed { name: "MODULES".to_owned(), line };
    assert_eq!(list(&["MODULES=\"a b\"", "MODULES+=(c)"], List::Modules), Err((1, mixed(1))));
    assert_eq!(list(&["MODULES=(a)\nMODULES+=\" c\""], List::Modules), Err((0, mixed(2))));
    assert_eq!(
        add("MODULES=\"a\"\nMODULES+=(c)\n", List::Modules, "x", Place::Last).map_err(|refused| refused.to_string()),
        Err("line 2: MODULES is a string in one place and an array in another, which the shell joins in an unexpected way; \
             write all of it as an array, NAME=(…) and NAME+=(…)"
            .to_owned())
    );
}

#[test]
fn hooks_of_both_inits_are_told_apart() {
    let hooks = |text| Hooks::of(&items(&[text], List::Hooks));
    assert_eq!(
        hooks("HOOKS=(base udev autodetect microcode modconf kms block filesystems fsck)"),
        Hooks { systemd: false, modconf: true, kms: true }
    );
    assert_eq!(
        hooks("HOOKS=(base systemd sd-vconsole sd-encrypt block)"),
        Hooks { systemd: true, modconf: false, kms: false }
    );
}

#[test]
fn files_are_added_and_patterns_beside_them_stay() {
    let text = "FILES=(/etc/firmware/*.bin \"/a b\")\n";
    let longer = "FILES=(/etc/firmware/*.bin \"/a b\" /etc/x)\n";
    assert_eq!(add(text, List::Files, "/etc/x", Place::Last).as_deref(), Ok(longer));
    assert_eq!(remove(longer, List::Files, "/etc/x").as_deref(), Ok(text));
    assert!(list(&[text], List::Files).is_err(), "what the pattern stands for is not known here");
}

#[test]
fn what_cannot_be_told_is_refused_with_its_line() {
    for text in [
        "\nMODULES=(a $(uname -r))",
        "\nMODULES=($X)",
        "\nif true; then\nMODULES=(a)\nfi",
        "\nMODULES=(a",
        "\n. /etc/other\nMODULES=(a)",
        "\nMODULES=\"a",
        "\nMODULES=([0]=a) x",
        "\ndeclare -a MODULES=(a)",
    ] {
        let refused = add(text, List::Modules, "x", Place::Last).expect_err(text);
        assert_eq!(refused.line, Some(2), "{text:?}: {refused}");
        assert!(!refused.cure.is_empty());
    }
}

#[test]
fn what_comes_first_in_an_empty_string_is_not_joined_to_the_next() {
    let text = "MODULES=\"\"\nMODULES+='a'";
    let longer = add(text, List::Modules, "x", Place::First).expect("can be added to");
    assert_eq!(longer, "MODULES=\"x \"\nMODULES+='a'");
    assert_eq!(remove(&longer, List::Modules, "x").as_deref(), Ok(text));
}

/// Files of lists as people write them, each in one form.
fn written() -> impl Strategy<Value = String> {
    let item = "([a-z_]{1,5}\\??|'[a-z]{1,3}'|\"[a-z]{1,3}\"|\\\\[a-z])";
    let between = "([ ]{1,2}|\n|[ ]# [a-z\"'(]{0,4}\n|\t)";
    let array = (prop_oneof![Just("="), Just("+=")], prop::collection::vec((item, between), 0..4), " ?")
        .prop_map(|(sign, items, end)| {
            let inner: String = items.into_iter().map(|(item, between)| item + &between).collect();
            format!("MODULES{sign}({end}{inner})")
        });
    let string = "MODULES\\+?=(\"[a-z_ \n]{0,8}\"|'[a-z ]{0,8}'|[a-z]{0,4}(\\\\ [a-z])?)";
    let other = "(#MODULES=\\([a-z\" ]{0,5}|HOOKS=\\(a b\\)|X=[a-z]{0,3}|:)( # MODULES=\\(.?)?";
    let list = prop_oneof![
        prop::collection::vec(prop_oneof![3 => array.boxed(), 1 => other.boxed()], 0..4),
        prop::collection::vec(prop_oneof![3 => string.boxed(), 1 => other.boxed()], 0..4),
    ];
    (list, "\n?").prop_map(|(lines, end)| format!("{}{end}", lines.join("\n")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn bash_sees_one_module_more_and_nothing_else(text in written(), first: bool) {
        let place = if first { Place::First } else { Place::Last };
        let Ok(longer) = add(&text, List::Modules, "new_module", place) else { return Ok(()) };
        prop_assert_eq!(remove(&text, List::Modules, "new_module"), Ok(text.clone()));
        if text.lines().any(|line| line.starts_with("MODULES")) {
            let shorter = remove(&longer, List::Modules, "new_module").expect("as before");
            // What comes first in a string that is joined to another gets a blank ahead of it, which stays.
            let joined = first && text.contains("MODULES+=") && !text.contains("MODULES+=(");
            prop_assert!(shorter == text || (joined && shorter.len() <= text.len() + 2), "{:?}", shorter);
        }
        let (Some(mut before), Some(after)) = (oracle::list(&text, "MODULES"), oracle::list(&longer, "MODULES")) else {
            return Ok(());
        };
        prop_assert_eq!(&items(&[&longer], List::Modules), &after, "{:?}", longer);
        before.insert(if first { 0 } else { before.len() }, "new_module".to_owned());
        prop_assert_eq!(before, after, "{:?}", longer);
        prop_assert_eq!(oracle::list(&text, "HOOKS"), oracle::list(&longer, "HOOKS"));
    }

    #[test]
    fn no_text_makes_it_panic(text: String, code in "(MODULES\\+?=|[a()\"'`$\\\\;# \n]){0,20}") {
        for text in [text, code] {
            let _ = (add(&text, List::Modules, "x", Place::First), remove(&text, List::Modules, "x"), list(&[&text], List::Hooks));
        }
    }
}
