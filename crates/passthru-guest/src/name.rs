//! The name of a guest. Plans name guests too, so it is a noun of the model.

pub use passthru_model::guest_name::{GuestName, LONGEST, NameError};
