//! NixOS, which makes its image of the system's configuration when the user runs `nixos-rebuild`.

use passthru_model::intent::Intent;

use super::{Build, Generator};
use crate::planner::loader::{States, nixos};

/// What is ours in the image comes by the module (`loader/nixos.rs`).
pub(super) struct NixOs;

impl Generator for NixOs {
    fn own_files(&self, _: &Intent) -> States {
        States::new()
    }

    fn in_image(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn by_hand(&self) -> &'static str {
        nixos::REBUILD
    }

    fn build(&self, _: &str, _: &str) -> Option<Build> {
        None
    }
}
