//! A process with a bus, told over lines what to do; see `lab::bus`. Its argument is the plan.
use anyhow::{Context, Result};
use convoy_agent::{
    host::bus,
    sys::{log::Log, wake::Wake},
};
use lab::bus::{Work, plan};
use std::io::{stdin, stdout};

fn main() -> Result<()> {
    let text = std::env::args().nth(1).context("the argument is the plan")?;
    let _log = Log::start();
    let wake = Wake::new()?;
    let handle = bus::spawn(plan(&text)?, wake.clone())?;
    Work::new(handle, wake).serve(stdin().lock(), stdout().lock())
}
