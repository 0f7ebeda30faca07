//! The door against real trees: the live machine, real machines' archives, hostile archives, our own fixtures.

mod archives;
mod boots;
mod common;
mod corpora;
mod display_services;
mod firmware_entries;
mod fixtures;
mod foreign;
mod grub;
mod headers;
mod live;
mod platforms;
mod real_files;
mod roms;
mod topologies;
mod trees;
mod ways_in;
