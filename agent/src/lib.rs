//! The parts of `convoyd` and `convoy` that touch the world, from the syscalls up to the command line.
//!
//! Floors, lowest first: `sys` (fd, bytes, errno), `host` (carries effects out), `daemon` (threads, order),
//! `settings` and the binaries (flags, files, exit codes). A floor imports lower floors only.

pub mod daemon;
pub mod host;
pub mod settings;
pub mod sys;
