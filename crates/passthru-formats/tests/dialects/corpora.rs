//! Files that people published: an edit that has nothing to do gives the same bytes, and one that is taken back does too.

use std::path::{Path, PathBuf};

use passthru_formats::mkinitcpio::{self, List};
use passthru_formats::shell::Place;
use passthru_formats::{bls, error, kernel_cmdline};

use super::{add, programs, remove};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The files of the corpora whose paths hold this; none, with a word about it, where the corpora are absent.
fn texts(part: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    if !folder.is_dir() {
        eprintln!("skipped: there is no {}", folder.display());
    }
    ["configs", "setups"]
        .iter()
        .flat_map(|name| files(&folder.join(name)))
        .filter(|path| path.to_string_lossy().contains(part))
        .map(|path| {
            let bytes = std::fs::read(&path).expect("reads");
            (path.display().to_string(), error::utf8(&bytes).expect("text").to_owned())
        })
        .collect()
}

#[test]
fn mkinitcpio_conf_of_all_years_changes_by_one_module_and_back() {
    for (path, text) in texts("mkinitcpio.conf") {
        for list in [List::Modules, List::Files, List::Hooks] {
            assert_eq!(mkinitcpio::remove(&text, list, "not_there").as_ref(), Ok(&text), "{path}");
        }
        for place in [Place::First, Place::Last] {
            let longer = mkinitcpio::add(&text, List::Modules, "new_module", place).expect(&path);
            let sets = mkinitcpio::remove(&text, List::Modules, "new_module").is_ok()
                && !longer.contains("MODULES+=(new_module)");
            if sets {
                assert_eq!(
                    mkinitcpio::remove(&longer, List::Modules, "new_module").as_ref(),
                    Ok(&text),
                    "{path}"
                );
            }
            let name = "{MODULES[*]}";
            let (Some(before), Some(after)) = (programs::bash(&text, name), programs::bash(&longer, name))
            else {
                continue;
            };
            let mut words: Vec<&str> = before.split_ascii_whitespace().collect();
            words.insert(if place == Place::First { 0 } else { words.len() }, "new_module");
            assert_eq!(
                words.join(" "),
                after.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
                "{path}"
            );
        }
    }
}

#[test]
fn loader_entries_change_by_one_word_and_back() {
    for (path, text) in texts("loader") {
        assert_eq!(bls::edit(&text, &remove("not_there")).as_ref(), Ok(&text), "{path}");
        let longer = bls::edit(&text, &add("new_word=1")).expect(&path);
        assert_eq!(bls::read(&longer).options, format!("{} new_word=1", bls::read(&text).options), "{path}");
        assert_eq!(bls::edit(&longer, &remove("new_word=1")).as_ref(), Ok(&text), "{path}");
        let line = format!("# from an entry\n{}\n", bls::read(&text).options);
        let longer = kernel_cmdline::edit(&line, &add("new_word=1")).expect(&path);
        assert_eq!(kernel_cmdline::edit(&longer, &remove("new_word=1")), Ok(line), "{path}");
    }
}
