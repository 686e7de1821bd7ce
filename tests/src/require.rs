//! What a test needs of the machine; where it is missing the test is skipped, loudly.
use crate::cgroup2_root;
use std::{
    env,
    io::{Write, stderr},
    path::PathBuf,
};

/// Skips the calling test, saying why, unless this machine can run a lab with these programs beside.
///
/// The test must return `anyhow::Result<()>`. Example: `lab::require!("postfix", "smtp-source");`
#[macro_export]
macro_rules! require {
    ($($program:expr),* $(,)?) => {
        if let Some(reason) = $crate::lacking(&[$($program),*]) {
            fn here() {}
            $crate::report_skip(std::any::type_name_of_val(&here), &reason);
            return Ok(());
        }
    };
}

/// Returns what keeps a lab with these programs from running here, or nothing.
pub fn lacking(programs: &[&str]) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root (namespaces, cgroups, mounts)".to_owned());
    }
    if let Err(error) = cgroup2_root() {
        return Some(error.to_string());
    }
    let always = PROGRAMS.iter().map(|(program, _)| program);
    let missing: Vec<&str> =
        always.chain(programs).copied().filter(|program| find_program(program).is_none()).collect();
    if missing.is_empty() {
        return None;
    }
    Some(format!("not installed: {} (script/bootstrap installs them)", missing.join(", ")))
}

/// Writes the skip to the terminal, past the capture of the test harness.
pub fn report_skip(test: &str, reason: &str) {
    let name = test.trim_end_matches("::here");
    // A closed stderr leaves nobody to tell.
    drop(writeln!(stderr(), "SKIP {name}: {reason}"));
}

/// Returns the program's path, from PATH or from the directories of system programs.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// What every lab runs, with the Debian package it comes from.
const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("ss", "iproute2"),
    ("nft", "nftables"),
    ("setpriv", "util-linux"),
    ("sh", "dash"),
];
