//! The parts of `convoyd` and `convoy` that touch the world, from the syscalls up to the command line.
//!
//! Floors, lowest first: `sys` (fd, bytes, errno), `host` (carries effects out), `daemon` (threads, order),
//! `settings`, `command` and the binaries (flags, files, exit codes). A floor imports lower floors only.

pub mod command;
pub mod daemon;
pub mod host;
pub mod settings;
pub mod sys;
