//! /proc/cpuinfo.
