//! `convoy`: asks the daemon of this host.
fn main() {}
