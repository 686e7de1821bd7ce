//! Floor 2: file descriptors, bytes and errno. All unsafe code of the agent lives here; no domain word does.

pub mod lock;
pub mod net;
pub mod wake;
