//! PCI option ROMs.
