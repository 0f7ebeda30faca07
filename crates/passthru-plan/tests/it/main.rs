//! Judgement and planning on hand-made hosts.

mod common;
mod findings;
mod plans;
mod refusals;
mod texts;
