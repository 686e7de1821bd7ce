//! Floor 2: file descriptors, bytes and errno. All unsafe code of the agent lives here; no domain word does.

#[expect(unsafe_code, reason = "bpf(2) takes addresses in a union")]
pub mod bpf;
pub mod cgroup;
#[expect(unsafe_code, reason = "a child asks, between fork and exec, to end with its parent")]
pub mod child;
#[expect(unsafe_code, reason = "libcpg is a C library that is loaded at run time")]
pub mod cpg;
pub mod file;
pub mod filesystem;
pub mod lock;
pub mod log;
#[expect(unsafe_code, reason = "memory shared with the kernel is read and written through raw pointers")]
pub mod memory;
#[expect(unsafe_code, reason = "getsockopt(2) for an option the safe wrappers do not know")]
pub mod namespace;
pub mod net;
#[expect(unsafe_code, reason = "setsockopt(2) for a socket filter, and tokio's registration of descriptors")]
pub mod packet;
pub mod privilege;
#[expect(unsafe_code, reason = "the safe wrappers cannot say the process 0 of a pid namespace")]
pub mod process;
#[expect(unsafe_code, reason = "sched_setscheduler(2), which the safe wrappers do not have")]
pub mod realtime;
pub mod sockdiag;
pub mod wake;
