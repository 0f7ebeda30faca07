//! /proc/self/mountinfo and /proc/swaps.
