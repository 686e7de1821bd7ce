//! A traffic worker; see `lab::traffic`. Orders come on standard input.
fn main() -> anyhow::Result<()> {
    lab::traffic::work()
}
