//! modules.dep and modules.builtin.
