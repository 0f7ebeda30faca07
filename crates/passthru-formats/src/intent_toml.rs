//! The intent file, edited without losing comments.
