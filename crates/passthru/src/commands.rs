//! One file a command.

pub(crate) mod apply;
pub(crate) mod bind;
pub(crate) mod capture;
pub(crate) mod change;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod groups;
pub(crate) mod guest;
pub(crate) mod history;
pub(crate) mod isolate;
pub(crate) mod libvirt_hook;
pub(crate) mod plan;
pub(crate) mod release;
pub(crate) mod rom;
pub(crate) mod status;
pub(crate) mod topology;
pub(crate) mod try_device;
pub(crate) mod unbind;
pub(crate) mod undo;
pub(crate) mod usb;
pub(crate) mod verify;

#[cfg(test)]
mod tests;
