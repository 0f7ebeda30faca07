//! The program as its user meets it: arguments in, answers and exit codes out.

mod common;
mod guest_edit;
mod guest_files;
mod help;
mod libvirt_hook;
mod media;
mod reading;
mod rom;
mod surroundings;
