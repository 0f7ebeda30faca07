//! Kernel arguments of image-based systems: bootc's `kargs.d/*.toml` (bootc documentation, “Kernel arguments”), and what
//! `rpm-ostree kargs` prints.

use toml_edit::{DocumentMut, Item, Value};

use crate::cmdline::Change;
use crate::error::Refused;

/// The arguments of a file of bootc, in order.
pub fn read_bootc(text: &str) -> Result<Vec<String>, Refused> {
    let document = document(text)?;
    let Some(item) = document.get("kargs") else { return Ok(Vec::new()) };
    let words = item.as_array().and_then(|all| all.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    Ok(words.ok_or_else(not_a_list)?.into_iter().map(str::to_owned).collect())
}

/// A file of bootc with one change made to its arguments.
pub fn edit_bootc(text: &str, change: &Change) -> Result<String, Refused> {
    let there = read_bootc(text)?;
    let mut document = document(text)?;
    let array = document.entry("kargs").or_insert_with(|| Item::Value(Value::Array(toml_edit::Array::new())));
    let array = array.as_array_mut().ok_or_else(not_a_list)?;
    match change {
        Change::Add(new) if there.iter().any(|word| word == new.as_str()) => return Ok(text.to_owned()),
        Change::Add(new) => {
            let mut value = Value::from(new.as_str());
            // In a list of one word a line the new one gets a line, too.
            let own_line =
                array.iter().last().and_then(|last| last.decor().prefix()).and_then(|raw| raw.as_str());
            if let Some(prefix) = own_line.filter(|prefix| prefix.contains('\n')) {
                let blanks = prefix.rsplit('\n').next().unwrap_or_default();
                value.decor_mut().set_prefix(format!("\n{blanks}"));
                array.push_formatted(value);
            } else {
                array.push(new.as_str());
            }
        }
        Change::Remove(old) => array.retain(|value| value.as_str() != Some(old.as_str())),
        Change::Replace { old, new } => {
            for value in array.iter_mut().filter(|value| value.as_str() == Some(old.as_str())) {
                let decor = value.decor().clone();
                *value = Value::from(new.as_str());
                *value.decor_mut() = decor;
            }
        }
    }
    Ok(document.to_string())
}

fn document(text: &str) -> Result<DocumentMut, Refused> {
    text.parse::<DocumentMut>().map_err(|error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        Refused::at(
            line,
            format!("no TOML: {}", error.message().trim_end().replace('\n', "; ")),
            "mend the line",
        )
    })
}

fn not_a_list() -> Refused {
    Refused::whole("‘kargs’ is no list of texts", "write kargs = [\"word\", \"word\"]")
}

/// The command line in what `rpm-ostree kargs` prints: its last line. Older versions have a heading above it.
pub fn read_rpm_ostree(output: &str) -> &str {
    output.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{edit_bootc, read_bootc, read_rpm_ostree};
    use crate::cmdline::change::tests::{add, remove, replace};
    use proptest::prelude::*;

    const FILE: &str =
        "# of the image\nkargs = [\"quiet\", \"console=ttyS0\"] # two\nmatch-architectures = [\"x86_64\"]\n";

    #[test]
    fn one_argument_changes_and_comments_and_architectures_stay() {
        let longer = edit_bootc(FILE, &add("intel_iommu=on")).expect("a list");
        assert_eq!(longer, FILE.replace("ttyS0\"", "ttyS0\", \"intel_iommu=on\""));
        assert_eq!(edit_bootc(&longer, &remove("intel_iommu=on")).as_deref(), Ok(FILE));
        assert_eq!(edit_bootc(FILE, &replace("quiet", "a")), Ok(FILE.replace("quiet", "a")));
        let lines = "kargs = [\n  \"a\", # first\n  \"b\",\n]\n";
        assert_eq!(edit_bootc(lines, &add("x")), Ok(lines.replace("  \"b\",\n", "  \"b\",\n  \"x\",\n")));
        assert_eq!(edit_bootc("", &add("x")).as_deref(), Ok("kargs = [\"x\"]\n"));
    }

    #[test]
    fn what_is_no_list_of_texts_is_refused() {
        assert_eq!(
            edit_bootc("kargs = \"quiet\"\n", &add("x")).map_err(|refused| refused.to_string()),
            Err("‘kargs’ is no list of texts; write kargs = [\"word\", \"word\"]".to_owned())
        );
        assert!(edit_bootc("kargs = [1]\n", &add("x")).is_err());
        let refused = edit_bootc("a = 1\nkargs = [\n", &add("x")).expect_err("open");
        assert!(refused.line.is_some_and(|line| line >= 2), "{refused}");
        assert!(
            edit_bootc("kargs = []\nkargs = []\n", &add("x")).is_err(),
            "a key may not stand there twice"
        );
    }

    #[test]
    fn the_last_line_of_rpm_ostree_is_the_command_line() {
        assert_eq!(
            read_rpm_ostree("rhgb quiet ostree=/ostree/boot.1/x/0\n"),
            "rhgb quiet ostree=/ostree/boot.1/x/0"
        );
        assert_eq!(read_rpm_ostree("The kernel arguments are:\nquiet root=UUID=1\n\n"), "quiet root=UUID=1");
        assert_eq!(read_rpm_ostree(""), "");
    }

    proptest! {
        #[test]
        fn adding_and_taking_out_reads_the_same(words in prop::collection::vec("[a-z]{1,4}=[a-z ]{0,3}", 0..4), between in ", ?", end in "( # [a-z]{0,3})?\n?") {
            let list: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let text = format!("kargs = [{}]{end}", list.join(&between));
            prop_assert_eq!(edit_bootc(&text, &remove("new_word=1")).map(|same| same.trim_end().to_owned()), Ok(text.trim_end().to_owned()));
            let longer = edit_bootc(&text, &add("new_word=1")).expect("a list");
            prop_assert_eq!(read_bootc(&longer).map(|all| all.len()), Ok(words.len() + 1));
            prop_assert_eq!(edit_bootc(&longer, &remove("new_word=1")).and_then(|text| read_bootc(&text)), Ok(words));
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = (edit_bootc(&text, &add("x")), edit_bootc(&text, &remove("x")), read_rpm_ostree(&text).len());
        }
    }
}
