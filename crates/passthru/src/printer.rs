//! The one place that writes to the terminal. Data goes to standard output, talk to standard error.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use passthru_model::Verdict;

use crate::args::ColorWhen;
use crate::exit::{Exit, Failure};

/// Bold, for headings and what the eye should find first.
pub(crate) const STRONG: Style = Style::new().bold();
/// Faint, for what may be skipped.
pub(crate) const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const MIDDLING: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
/// How many bytes are written at once.
const AT_ONCE: usize = 64 * 1024;
const HUNK: Style = AnsiColor::Cyan.on_default();

/// Writes text and JSON, with colour where it is wanted. Colour only ever repeats what a word says already.
#[derive(Debug)]
pub(crate) struct Printer {
    color: anstream::ColorChoice,
    /// Whether results are printed as JSON.
    pub(crate) json: bool,
    /// Where a test keeps the data, which then goes nowhere else.
    #[cfg(test)]
    kept: Option<std::cell::RefCell<String>>,
}

impl Printer {
    /// A printer as the arguments ask for it.
    pub(crate) fn new(color: ColorWhen, json: bool) -> Self {
        let color = match color {
            ColorWhen::Auto => anstream::ColorChoice::Auto,
            ColorWhen::Always => anstream::ColorChoice::Always,
            ColorWhen::Never => anstream::ColorChoice::Never,
        };
        Self {
            color,
            json,
            #[cfg(test)]
            kept: None,
        }
    }

    /// A printer that keeps what it is told to print.
    #[cfg(test)]
    pub(crate) fn keeping(json: bool) -> Self {
        Self { kept: Some(std::cell::RefCell::default()), ..Self::new(ColorWhen::Never, json) }
    }

