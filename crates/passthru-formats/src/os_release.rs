//! os-release.
