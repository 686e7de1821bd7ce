//! Tests of draft.
