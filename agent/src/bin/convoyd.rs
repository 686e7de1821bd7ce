//! `convoyd`: the cluster daemon of a mail host.
fn main() {}