    /// What was kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> String {
        self.kept.as_ref().map(|kept| kept.borrow().clone()).unwrap_or_default()
    }

    /// Writes data to standard output. A reader that has gone away ends the program quietly.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        self.pieces([text])
    }

    /// The same of a text in pieces, which need not be put together for it.
    pub(crate) fn pieces<'a>(&self, pieces: impl IntoIterator<Item = &'a str>) -> Result<(), Failure> {
        #[cfg(test)]
        if let Some(kept) = &self.kept {
            kept.borrow_mut().extend(pieces);
            return Ok(());
        }
        let colour = anstream::AutoStream::new(io::stdout(), self.color).current_choice();
        let styled = colour != anstream::ColorChoice::Never;
        // Standard output by itself would write it line by line.
        let mut stream = io::BufWriter::with_capacity(AT_ONCE, io::stdout().lock());
        let mut pieces = pieces.into_iter();
        let written = pieces.try_for_each(|piece| {
            if styled { stream.write_all(piece.as_bytes()) } else { write_without_styles(&mut stream, piece) }
        });
        match written.and_then(|()| stream.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::no(format!("standard output cannot be written: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// Writes one JSON document to standard output.
    pub(crate) fn json_document(&self, value: &impl serde::Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::no(format!("the result cannot be written as JSON: {error}")))?;
        text.push('\n');
        self.data(&text)
    }

    /// Says something to the user on standard error. That it cannot be said is no reason to fail.
    pub(crate) fn say(&self, text: &str) {
        #[cfg(test)]
        if self.kept.is_some() {
            return;
        }
        let mut stream = anstream::AutoStream::new(io::stderr(), self.color).lock();
        let _ = writeln!(stream, "{text}");
    }

    /// Says why the program ends with an error, and what to do.
    pub(crate) fn failure(&self, failure: &Failure) {
        let word = if failure.exit == Exit::Refused { "refused" } else { "error" };
        let mut text = format!("{BAD}{word}:{BAD:#} {}", plain(&failure.message));
        for hint in &failure.hints {
            let _ = write!(text, "\n  {STRONG}→{STRONG:#} {}", plain(hint));
        }
        self.say(&text);
    }
}

/// Whether a person can be asked something: both ends are a terminal.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A verdict as a word of fixed width, coloured.
pub(crate) fn verdict(verdict: Verdict) -> String {
    let style = match verdict {
        Verdict::Pass => GOOD,
        Verdict::Warn | Verdict::Unknown => MIDDLING,
        Verdict::Fail => BAD,
        Verdict::Skip => FAINT,
    };
    format!("{style}{:<7}{style:#}", verdict.word())
}

/// Text from outside, made harmless for a terminal: control characters are shown and not obeyed.
///
/// Newlines and tabs stay; everything else below U+0020, DEL, the C1 controls and the bidirectional overrides are
/// written as an escape.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    // Nearly all text is ASCII without a control character, which is seen at a glance.
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let hostile = (character.is_control() && !matches!(character, '\n' | '\t'))
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
        if hostile {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// Writes a text without the styles that are written into it here (`ESC [ … m`): all other text has been made [`plain`] before.
fn write_without_styles(out: &mut impl io::Write, text: &str) -> io::Result<()> {
    text.split('\u{1b}').enumerate().try_for_each(|(part, piece)| {
        let styled = piece.strip_prefix('[').filter(|_| part > 0);
        let rest = styled.and_then(|styled| Some(styled.split_once('m')?.1));
        out.write_all(rest.unwrap_or(piece).as_bytes())
    })
}

/// A unified difference with coloured lines; `+` and `-` carry the meaning.
pub(crate) fn difference(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in plain(text).lines() {
        let style = match line.as_bytes().first() {
            Some(b'+') => ADDED,
            Some(b'-') => REMOVED,
            Some(b'@') => HUNK,
            _ => Style::new(),
        };
        let _ = writeln!(out, "      {style}{line}{style:#}");
    }
    out
}

/// Wraps words to a width, each line after the first behind an indent of blanks.
pub(crate) fn wrap(text: &str, width: usize, indent: usize) -> Cow<'_, str> {
    let room = width.saturating_sub(indent);
    let has_one_blank_between = || {
        let bytes = text.as_bytes();
        bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) && text.trim() == text && !text.contains("  ")
    };
    if text.len() <= room && has_one_blank_between() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > room {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    Cow::Owned(out)
}

/// The width to wrap at: the terminal's, but never wider than is read with ease.
pub(crate) fn width() -> usize {
    rustix::termios::tcgetwinsize(io::stdout())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns >= 40)
        .map_or(100, |columns| columns.min(110))
}

#[cfg(test)]
mod tests {
    use super::{FAINT, STRONG, plain, wrap, write_without_styles};

    #[test]
    fn a_terminal_escape_in_a_name_is_shown_and_not_obeyed() {
        assert_eq!(plain("GPU\u{1b}[2J\u{202e}x\n"), "GPU\\u{1b}[2J\\u{202e}x\n");
    }

    #[test]
    fn words_are_wrapped_behind_their_indent() {
        assert_eq!(wrap("one two three four", 12, 2), "one two\n  three four");
    }

    #[test]
    fn what_fits_on_a_line_is_left_as_it_is_but_for_its_blanks() {
        for (text, wrapped) in [
            ("one two", "one two"),
            (" one\ttwo\n", "one two"),
            ("one  two", "one two"),
            ("größer", "größer"),
        ] {
            assert_eq!(wrap(text, 12, 2), wrapped);
        }
    }

    fn without_styles(text: &str) -> String {
        let mut out = Vec::new();
        write_without_styles(&mut out, text).expect("memory takes it");
        String::from_utf8(out).expect("of UTF-8 comes UTF-8")
    }

    #[test]
    fn styles_are_taken_out_and_nothing_else_is() {
        let text = format!("{STRONG}a [1m{STRONG:#} m {FAINT}b{FAINT:#}\n");
        assert_eq!(without_styles(&text), "a [1m m b\n");
        assert_eq!(
            without_styles("[0m as it stands, and without an end \u{1b}[1"),
            "[0m as it stands, and without an end [1"
        );
    }
}
