//! Tests of parser.
