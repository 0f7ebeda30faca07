//! Foretold groups against the groups of real machines.

mod corpora;
