use super::{edited, lines};
use passthru_model::virtualisation::{DomainEdit, DomainElement, Place};
use proptest::prelude::*;

const TEXT: &str = "<domain type='kvm'>\n  <os>\n    <loader type=\"rom\">/é.fd</loader><!-- old -->\n  </os>\n  <features>\n    <kvm>\n      <hidden state='on'/>\n    </kvm>\n    <hyperv/>\n  </features>\n  <devices>\n    <video/>\n    <hostdev a='1'><source/></hostdev>\n    <hostdev/>\n  </devices>\n</domain>\n";

fn changed(edits: &[DomainEdit]) -> String {
    edited("f", TEXT.as_bytes(), edits).expect("a domain")
}

fn remove(path: &str) -> DomainEdit {
    DomainEdit::Remove(Place::new(path))
}

#[test]
fn an_element_goes_with_its_line_and_leaves_what_stands_beside_it() {
    assert_eq!(
        changed(&[remove("features/kvm/hidden"), remove("os/loader")]),
        TEXT.replace("      <hidden state='on'/>\n", "").replace("<loader type=\"rom\">/é.fd</loader>", "")
    );
    // What is within goes along, and what is not there does nothing.
    assert_eq!(
        changed(&[remove("features/kvm"), remove("features/kvm/hidden"), remove("devices/hostdev[3]")]),
        TEXT.replace("    <kvm>\n      <hidden state='on'/>\n    </kvm>\n", "")
    );
}

#[test]
fn an_attribute_is_changed_or_added_and_escaped() {
    let set = |path: &str, value: &str| DomainEdit::set(Place::new(path), "type", value);
    assert_eq!(changed(&[set("os/loader", "pflash")]), TEXT.replace("\"rom\"", "\"pflash\""));
    assert_eq!(
        changed(&[set("devices/hostdev[2]", "a'<b"), set("devices/hostdev", "c")]),
        TEXT.replace("<hostdev/>", "<hostdev type='a&apos;&lt;b'/>").replace("a='1'>", "a='1' type='c'>")
    );
    assert_eq!(changed(&[set("", "qemu")]), TEXT.replace("'kvm'>", "'qemu'>"));
}

#[test]
fn elements_are_added_last_in_the_indent_of_their_like() {
    let on = [("state", "on")];
    let with = |from: &str, to: &str| TEXT.replace(from, to);
    assert_eq!(
        changed(&[
            DomainEdit::add("features/hyperv", "synic", &on),
            DomainEdit::add("features/hyperv", "synic", &on)
        ]),
        with("    <hyperv/>\n", "    <hyperv>\n      <synic state='on'/>\n    </hyperv>\n")
    );
    assert_eq!(
        changed(&[DomainEdit::add("clock", "timer", &on), DomainEdit::add("clock", "other", &[])]),
        with("</domain>", "  <clock>\n    <timer state='on'/>\n    <other/>\n  </clock>\n</domain>")
    );
    assert_eq!(
        changed(&[DomainEdit::add("devices/hostdev", "rom", &[])]),
        with("<source/></hostdev>", "<source/>\n      <rom/>\n    </hostdev>")
    );
    let mut video = DomainElement::new("video", &[]);
    video.children.push(DomainElement::new("model", &[("type", "none")]));
    assert_eq!(
        changed(&[
            remove("devices/video"),
            DomainEdit::Add { parent: Place::new("devices"), element: video }
        ]),
        with("    <video/>\n", "")
            .replace("  </devices>", "    <video>\n      <model type='none'/>\n    </video>\n  </devices>")
    );
}

#[test]
fn a_place_has_a_line_and_one_that_is_not_there_has_that_of_what_would_hold_it() {
    let places = ["os/loader", "devices/hostdev[2]", "devices/hostdev[9]", "features/hyperv/synic", ""]
        .map(Place::new);
    let found = lines("f", TEXT.as_bytes(), &places.iter().collect::<Vec<_>>()).expect("a domain");
    assert_eq!(found, [3, 14, 11, 9, 1]);
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        Just(Place::default()),
        "(os|features|devices|clock)(/(loader|kvm|hyperv|hostdev|video)(\\[[0-3]\\])?(/hidden)?)?"
            .prop_map(Place::new),
        ".{0,12}".prop_map(Place::new),
    ]
}

fn edit() -> impl Strategy<Value = DomainEdit> {
    prop_oneof![
        place().prop_map(DomainEdit::Remove),
        (place(), "[ -~é]{0,8}").prop_map(|(place, value)| DomainEdit::set(place, "state", value)),
        // Places are made of what the rules name, so what is made of them is a name.
        "(os|features|clock)(/(kvm|hyperv|new))?".prop_map(|parent| DomainEdit::add(
            &parent,
            "timer",
            &[("a", "b")]
        )),
    ]
}

proptest! {
    #[test]
    fn any_edits_leave_a_domain_or_nothing_at_all(edits in prop::collection::vec(edit(), 0..6)) {
        let text = changed(&edits);
        // The root itself may be taken out; everything else leaves a domain.
        let whole = edits.iter().any(|edit| matches!(edit, DomainEdit::Remove(place) if place.steps().count() == 0));
        prop_assert!(whole || crate::libvirt_domain::parse("f", text.as_bytes()).is_ok(), "{}", text);
        if edits.is_empty() {
            prop_assert_eq!(text, TEXT);
        }
    }

    #[test]
    fn no_bytes_make_an_edit_panic(edits in prop::collection::vec(edit(), 0..4), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = TEXT.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = edited("f", &bytes, &edits);
    }
}
