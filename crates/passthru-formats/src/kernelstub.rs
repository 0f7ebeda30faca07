//! kernelstub's settings, `/etc/kernelstub/configuration`: JSON, whose `user.kernel_options` is a list of words. Everything else
//! stays as it is written, the order of keys and the indentation too.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cmdline::{Change, Parameter};
use crate::error::Refused;

// A key that stands there twice is an error of serde's: readers differ in which of the two counts.
#[derive(Deserialize)]
struct Configuration<'a> {
    #[serde(borrow)]
    user: User<'a>,
}

#[derive(Deserialize)]
struct User<'a> {
    #[serde(borrow)]
    kernel_options: Vec<&'a RawValue>,
}

/// One word, and where its JSON string stands in the text.
struct Item {
    word: String,
    place: Range<usize>,
}

fn items(text: &str) -> Result<Vec<Item>, Refused> {
    let read: Configuration<'_> = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    read.user
        .kernel_options
        .into_iter()
        .map(|raw| {
            // The raw value is a part of the text, so the distance of the two is where it stands.
            let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
            let word = serde_json::from_str(raw.get()).map_err(|error| wrong(&error))?;
            Ok(Item { word, place: start..start + raw.get().len() })
        })
        .collect()
}

fn wrong(error: &serde_json::Error) -> Refused {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    Refused::at(
        error.line().max(1),
        format!("not settings of kernelstub with a list user.kernel_options: {reason}"),
        "mend the file, or let `kernelstub --add-options` write it anew",
    )
}

/// The words that the file gives.
pub fn read(text: &str) -> Result<Vec<String>, Refused> {
    Ok(items(text)?.into_iter().map(|item| item.word).collect())
}

/// Whether the settings have it make entries of systemd-boot, and leave the firmware's own boot entries alone.
pub fn makes_entries(text: &str) -> Result<bool, Refused> {
    #[derive(Deserialize)]
    struct Modes {
        user: Mode,
    }
    #[derive(Deserialize)]
    struct Mode {
        #[serde(default)]
        setup_loader: bool,
        #[serde(default)]
        manage_mode: bool,
    }
    let modes: Modes = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    Ok(modes.user.setup_loader && modes.user.manage_mode)
}

/// A file with one change made to the list of words. Words after `--` belong to init, and one that is added comes before them.
pub fn edit(text: &str, change: &Change) -> Result<String, Refused> {
    let items = items(text)?;
    let end = items.iter().position(|item| item.word == "--").unwrap_or(items.len());
    match change {
        Change::Add(new) => Ok(added(text, &items, end, new)?),
        Change::Replace { old, new } => {
            let mut edited = text.to_owned();
            for item in items[..end].iter().rev().filter(|item| item.word == old.as_str()) {
                edited.replace_range(item.place.clone(), &string(new)?);
            }
            Ok(edited)
        }
        Change::Remove(old) => {
            let mut edited = text.to_owned();
            for (index, item) in items[..end].iter().enumerate().rev() {
                if item.word == old.as_str() {
                    // With what is between it and its neighbour: the comma and the line break.
                    let range =
                        match (index.checked_sub(1).and_then(|at| items.get(at)), items.get(index + 1)) {
                            (Some(before), _) => before.place.end..item.place.end,
                            (None, Some(next)) => item.place.start..next.place.start,
                            (None, None) => item.place.clone(),
                        };
                    edited.replace_range(range, "");
                }
            }
            // All words may have gone from the front one after the other, and left a comma of the last.
            read(&edited)?;
            Ok(edited)
        }
    }
}

fn added(text: &str, items: &[Item], end: usize, new: &Parameter) -> Result<String, Refused> {
    if items[..end].iter().any(|item| item.word == new.as_str()) {
        return Ok(text.to_owned());
    }
    let new = string(new)?;
    let mut edited = text.to_owned();
    match (end.checked_sub(1).and_then(|at| items.get(at)), items.get(end), items.get(1)) {
        (Some(last), _, second) => {
            // What is between the first two words is between all.
            let between = second.and_then(|second| text.get(items[0].place.end..second.place.start));
            let between =
                between.map_or_else(|| format!(",{}", indentation(text, last.place.start)), str::to_owned);
            edited.insert_str(last.place.end, &format!("{between}{new}"));
        }
        (None, Some(next), _) => {
            let between = indentation(text, next.place.start);
            edited.insert_str(next.place.start, &format!("{new},{between}"));
        }
        (None, None, _) => {
            let key = text.find("\"kernel_options\"").unwrap_or_default();
            let at = text[key..].find('[').map_or(text.len(), |open| key + open + 1);
            edited.insert_str(at, &new);
        }
    }
    // The list that was found by its key must be the one that is read.
    let count = read(&edited)?.len();
    if count == items.len() + 1 {
        Ok(edited)
    } else {
        Err(Refused::whole(
            "its list of words is not to be told apart",
            "let `kernelstub --add-options` write it anew",
        ))
    }
}

/// The blanks ahead of a place back to the last thing that is written, line break and all; one blank where there are none.
fn indentation(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    match &before[before.trim_end().len()..] {
        "" => " ",
        blanks => blanks,
    }
}

