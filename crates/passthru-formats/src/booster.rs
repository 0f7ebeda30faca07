//! booster's settings, `/etc/booster.yaml`: a YAML mapping on one level. Only lines `key: value` with a plain or quoted value are
//! edited; what YAML can say beyond that is refused.
//!
//! `modules_force_load` is a comma list of modules that are put into the image and loaded before udev's events are handled.

use std::ops::Range;

use crate::cmdline::with_parts;
use crate::error::Refused;
use crate::key_value::new_line;
use crate::modules::canonical;

/// The list of modules that are loaded in any case.
const FORCE_LOAD: &str = "modules_force_load";

/// One key of the mapping.
struct Line<'a> {
    number: usize,
    key: &'a str,
    /// The value without its quotes.
    value: &'a str,
    /// Where the value stands, without its quotes.
    place: Range<usize>,
}

fn lines(text: &str) -> Result<Vec<Line<'_>>, Refused> {
    let mut found: Vec<Line<'_>> = Vec::new();
    let mut at = 0;
    for (index, whole) in text.split_inclusive('\n').enumerate() {
        let (start, number) = (at, index + 1);
        at += whole.len();
        let line = whole.trim_end();
        if line.trim_start().is_empty()
            || line.trim_start().starts_with('#')
            || (line == "---" && found.is_empty())
        {
            continue;
        }
        if line.starts_with([' ', '\t', '-', '.']) {
            // What belongs to another key is not looked at; what belongs to ours could be more of its value.
            match found.last() {
                Some(last) if last.key == FORCE_LOAD => return Err(unclear(number)),
                Some(_) if line.starts_with([' ', '-']) && !line.starts_with("---") => continue,
                _ => return Err(unclear(number)),
            }
        }
        let Some((key, rest)) = line.split_once(':') else { return Err(unclear(number)) };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if key.is_empty() || !key.chars().all(plain) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
            return Err(unclear(number));
        }
        let (value, offset) = value_of(rest).ok_or_else(|| unclear(number)).or_else(|error| {
            // Lists and blocks of other keys are no concern here.
            if key == FORCE_LOAD { Err(error) } else { Ok(("", rest.len())) }
        })?;
        if let Some(first) = found.iter().find(|line| line.key == key) {
            return Err(Refused::at(
                number,
                format!("{key} stands on line {} already", first.number),
                "leave only the line that is meant",
            ));
        }
        let from = start + key.len() + 1 + offset;
        found.push(Line { number, key, value, place: from..from + value.len() });
    }
    Ok(found)
}

fn unclear(number: usize) -> Refused {
    Refused::at(
        number,
        "YAML beyond plain lines ‘key: value’",
        format!("write the modules on one line, {FORCE_LOAD}: module,module"),
    )
}

/// The value of what follows a colon without quotes and comment, and where it begins; `None` where it is more than plain text.
fn value_of(rest: &str) -> Option<(&str, usize)> {
    let begin = rest.len() - rest.trim_start().len();
    let value = &rest[begin..];
    if value.starts_with('#') || value.is_empty() {
        return Some(("", begin.min(1)));
    }
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote) {
            let (inner, after) = inner.split_once(quote)?;
            let clear = !inner.contains('\\')
                && (after.is_empty()
                    || after.trim_start().starts_with('#') && after.starts_with([' ', '\t']));
            return clear.then_some((inner, begin + 1));
        }
    }
    let value = value.find(" #").map_or(value, |comment| &value[..comment]).trim_end();
    (!value.contains("\t#") && !value.starts_with(['[', '{', '|', '>', '&', '*', '!', '%', '@', '`']))
        .then_some((value, begin))
}

fn modules(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|module| !module.is_empty())
}

/// The modules that are loaded in any case, in order.
pub fn force_load(text: &str) -> Result<Vec<String>, Refused> {
    let lines = lines(text)?;
    let line = lines.iter().find(|line| line.key == FORCE_LOAD);
    Ok(line.map(|line| modules(line.value).map(str::to_owned).collect()).unwrap_or_default())
}

/// A file with modules ahead of those that are loaded in any case; modules that are there already stay where they are.
pub fn add_force_load(text: &str, new: &[&str]) -> Result<String, Refused> {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if let Some(bad) = new.iter().find(|module| module.is_empty() || !module.chars().all(name)) {
        return Err(Refused::whole(
            format!("‘{}’ is no name of a module", bad.escape_debug()),
            "give the name that modinfo shows",
        ));
    }
    let lines = lines(text)?;
    let line = lines.iter().find(|line| line.key == FORCE_LOAD);
    let there = |module: &str| {
        line.is_some_and(|line| modules(line.value).any(|one| canonical(one) == canonical(module)))
    };
    let missing: Vec<&str> = new.iter().copied().filter(|module| !there(module)).collect();
    let joined = missing.join(",");
    Ok(match line {
        _ if missing.is_empty() => text.to_owned(),
        Some(line) if line.value.is_empty() => {
            let apart = if text.get(..line.place.start).is_some_and(|before| before.ends_with(':')) {
                " "
            } else {
                ""
            };
            with_parts(text, [(line.place.clone(), format!("{apart}{joined}"))])
        }
        Some(line) => with_parts(text, [(line.place.start..line.place.start, format!("{joined},"))]),
        None => format!("{text}{}", new_line(text, &format!("{FORCE_LOAD}: {joined}"))),
    })
}

