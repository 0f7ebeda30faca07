//! The door: the only room that reads a host. It opens nothing for writing; `clippy.toml` holds that.
//!
//! [`Host`] is a machine to be read, [`gather`](gather::gather) reads it into facts, [`capture`] writes down exactly
//! what was read, [`program`] runs the few programs that there are, and [`clock`] knows the time.

mod archive;
pub mod capture;
pub mod clock;
mod directory;
mod error;
mod foreign;
pub mod gather;
mod host;
pub mod inside;
pub mod mounted;
pub mod program;
mod record;
mod redact;
mod resolve;
mod side_by_side;
mod tree;

pub use archive::{MOST_BYTES, MOST_ENTRIES};
pub use directory::Directory;
pub use error::{OpenError, ReadError, ReadErrorKind};
pub use gather::{Options, Subject, Subjects, gather, gather_with, look_at_guest};
pub use host::{Host, MOST_FILE_BYTES, Ownership};
pub use record::Recording;
pub use side_by_side::side_by_side;
