//! A process that holds addresses until it is killed: `gate-holder PINS INTERFACE ADDRESS...` opens the gate, attaches
//! it, holds the addresses, says `held`, and renews the lease for [`LEASE`] every [`HEARTBEAT`].
use anyhow::{Context, Result};
use convoy_agent::host::gate::{self, Settings, Standing};
use std::{
    env,
    io::{Write, stdout},
    net::IpAddr,
    thread,
    time::Duration,
};

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let bpffs = args.next().context("no directory for pins")?.into();
    let interface = args.next().context("no interface")?;
    let addresses: Vec<IpAddr> = args.map(|address| Ok(address.parse()?)).collect::<Result<_>>()?;
    let mut gate = gate::open(&Settings { bpffs, addresses_max: 64 })?;
    gate.attach(&interface)?;
    gate.set(&addresses, Standing::Held)?;
    let lease = gate.lease();
    let renew = || lease.renew(gate::boottime_ns() + LEASE);
    renew();
    writeln!(stdout(), "held")?;
    loop {
        renew();
        thread::sleep(HEARTBEAT); // waits: for the next heartbeat, as an agent does
    }
}

/// Nanoseconds. chosen: long enough for a busy machine to renew it in time.
const LEASE: u64 = 500_000_000;
/// chosen: the default of heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(100);
