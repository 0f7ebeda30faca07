//! A plan: the ordered steps that take a host to an intent. A value that can be read, saved, compared and carried out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::guest_name::GuestName;
use crate::program::Program;
use crate::rebinding::Rebinding;
use crate::setting::Setting;

/// The schema's name and version in saved plans.
pub const PLAN_SCHEMA: &str = "passthru.plan/1";

/// A SHA-256 digest, written as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Digest256(String);

impl TryFrom<String> for Digest256 {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        {
            Ok(Self(text))
        } else {
            Err(format!("‘{text}’ is not a SHA-256 digest of 64 hexadecimal digits"))
        }
    }
}

impl Digest256 {
    /// The digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_raw(&Sha256::digest(bytes))
    }

    /// A digest that was computed piecewise.
    pub fn from_raw(raw: &[u8]) -> Self {
        let nibble = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        Self(raw.iter().flat_map(|byte| [nibble(byte >> 4), nibble(byte & 0xf)]).collect())
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The bytes of a file. Saved as text where they are UTF-8, else in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "SavedContent", try_from = "SavedContent")]
#[schemars(with = "SavedContent")]
pub struct Content(pub Vec<u8>);

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({:?})", String::from_utf8_lossy(&self.0))
    }
}

/// How [`Content`] is saved.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum SavedContent {
    Text(String),
    Base64(String),
}

impl From<Content> for SavedContent {
    fn from(content: Content) -> Self {
        match String::from_utf8(content.0) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Base64(STANDARD.encode(error.into_bytes())),
        }
    }
}

impl TryFrom<SavedContent> for Content {
    type Error = String;

    fn try_from(saved: SavedContent) -> Result<Self, String> {
        match saved {
            SavedContent::Text(text) => Ok(Self(text.into_bytes())),
            SavedContent::Base64(text) => {
                STANDARD.decode(text).map(Self).map_err(|error| format!("not base64: {error}"))
            }
        }
    }
}

/// What stands at a path: nothing, a regular file, or a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum FileState {
    /// Nothing is there.
    Absent,
    /// A regular file.
    File {
        /// Its bytes.
        content: Content,
        /// Its permission bits, such as 0o644.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as written.
        target: String,
    },
}

impl FileState {
    /// A file of root with this content and mode.
    pub fn root_file(content: impl Into<Vec<u8>>, mode: u32) -> Self {
        Self::File { content: Content(content.into()), mode, uid: 0, gid: 0 }
    }

    /// What stands there once other content is written: owner and mode stay, and a file that was not there is root's, 0644.
    #[must_use]
    pub fn with_content(&self, content: impl Into<Vec<u8>>) -> Self {
        match self {
            Self::File { mode, uid, gid, .. } => {
                Self::File { content: Content(content.into()), mode: *mode, uid: *uid, gid: *gid }
            }
            Self::Absent | Self::Link { .. } => Self::root_file(content, 0o644),
        }
    }

    /// The bytes, where it is a regular file.
    pub fn content(&self) -> Option<&[u8]> {
        match self {
            Self::File { content, .. } => Some(&content.0),
            Self::Absent | Self::Link { .. } => None,
        }
    }
}

/// When a step takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// At once.
    Now,
    /// When the initramfs is next built, and then at the next boot.
    Initramfs,
    /// At the next boot.
    Reboot,
    /// When a guest starts.
    GuestStart,
}

/// Something that must hold of a file after a program has run, or the step has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Expectation {
    /// A text file contains each of these strings.
    Contains {
        /// The file.
        path: String,
        /// The strings.
        needles: Vec<String>,
    },
    /// A text file contains none of these strings.
    Lacks {
        /// The file.
        path: String,
        /// The strings.
        needles: Vec<String>,
    },
    /// An initramfs image holds a file whose name ends with each of these. An ending `.ko` stands for compressed
    /// modules too (`.ko.xz`, `.ko.zst`, `.ko.gz`).
    ImageHolds {
        /// The image.
        path: String,
        /// Endings of names inside, such as `etc/passthru/devices`.
        entries: Vec<String>,
    },
    /// An initramfs image holds no file whose name ends with any of these; `.ko` is read as above.
    ImageLacks {
        /// The image.
        path: String,
        /// Endings of names inside.
        entries: Vec<String>,
    },
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Action {
    /// Puts a path from one state to another. Which of create, edit and remove it is follows from the states.
    File {
        /// The absolute path on the host.
        path: String,
        /// What must stand there for the step to be carried out.
        before: FileState,
        /// What stands there afterwards.
        after: FileState,
    },
    /// Runs a program that rewrites files made from others.
    Run {
        /// The program.
        program: Program,
        /// Its arguments.
        arguments: Vec<String>,
        /// The files it rewrites. Their before-images are kept, and undo brings them back.
        rewrites: Vec<String>,
        /// What must hold afterwards.
        expect: Vec<Expectation>,
    },
    /// Gives functions to other drivers while the host runs, all of them or none. Lasts until the next boot.
    #[serde(rename = "sysfs-write")]
    Rebind {
        /// The functions, in order of address.
        functions: Vec<Rebinding>,
    },
    /// Changes values of the running kernel, in order, and puts them back in the opposite order. Lasts until the next boot.
    Tune {
        /// The values.
        settings: Vec<Setting>,
    },
}

