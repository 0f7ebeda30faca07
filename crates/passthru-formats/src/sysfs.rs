//! Small text files of sysfs and procfs.
