//! The client as its users meet it: what it prints, how it fails, and that the protocol's page is true.
mod documented;
mod golden;
mod program;
mod samples;
