//! The client: asks the daemon of this host and prints what it says.
use std::process::ExitCode;

fn main() -> ExitCode {
    convoy_agent::command::main()
}