/// The smallest thing that can be done and undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// A name unique in its plan, such as `grub-defaults`.
    pub id: String,
    /// What is done.
    pub action: Action,
    /// What it does, in plain words.
    pub what: String,
    /// Why it is needed.
    pub why: String,
    /// When it takes effect.
    pub effect: Effect,
}

impl Step {
    /// The word for the kind of step in the JSON envelope.
    pub fn kind(&self) -> &'static str {
        match &self.action {
            Action::File { before: FileState::Absent, .. } => "file-create",
            Action::File { after: FileState::Absent, .. } => "file-remove",
            Action::File { .. } => "file-edit",
            Action::Run { .. } => "run",
            Action::Rebind { .. } => "sysfs-write",
            Action::Tune { .. } => "tune",
        }
    }

    /// The path of a file that it is about: the file itself, or the first file that the program rewrites.
    pub fn path(&self) -> Option<&str> {
        match &self.action {
            Action::File { path, .. } => Some(path),
            Action::Run { rewrites, .. } => rewrites.first().map(String::as_str),
            Action::Rebind { .. } | Action::Tune { .. } => None,
        }
    }

    /// The functions that it gives to other drivers.
    pub fn rebindings(&self) -> &[Rebinding] {
        match &self.action {
            Action::Rebind { functions } => functions,
            Action::File { .. } | Action::Run { .. } | Action::Tune { .. } => &[],
        }
    }

    /// The values of the running kernel that it changes.
    pub fn settings(&self) -> &[Setting] {
        match &self.action {
            Action::Tune { settings } => settings,
            Action::File { .. } | Action::Run { .. } | Action::Rebind { .. } => &[],
        }
    }

    /// Whether the next boot takes it back by itself, as nothing of it is in a file.
    fn ends_with_boot(&self) -> bool {
        match &self.action {
            Action::Rebind { .. } | Action::Tune { .. } => true,
            Action::Run { rewrites, .. } => rewrites.is_empty(),
            Action::File { .. } => false,
        }
    }
}

/// An ordered list of steps that take the facts to the intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// One line that says what it is for, such as "isolate 0000:02:00.0 and 0000:02:00.1".
    pub title: String,
    /// The steps, in the order in which they are carried out.
    pub steps: Vec<Step>,
    /// What the reader should know before agreeing, such as "the host loses this display".
    pub notes: Vec<String>,
    /// The guest that it is carried out for, and until whose end it stands; `None`: it stands until it is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<GuestName>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether anything takes effect only at the next boot.
    pub fn needs_reboot(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.effect, Effect::Reboot | Effect::Initramfs))
    }

    /// Whether the next boot takes back all of it by itself.
    pub fn ends_with_boot(&self) -> bool {
        !self.is_empty() && self.steps.iter().all(Step::ends_with_boot)
    }

    /// The functions that it gives to other drivers while the host runs.
    pub fn rebindings(&self) -> impl Iterator<Item = &Rebinding> {
        self.steps.iter().flat_map(Step::rebindings)
    }

    /// The values of the running kernel that it changes.
    pub fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.steps.iter().flat_map(Step::settings)
    }

    /// Whether the host has no picture while it stands.
    pub fn hands_over_display(&self) -> bool {
        self.settings().any(|setting| setting.place.is_of_display())
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, Digest256};
    use proptest::prelude::*;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(
            Digest256::of(b"").as_str(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        assert!(serde_json::from_str::<Digest256>("\"e3b0\"").is_err());
    }

    proptest! {
        #[test]
        fn content_of_any_bytes_survives_being_saved(bytes: Vec<u8>) {
            let content = Content(bytes);
            let saved = serde_json::to_string(&content).expect("serialises");
            prop_assert_eq!(serde_json::from_str::<Content>(&saved).expect("reads back"), content);
        }
    }
}
