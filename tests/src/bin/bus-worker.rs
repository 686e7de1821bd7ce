//! A process with a bus, told over lines what to do; see `lab::bus`. Its argument is the plan.
fn main() -> anyhow::Result<()> {
    lab::bus::work()
}
