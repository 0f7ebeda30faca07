//! A command that a script runs, its words as far as they can be told without running it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::lexer::{Lexeme, Lexer, Quote, Unit, Word, line_of};
use super::statements::{Statement, statements};
use super::{ShellError, ShellFile, Variables};

/// One word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandWord {
    /// What it says; the shell code of it where only a running shell could tell.
    pub text: Result<String, String>,
    /// The line that it stands on, from 1. What comes from a variable stands where that is used, what comes from an array
    /// where it is an item of that.
    pub line: usize,
    /// Where it stands in the text.
    pub place: Range<usize>,
}

/// The words of each command of a script that starts a program whose path `is_wanted` accepts, from that on: what stands
/// before it (`sudo`, `exec`, assignments) is left out, as are redirections.
pub fn commands(text: &str, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Vec<CommandWord>>, ShellError> {
    let lexemes = Lexer::new(text).all()?;
    let mut found = Vec::new();
    for words in simple_commands(text, &lexemes) {
        let Some(start) = words.first().map(|word| word.raw.start) else { continue };
        for (at, word) in words.iter().enumerate() {
            // What is set after the command is not set yet. To look at all that is before takes long, so it is done only
            // for what may be wanted.
            let plain = Scope::default().one(text, word);
            let has_variable = word.units.iter().any(|unit| matches!(unit, Unit::Reference { .. }));
            let is_it = match plain {
                Ok(said) => is_wanted(&said),
                Err(_) if has_variable => {
                    Scope::before(text, start).one(text, word).is_ok_and(|said| is_wanted(&said))
                }
                Err(_) => false,
            };
            if is_it {
                let scope = Scope::before(text, start);
                found.push(words[at..].iter().flat_map(|word| scope.words(text, word)).collect());
                break;
            }
            // An option or a text is no program, nor is what follows one.
            if !may_precede_a_program(text, word) {
                break;
            }
        }
    }
    Ok(found)
}

/// Whether a program's name may follow: only words without blanks do, such as `sudo`, `taskset -c 2-7` and `A=b`.
fn may_precede_a_program(text: &str, word: &Word) -> bool {
    !text.get(word.raw.clone()).unwrap_or_default().contains(char::is_whitespace)
}

/// The words between what separates commands.
fn simple_commands<'a>(text: &str, lexemes: &'a [Lexeme]) -> Vec<Vec<&'a Word>> {
    let mut found = vec![Vec::new()];
    let mut redirected = false;
    for lexeme in lexemes {
        match lexeme {
            Lexeme::Word(_) if redirected => redirected = false,
            Lexeme::Word(word) => {
                if let Some(last) = found.last_mut() {
                    last.push(word);
                }
            }
            Lexeme::Operator(range) if text.get(range.clone()).is_some_and(|op| op.contains(['<', '>'])) => {
                redirected = true;
                // A number that touches it says which of the open files is meant.
                let number = |word: &&Word| {
                    word.raw.end == range.start
                        && word.plain(text).is_some_and(|raw| raw.bytes().all(|byte| byte.is_ascii_digit()))
                };
                if let Some(last) = found.last_mut()
                    && last.last().is_some_and(number)
                {
                    last.pop();
                }
            }
            Lexeme::Operator(_) | Lexeme::Newline(_) => {
                redirected = false;
                found.push(Vec::new());
            }
        }
    }
    found
}

/// What is set where a command stands.
#[derive(Default)]
struct Scope {
    variables: Variables,
    arrays: BTreeMap<String, Vec<Word>>,
}

impl Scope {
    /// Of what stands before a place. A condition or function that is open there makes what it sets unknown.
    fn before(text: &str, start: usize) -> Self {
        let mut scope = Self::default();
        let before = text.get(..start).unwrap_or_default();
        if let Ok(file) = ShellFile::parse(before) {
            file.evaluate(&mut scope.variables);
        }
        for statement in statements(before).unwrap_or_default() {
            match statement {
                Statement::Array(array) => {
                    let items = scope.arrays.entry(array.name).or_default();
                    if !array.append {
                        items.clear();
                    }
                    items.extend(array.items);
                }
                Statement::Assign(assignment) => drop(scope.arrays.remove(&assignment.name)),
                // What is conditional may change any array that it names.
                Statement::Opaque(range) => {
                    let code = before.get(range).unwrap_or_default();
                    scope
                        .arrays
                        .retain(|name, _| !super::statements::identifiers(code).any(|one| one == name));
                }
            }
        }
        scope
    }

