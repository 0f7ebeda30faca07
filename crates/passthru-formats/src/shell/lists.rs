//! Variables that hold lists, as mkinitcpio.conf(5) and dracut.conf(5) have them: arrays `NAME=(a b)`, strings `NAME="a b"`,
//! and both with `+=`.

use std::collections::BTreeMap;

use super::lexer::{Lexeme, Lexer, Unit, Word, line_of};
use super::statements::identifiers;
use super::{ShellError, dynamic};

/// One word of a list, and the line it stands on, from 1.
pub type Item = (String, usize);

/// What is known of each list: its words in order, or why they cannot be told.
pub type Lists = BTreeMap<String, Result<Vec<Item>, ShellError>>;

/// Reads a file on top of others. Lists that are set in conditions, loops and functions are errors, as are those whose words
/// only a running shell would know.
pub fn read(text: &str, lists: &mut Lists) -> Result<(), ShellError> {
    let lexemes = Lexer::new(text).all()?;
    let mut at = 0;
    let mut depth = 0_usize;
    while let Some(lexeme) = lexemes.get(at) {
        at += 1;
        let Lexeme::Word(word) = lexeme else { continue };
        let raw = text.get(word.raw.clone()).unwrap_or_default();
        // Inside conditions and loops nothing is certain; the words that open and close them are counted.
        match raw {
            "if" | "case" | "for" | "while" | "until" | "{" => depth += 1,
            "fi" | "esac" | "done" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let Some((name, append, rest)) = assignment(raw) else { continue };
        let line = line_of(text, word.raw.start);
        let is_array = rest.is_empty()
            && matches!(lexemes.get(at), Some(Lexeme::Operator(range))
            if range.start == word.raw.end && text.get(range.clone()) == Some("("));
        let value = if is_array {
            let mut words = Ok(Vec::new());
            at += 1;
            while let Some(lexeme) = lexemes.get(at) {
                at += 1;
                match lexeme {
                    Lexeme::Operator(range) if text.get(range.clone()) == Some(")") => break,
                    Lexeme::Word(word) => {
                        let said = said(text, name, word, 0);
                        let line = line_of(text, word.raw.start);
                        words = words.and_then(|mut all: Vec<Item>| {
                            all.push((said?, line));
                            Ok(all)
                        });
                    }
                    Lexeme::Operator(_) | Lexeme::Newline(_) => {}
                }
            }
            words
        } else {
            let skip = raw.len() - rest.len();
            said(text, name, word, skip)
                .map(|value| value.split_ascii_whitespace().map(|one| (one.to_owned(), line)).collect())
        };
        let value = if depth > 0 { Err(dynamic(name, line, raw)) } else { value };
        match (append, lists.get_mut(name)) {
            (true, Some(known)) => {
                let before = std::mem::replace(known, Ok(Vec::new()));
                *known = match (before, value) {
                    (Ok(mut before), Ok(more)) => {
                        before.extend(more);
                        Ok(before)
                    }
                    (Err(error), _) | (_, Err(error)) => Err(error),
                };
            }
            _ => {
                lists.insert(name.to_owned(), value);
            }
        }
    }
    Ok(())
}

/// `NAME=REST` or `NAME+=REST`.
fn assignment(raw: &str) -> Option<(&str, bool, &str)> {
    let (name, rest) = raw.split_once('=')?;
    let (name, append) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
    let mut parts = identifiers(name);
    (parts.next() == Some(name)).then_some((name, append, rest))
}

/// What a word says from its `skip`th unit on. In `NAME=` each byte is a unit of its own.
fn said(text: &str, name: &str, word: &Word, skip: usize) -> Result<String, ShellError> {
    let mut value = String::new();
    for unit in word.units.iter().skip(skip) {
        match unit {
            Unit::Char { c, .. } => value.push(*c),
            Unit::Reference { raw, .. } | Unit::Dynamic { raw } => {
                let code = text.get(raw.clone()).unwrap_or_default();
                return Err(dynamic(name, line_of(text, raw.start), code));
            }
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::{Lists, read};
    use proptest::prelude::*;

    fn words(text: &str, name: &str) -> Option<Vec<String>> {
        let mut lists = Lists::new();
        read(text, &mut lists).expect("readable");
        Some(lists.remove(name)?.ok()?.into_iter().map(|(word, _)| word).collect())
    }

    #[test]
    fn a_list_has_been_a_string_and_an_array_and_a_comment_is_neither() {
        for text in [
            "#MODULES=(no)\nMODULES=(a b-c)\n",
            "MODULES=\"a b-c\"",
            "MODULES='a b-c'",
            "MODULES=()\nMODULES+=(a # one\n b-c)\n",
            "MODULES=\"a\"\nMODULES+=\" b-c \"\n",
        ] {
            assert_eq!(words(text, "MODULES"), Some(vec!["a".to_owned(), "b-c".to_owned()]), "{text}");
        }
        assert_eq!(words("HOOKS=(a)", "MODULES"), None);
    }

    #[test]
    fn what_only_a_shell_would_know_is_not_told() {
        let mut lists = Lists::new();
        read(
            "MODULES=(a $(uname -r))\nif true; then\nHOOKS=(b)\nfi\nFILES=\"$X\"\nBINARIES=(c)\n",
            &mut lists,
        )
        .expect("readable");
        let known: Vec<_> =
            lists.iter().filter(|(_, list)| list.is_ok()).map(|(name, _)| name.as_str()).collect();
        assert_eq!((lists.len(), known), (4, vec!["BINARIES"]));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, more in "[A-Z+=()\"' \n#$a-z]{0,60}") {
            let mut lists = Lists::new();
            let _ = read(&text, &mut lists);
            let _ = read(&more, &mut lists);
        }
    }
}