fn string(word: &Parameter) -> Result<String, Refused> {
    serde_json::to_string(word.as_str()).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::{edit, makes_entries, read};
    use crate::cmdline::change::tests::{add, remove, replace};
    use proptest::prelude::*;

    const POP: &str = "{\n  \"default\": {\n    \"kernel_options\": [\n      \"quiet\"\n    ],\n    \"esp_path\": \"/boot/efi\"\n  },\n  \
                       \"user\": {\n    \"kernel_options\": [\n      \"quiet\",\n      \"loglevel=0\",\n      \
                       \"systemd.show_status=false\"\n    ],\n    \"esp_path\": \"/boot/efi\",\n    \"setup_loader\": true\n  }\n}\n";

    #[test]
    fn one_word_changes_in_the_user_s_list_and_the_format_stays() {
        let longer = edit(POP, &add("intel_iommu=on")).expect("plain");
        assert_eq!(longer, POP.replace("status=false\"\n", "status=false\",\n      \"intel_iommu=on\"\n"));
        assert_eq!(edit(&longer, &remove("intel_iommu=on")).as_deref(), Ok(POP));
        assert_eq!(
            edit(POP, &replace("loglevel=0", "a=\"b c\"")),
            Ok(POP.replace("loglevel=0", "a=\\\"b c\\\""))
        );
        let one = "{\"user\":{\"kernel_options\":[\"quiet\"]}}";
        assert_eq!(edit(one, &add("x")).as_deref(), Ok("{\"user\":{\"kernel_options\":[\"quiet\", \"x\"]}}"));
        assert_eq!(edit(one, &remove("quiet")).as_deref(), Ok("{\"user\":{\"kernel_options\":[]}}"));
        assert_eq!(
            edit("{\"user\":{\"kernel_options\":[ ]}}", &add("x")).as_deref(),
            Ok("{\"user\":{\"kernel_options\":[\"x\" ]}}")
        );
        let two = "{\"user\":{\"kernel_options\":[\"x\",\"--\",\"x\"]}}";
        assert_eq!(edit(two, &remove("x")).as_deref(), Ok("{\"user\":{\"kernel_options\":[\"--\",\"x\"]}}"));
        assert_eq!(
            edit(two, &add("y")).as_deref(),
            Ok("{\"user\":{\"kernel_options\":[\"x\",\"y\",\"--\",\"x\"]}}")
        );
    }

    #[test]
    fn entries_are_made_where_both_modes_say_so() {
        assert_eq!(makes_entries(POP), Ok(false), "manage_mode is not there");
        let both = POP.replace("\"setup_loader\": true", "\"setup_loader\": true, \"manage_mode\": true");
        assert_eq!(makes_entries(&both), Ok(true));
        assert!(makes_entries("{").is_err());
    }

    #[test]
    fn what_is_no_list_or_there_twice_is_refused_with_its_line() {
        let refused = |text| edit(text, &add("x")).expect_err("no list").to_string();
        assert_eq!(
            refused("{\n\"user\": {\"kernel_options\": [],\n\"kernel_options\": []}}"),
            "line 3: not settings of kernelstub with a list user.kernel_options: duplicate field `kernel_options`; mend the file, \
             or let `kernelstub --add-options` write it anew"
        );
        for text in [
            "",
            "{",
            "{}",
            "{\"user\":{\"kernel_options\":\"quiet\"}}",
            "{\"user\":{\"kernel_options\":[1]}}",
            "{\"user\":{}}",
        ] {
            assert!(edit(text, &add("x")).is_err(), "{text}");
        }
    }

    fn written() -> impl Strategy<Value = String> {
        ("[ \n]{0,3}", "[ \n]{0,3}", "[ \n]{0,3}", prop::collection::vec("[a-z=]{1,3}( |=\\\\\"b c\\\\\")?", 0..4), "\n?").prop_map(
            |(open, between, close, words, end)| {
                let list: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("{{\"z\":{open}1,\"user\":{between}{{\"kernel_options\":[{open}{}{close}],\"a\":{{}} }}{close}}}{end}", list.join(&format!(",{between}")))
            },
        )
    }

    proptest! {
        #[test]
        fn adding_and_taking_out_gives_the_same_bytes_and_one_word_more_is_read(text in written()) {
            let longer = edit(&text, &add("new_word=1")).expect("plain");
            let mut words = read(&text).expect("plain");
            words.push("new_word=1".to_owned());
            prop_assert_eq!(read(&longer).expect("plain"), words);
            prop_assert_eq!(edit(&longer, &remove("new_word=1")), Ok(text.clone()));
            prop_assert_eq!(edit(&text, &remove("new_word=1")), Ok(text));
        }

        #[test]
        fn no_text_makes_it_panic(text: String, code in "(\"user\":|\"kernel_options\":|[{}\\[\\]\", a:])*") {
            for text in [text, code] {
                let _ = (edit(&text, &add("x")), edit(&text, &remove("a")));
            }
        }
    }
}