    /// The words that one becomes: an array its items, an unquoted variable the words in it, all else one.
    fn words(&self, text: &str, word: &Word) -> Vec<CommandWord> {
        let raw = text.get(word.raw.clone()).unwrap_or_default();
        let line = line_of(text, word.raw.start);
        if let Some(items) = array_name(raw).and_then(|name| self.arrays.get(name)) {
            return items.iter().map(|item| self.single(text, item)).collect();
        }
        if let [Unit::Reference { name, quote: Quote::None, .. }] = word.units.as_slice()
            && let Some(Ok(value)) = self.variables.get(name)
        {
            let said = |one: &str| CommandWord { text: Ok(one.to_owned()), line, place: word.raw.clone() };
            return value.split_ascii_whitespace().map(said).collect();
        }
        vec![self.single(text, word)]
    }

    fn single(&self, text: &str, word: &Word) -> CommandWord {
        let line = line_of(text, word.raw.start);
        CommandWord { text: self.one(text, word), line, place: word.raw.clone() }
    }

    /// What a word says; its code where that cannot be told.
    fn one(&self, text: &str, word: &Word) -> Result<String, String> {
        let mut said = String::new();
        let code = || text.get(word.raw.clone()).unwrap_or_default().to_owned();
        for unit in &word.units {
            match unit {
                Unit::Char { c, .. } => said.push(*c),
                Unit::Reference { name, .. } => match self.variables.get(name) {
                    Some(Ok(value)) => said.push_str(value),
                    _ => return Err(code()),
                },
                Unit::Dynamic { .. } => return Err(code()),
            }
        }
        Ok(said)
    }
}

/// The array that `"${NAME[@]}"` stands for.
fn array_name(raw: &str) -> Option<&str> {
    let raw = raw.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(raw);
    let inner = raw.strip_prefix("${")?.strip_suffix('}')?;
    inner.strip_suffix("[@]").or_else(|| inner.strip_suffix("[*]"))
}

#[cfg(test)]
mod tests {
    use super::commands;
    use proptest::prelude::*;

    fn said(script: &str) -> Vec<String> {
        let commands = commands(script, |path| path.rsplit('/').next() == Some("qemu")).expect("readable");
        commands
            .into_iter()
            .flatten()
            .map(|word| format!("{} {}", word.line, word.text.unwrap_or_else(|code| format!("?{code}"))))
            .collect()
    }

    #[test]
    fn what_stands_before_the_program_and_redirections_are_left_out() {
        let script =
            "#!/bin/sh\nset -e\nA=1 exec sudo /usr/bin/qemu -m 'a b' \\\n  -S >log 2>&1 # end\nother\n";
        assert_eq!(said(script), ["3 /usr/bin/qemu", "3 -m", "3 a b", "4 -S"]);
        assert!(said("echo \"start qemu\"\nls\n").is_empty());
    }

    #[test]
    fn variables_and_arrays_stand_for_what_they_hold_and_the_rest_stays_code() {
        let script = "MEM=8G\nOPTS=\"-cpu host\"\nOPTS=\"$OPTS -S\"\nARGS=(\n  -m \"$MEM\"\n)\nARGS+=(-name x)\n\
                      if true; then SMP=4; fi\nqemu $OPTS \"${ARGS[@]}\" -smp $SMP -k \"$(id)\"\nMEM=9G\n";
        let wanted = [
            "9 qemu",
            "9 -cpu",
            "9 host",
            "9 -S",
            "5 -m",
            "5 8G",
            "7 -name",
            "7 x",
            "9 -smp",
            "9 ?$SMP",
            "9 -k",
            "9 ?\"$(id)\"",
        ];
        assert_eq!(said(script), wanted);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, more in "[A-Z+=()\"' \n#$a-z{}@\\[\\]\\\\]{0,80}") {
            let _ = commands(&text, |_| true);
            let _ = commands(&more, |path| path == "a");
        }
    }
}
