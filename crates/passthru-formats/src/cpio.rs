//! The newc cpio archive of an initramfs.
