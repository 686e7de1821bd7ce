//! The configuration language operators already write: text to a tree that keeps places.
//!
//! ```text
//! lexer -> parser -> tree      one file: every byte kept, every statement with its place
//!             load             include and readonly_include, through a `Source`
//!            scopes            all files as one: scopes merge, the later assignment wins
//!          effective           what is in effect somewhere: over scopes outward, through patterns and blocks
//! value -> schema              which options there are, and what their text means
//! diagnostic -> report         what is wrong, laid out for people
//!           session            one change after the other, and which file each belongs to
//! ```
//! Invariants: 1. any bytes either load or give errors with places inside the file; 2. nothing here opens a file;
//! 3. every size is bounded in `bounds`, and what does not fit is an error. Source: reference section 1.

pub mod boot;
pub mod diagnostic;
pub mod draft;
pub mod effective;
pub mod lexer;
pub mod load;
#[cfg(test)]
pub(crate) mod memory;
pub mod parser;
pub mod pattern;
pub mod place;
pub mod report;
pub mod schema;
pub mod scopes;
pub mod session;
pub mod tree;
pub mod value;
