//! The configuration language operators already write: text to a tree that keeps places.
