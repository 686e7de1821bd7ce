//! Having a thread run before others.
//!
//! Source: sched(7), `sched_setscheduler(2)`; cgroups(7): where `CONFIG_RT_GROUP_SCHED` is set, a group without real-time
//! budget refuses it.
use std::io;

/// Runs the calling thread before all threads of ordinary priority, in turns with others of the lowest real-time
/// priority. What it starts later is ordinary again.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE` or `RLIMIT_RTPRIO`, or where the control group has no real-time budget.
pub fn run_first() -> io::Result<()> {
    let lowest = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: `lowest` outlives the call, which reads it; 0 is the calling thread.
    let result =
        unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const lowest) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives the calling thread a larger share than ordinary threads have, as nice(2) with [`NICE`].
///
/// # Errors
/// `EPERM` or `EACCES` without `CAP_SYS_NICE`.
pub fn run_before_ordinary() -> io::Result<()> {
    rustix::process::nice(NICE)?;
    Ok(())
}

/// Priority against ordinary threads, as in nice(2).
pub const NICE: i32 = -10;
/// Lowest of the real-time priorities; the kernel's own threads stay before it.
pub const PRIORITY: i32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_runs_first_or_is_told_why_not() {
        let tried = std::thread::spawn(|| {
            let result = run_first();
            // Field 41 of stat(5), counted from behind the name: the policy; 2 is SCHED_RR.
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let policy = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(38).unwrap().to_owned();
            (result.map_err(|error| error.raw_os_error()), policy)
        });
        match tried.join().unwrap() {
            (Ok(()), policy) => assert_eq!(policy, "2"),
            (Err(errno), policy) => assert_eq!((errno, policy.as_str()), (Some(libc::EPERM), "0")),
        }
    }
}
