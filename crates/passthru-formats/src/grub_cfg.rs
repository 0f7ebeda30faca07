//! GRUB's generated menu.
