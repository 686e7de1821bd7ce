//! Broken traces.
