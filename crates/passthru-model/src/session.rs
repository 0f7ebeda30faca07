//! Who is logged in, as systemd-logind keeps it.

/// What a session is for (`CLASS`, sd-login(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionClass {
    /// A user's.
    User,
    /// A login screen's.
    Greeter,
    /// A lock screen's, a background job's, a user manager's.
    Other,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// Its number, as `loginctl` shows it.
    pub id: String,
    /// The user's name.
    pub user: String,
    /// The seat it is at; `None` of sessions over the network.
    pub seat: Option<String>,
    /// Whether it is the one that is shown at its seat now.
    pub active: bool,
    /// `x11`, `wayland`, `tty`, `mir`, `web`; `None` where nothing is said.
    pub kind: Option<String>,
    /// What it is for.
    pub class: SessionClass,
}
