//! How often kernel programs ran, and how long.
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{fs, path::Path, process::Command};

/// The kernel's switch for timing programs, put back when this is dropped.
#[derive(Debug)]
pub struct Stats(String);

impl Stats {
    /// Has the kernel time programs. That itself adds 20 to 30 ns a run.
    pub fn on() -> Result<Self> {
        let before = fs::read_to_string(BPF_STATS)?;
        fs::write(BPF_STATS, "1")?;
        Ok(Self(before))
    }
}

impl Drop for Stats {
    fn drop(&mut self) {
        drop(fs::write(BPF_STATS, &self.0));
    }
}

/// Returns how often the program of a pinned link ran while programs were timed, and for how many nanoseconds.
pub fn observed(link: &Path) -> Result<(u64, u64)> {
    let link = bpftool(&["link", "show", "pinned"], Some(link))?;
    let id = link["prog_id"].as_u64().context("the link names no program")?;
    let program = bpftool(&["prog", "show", "id", &id.to_string()], None)?;
    // One that has not run yet has neither field.
    let number = |field: &str| program[field].as_u64().unwrap_or(0);
    Ok((number("run_cnt"), number("run_time_ns")))
}

fn bpftool(args: &[&str], path: Option<&Path>) -> Result<Value> {
    let output = Command::new("bpftool").arg("-j").args(args).args(path).output().context("bpftool")?;
    ensure!(output.status.success(), "bpftool {args:?}: {}", String::from_utf8_lossy(&output.stdout));
    Ok(serde_json::from_slice(&output.stdout)?)
}

const BPF_STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";
