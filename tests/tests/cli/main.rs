//! The client as its users meet it: what it prints, how it fails, and that the protocol's page is true.
#![cfg(test)]

mod config;
mod documented;
mod golden;
mod manual;
mod program;
mod samples;
