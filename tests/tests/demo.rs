//! The demo is the first thing a visitor runs: it must end well, and leave nothing.
use anyhow::{Context, Result, ensure};
use std::process::Command;

#[test]
fn the_demo_shows_its_story_and_every_comparison_holds() -> Result<()> {
    lab::require!("postfix", "smtp-source", "smtp-sink", "bpftool");
    let output = Command::new(env!("CARGO_BIN_EXE_convoy-demo")).args(["--seconds", "10"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    ensure!(text.matches("PASS").count() == 6 && !text.contains("FAIL"), "{text}");
    for part in ["mta3 loses power", "mta3 is switched on", "\"current\"", "198.51.100.0/24", "is removed"] {
        text.contains(part).then_some(()).with_context(|| format!("no {part} in\n{text}"))?;
    }
    Ok(())
}

#[test]
fn the_demo_explains_wrong_usage() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_convoy-demo")).arg("--wrong").output()?;
    ensure!(output.status.code() == Some(2), "{}", output.status);
    ensure!(String::from_utf8_lossy(&output.stdout).contains("--seconds"), "no usage");
    Ok(())
}
