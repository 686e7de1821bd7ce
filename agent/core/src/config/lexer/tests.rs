//! Tests of lexer.
