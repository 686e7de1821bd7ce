//! The machine that a figure was measured on, without which it is worth nothing; and what this process took of it.
use std::{fs, thread, time::Duration};

/// Returns processor, cores, memory and kernel, as far as they can be read.
pub fn line() -> String {
    let cpuinfo = read("/proc/cpuinfo");
    let model =
        field(&cpuinfo, "model name").or_else(|| field(&cpuinfo, "CPU part")).unwrap_or("processor unknown");
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kib: u64 = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|total| total.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, {} GiB, Linux {}", kib.div_ceil(1 << 20), kernel.trim())
}

/// Returns CPU time that this thread has used, seconds. What else a shared machine does is not in it, but for the caches
/// that it empties.
pub fn cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(used).unwrap_or_default().as_secs_f64()
}

/// Returns the most memory that was resident since the start or [`forget_peak`], bytes; 0 when it cannot be read.
pub fn resident_peak() -> usize {
    let status = read("/proc/self/status");
    let kib = field(&status, "VmHWM").and_then(|text| text.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0_usize) * 1024
}

/// Begins a new peak at what is resident now; returns whether the kernel agreed.
pub fn forget_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Value of the first `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then_some(value.trim())
    })
}

/// A file's text, empty when it cannot be read.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 143\nmodel name\t: Some CPU @ 2 GHz: fast\n";
        assert_eq!(field(text, "model name"), Some("Some CPU @ 2 GHz: fast"));
        assert_eq!(field(text, "name"), None);
    }

    #[test]
    fn this_machine_has_a_kernel() {
        assert!(line().contains("Linux "), "{}", line());
    }
}