/// A file without one of the modules that are loaded in any case.
pub fn remove_force_load(text: &str, module: &str) -> Result<String, Refused> {
    let lines = lines(text)?;
    let Some(line) = lines.iter().find(|line| line.key == FORCE_LOAD) else { return Ok(text.to_owned()) };
    let is = |one: &str| canonical(one.trim()) == canonical(module);
    if !line.value.split(',').any(is) {
        return Ok(text.to_owned());
    }
    let left: Vec<&str> = line.value.split(',').filter(|one| !is(one)).collect();
    Ok(with_parts(text, [(line.place.clone(), left.join(",").trim().to_owned())]))
}

#[cfg(test)]
mod tests {
    use super::{add_force_load, force_load, remove_force_load};
    use proptest::prelude::*;

    #[test]
    fn modules_are_merged_ahead_of_those_that_are_there_and_comments_stay() {
        for (text, longer) in [
            ("", "modules_force_load: vfio_pci,vfio\n"),
            ("compression: zstd # fast", "compression: zstd # fast\nmodules_force_load: vfio_pci,vfio\n"),
            (
                "# mine\nmodules_force_load: ext4 # why\nmodules: a,b\n",
                "# mine\nmodules_force_load: vfio_pci,vfio,ext4 # why\nmodules: a,b\n",
            ),
            ("modules_force_load: \"ext4, xfs\"\n", "modules_force_load: \"vfio_pci,vfio,ext4, xfs\"\n"),
            ("modules_force_load:\n", "modules_force_load: vfio_pci,vfio\n"),
            ("modules_force_load: vfio-pci\n", "modules_force_load: vfio,vfio-pci\n"),
            (
                "network:\n  dhcp: on\nmodules_force_load: a\n",
                "network:\n  dhcp: on\nmodules_force_load: vfio_pci,vfio,a\n",
            ),
        ] {
            assert_eq!(add_force_load(text, &["vfio_pci", "vfio"]).as_deref(), Ok(longer), "{text}");
        }
        let text = "modules_force_load: a,b # c\n";
        assert_eq!(remove_force_load(text, "a").as_deref(), Ok("modules_force_load: b # c\n"));
        assert_eq!(force_load(text).as_deref(), Ok(["a".to_owned(), "b".to_owned()].as_slice()));
    }

    #[test]
    fn yaml_that_could_mean_more_is_refused_with_its_line() {
        for text in [
            "\nmodules_force_load: [a, b]",
            "\nmodules_force_load: &x a",
            "\nmodules_force_load: |\n  a",
            "\n{modules_force_load: a}",
            "\n\"modules_force_load\": a",
            "\nmodules_force_load: \"a",
            "\n? modules_force_load",
        ] {
            let refused = add_force_load(text, &["x"]).expect_err(text);
            assert_eq!(refused.line, Some(2), "{text:?}: {refused}");
        }
        assert_eq!(
            add_force_load("modules_force_load: a\n\nmodules_force_load: b\n", &["x"])
                .map_err(|refused| refused.to_string()),
            Err("line 3: modules_force_load stands on line 1 already; leave only the line that is meant"
                .to_owned())
        );
        assert!(add_force_load("modules_force_load: a\n  b\n", &["x"]).is_err());
        assert!(add_force_load("", &["a b"]).is_err());
    }

    proptest! {
        #[test]
        fn adding_and_taking_out_gives_the_same_bytes(
            others in prop::collection::vec("(compression: [a-z]{1,4}|#[ -~]{0,6}|network:\n  dhcp: on|)( # .?)?", 0..4),
            value in "([a-z]{1,3}(, ?[a-z]{1,3}){0,3}( # [a-z:]{0,3})?|\"[a-z]{1,3}\"|'[a-z]{1,3}')",
            end in "\n?",
        ) {
            let text = format!("{}\nmodules_force_load: {value}{end}", others.join("\n"));
            let Ok(longer) = add_force_load(&text, &["new_module"]) else { return Ok(()) };
            let mut expected = force_load(&text).expect("plain");
            expected.insert(0, "new_module".to_owned());
            prop_assert_eq!(force_load(&longer).expect("plain"), expected);
            prop_assert_eq!(remove_force_load(&longer, "new_module"), Ok(text));
        }

        #[test]
        fn no_text_makes_it_panic(text: String, code in "(modules_force_load|[:,a \n#\"'-])*") {
            for text in [text, code] {
                let _ = (add_force_load(&text, &["x"]), remove_force_load(&text, "a"));
            }
        }
    }
}
