//! The intent that stands on a host.

use passthru_formats::intent_toml::{self, IntentError};
use passthru_model::HostFacts;
use passthru_model::intent::{INTENT_PATH, Intent};
use passthru_model::plan::FileState;

/// Why the intent of a host is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntentProblem {
    /// The file is there and is wrong.
    #[error(transparent)]
    Wrong(#[from] IntentError),
    /// The file could not be read.
    #[error("{0}; it is the intent, which must be a file that can be read")]
    Unreadable(String),
    /// Something else than a file stands in its place.
    #[error("{INTENT_PATH} is a symbolic link to {0}; put a file in its place")]
    Link(String),
}

/// The text of the intent file; `None`: there is none.
pub fn text(facts: &HostFacts) -> Result<Option<String>, IntentProblem> {
    if let Some(because) = facts.unreadable_files.get(INTENT_PATH) {
        return Err(IntentProblem::Unreadable(because.clone()));
    }
    match facts.files.get(INTENT_PATH) {
        Some(FileState::File { content, .. }) => {
            let text = String::from_utf8(content.0.clone()).map_err(|_| IntentError::NotText)?;
            Ok(Some(text))
        }
        Some(FileState::Link { target }) => Err(IntentProblem::Link(target.clone())),
        Some(FileState::Absent) | None => Ok(None),
    }
}

/// The intent of a host; `None`: there is no intent file, or it asks for nothing.
pub fn of(facts: &HostFacts) -> Result<Option<Intent>, IntentProblem> {
    let Some(text) = text(facts)? else { return Ok(None) };
    let intent = intent_toml::parse(&text)?;
    Ok((!intent.is_nothing()).then_some(intent))
}
