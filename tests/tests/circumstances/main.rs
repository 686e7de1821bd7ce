//! Bad circumstances, each as a real run: one clear message with the remedy, an exit code, and nobody else hurt.
#![cfg(test)]

mod clients;
mod clock;
mod config;
mod daemon;
mod peers;
mod start;
