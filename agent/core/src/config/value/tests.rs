//! Tests of value.
