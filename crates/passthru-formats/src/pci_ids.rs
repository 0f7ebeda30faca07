//! pci.ids.
