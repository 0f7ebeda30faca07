//! Judgement and planning on hand-made hosts.

mod common;
mod plans;
mod refusals;
