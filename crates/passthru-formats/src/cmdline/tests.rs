use super::{CommandLine, Splice, append, remove, replace, same_name, without_item};
use proptest::prelude::*;

fn added(text: &str, token: &str) -> String {
    append(text, token).map_or_else(|| text.to_owned(), |splice| splice.apply(text))
}

fn removed(text: &str, token: &str) -> String {
    remove(text, token).map_or_else(|| text.to_owned(), |splice| splice.apply(text))
}

#[test]
fn quotes_keep_blanks_together() {
    let line = CommandLine::new("quiet  dyndbg=\"file x +p\" \"a b=c d\"\tro\n");
    let words: Vec<&str> = line.words().map(super::Token::text).collect();
    assert_eq!(words, ["quiet", "dyndbg=\"file x +p\"", "\"a b=c d\"", "ro"]);
    assert_eq!(line.value("dyndbg"), Some("file x +p"));
    assert_eq!(line.value("a b"), Some("c d"));
}

#[test]
fn a_dash_and_an_underscore_are_the_same_letter_in_names_only() {
    let line = CommandLine::new("vfio_pci.ids=10de:13c2 vfio-pci.ids=10de:0fbb");
    assert_eq!(line.value("vfio-pci.ids"), Some("10de:0fbb"), "the last one wins");
    assert!(same_name("intel-iommu", "intel_iommu"));
    assert!(!line.has_word("vfio-pci.ids=10de:13c2"));
}

#[test]
fn the_items_of_all_lists_are_seen() {
    let line = CommandLine::new("intel_iommu=on,sm_on quiet intel_iommu=off");
    assert_eq!(line.items("intel_iommu").collect::<Vec<_>>(), ["on", "sm_on", "off"]);
}

#[test]
fn what_follows_two_dashes_is_for_init() {
    let line = CommandLine::new("ro -- intel_iommu=off passthru.off");
    assert!(!line.has("intel_iommu"));
    assert!(line.is_passthru_off(), "a program that reads the words sees it");
    assert_eq!(added("ro -- single", "intel_iommu=on"), "ro intel_iommu=on -- single");
    assert_eq!(added("-- single", "x"), "x -- single");
}

#[test]
fn no_part_of_a_word_is_taken_for_the_word() {
    let line = "amd_iommu=on intel_iommu=on,igfx_off xpassthru.off passthru.offx passthru.off=0";
    assert_eq!(removed(line, "iommu=on"), line);
    assert_eq!(removed(line, "intel_iommu=on"), line);
    assert!(!CommandLine::new(line).is_passthru_off());
}

#[test]
fn one_item_goes_and_the_rest_of_the_list_stays() {
    assert_eq!(without_item("intel_iommu=off,sm_on", "off").as_deref(), Some("intel_iommu=sm_on"));
    assert_eq!(without_item("intel_iommu=off", "off"), None);
    let line = "quiet intel_iommu=off,sm_on ro";
    let splice = replace(line, "intel_iommu=off,sm_on", "intel_iommu=sm_on").expect("there");
    assert_eq!(splice.apply(line), "quiet intel_iommu=sm_on ro");
}

proptest! {
    #[test]
    fn words_cover_all_that_is_not_blank(text in "[a-z\"= \t=,-]{0,40}") {
        let mut rest = text.clone();
        for word in CommandLine::new(&text).words() {
            rest.replace_range(word.range(), &" ".repeat(word.text().len()));
            let _ = (word.name(), word.value());
        }
        prop_assert!(rest.trim().is_empty(), "{rest:?}");
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}", token in "\\PC{1,10}") {
        let _ = (added(&text, &token), removed(&text, &token));
    }

    #[test]
    fn what_is_added_can_be_taken_out_again(text in "([a-z=,]{1,5}|[ \t]|--){0,12}", token in "[a-z]{1,3}_[a-z=]{1,4}") {
        let line = CommandLine::new(&text);
        prop_assume!(!line.has_word(&token));
        let longer = added(&text, &token);
        prop_assert!(CommandLine::new(&longer).parameters().any(|word| word.text() == token), "{longer:?}");
        prop_assert_eq!(removed(&longer, &token), text.clone());
    }

    #[test]
    fn an_edit_leaves_all_other_words_as_they_were(words in prop::collection::vec("[a-z]{1,4}(=[a-z,]{0,4})?", 0..6), at: prop::sample::Index) {
        prop_assume!(!words.is_empty());
        let victim = words[at.index(words.len())].clone();
        let text = words.join(" ");
        let after = removed(&text, &victim);
        let mut expected = words.clone();
        let first = expected.iter().position(|word| *word == victim).expect("it is one of them");
        expected.remove(first);
        let left: Vec<&str> = CommandLine::new(&after).words().map(super::Token::text).collect();
        prop_assert_eq!(left, expected);
    }
}

#[test]
fn a_splice_puts_text_in_place_of_a_range() {
    assert_eq!(Splice { range: 1..2, text: "xyz".to_owned() }.apply("abc"), "axyzc");
}
