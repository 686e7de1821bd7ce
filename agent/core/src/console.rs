//! The console's language: which commands there are, how a line is read, what help says.
//!
//! There is one table, [`COMMANDS`]; parsing, help, completion and the page docs/console.md follow from it. What a command
//! asks the daemon, and how its answer is laid out, is the client's part.
//! Source: reference section 8.
mod absent;
mod help;
mod line;
mod table;

pub use help::{command_help, list, page};
pub use line::{Fault, Line, complete, parse, quoted, split};
pub use table::{COMMANDS, Command, Id, Place};
