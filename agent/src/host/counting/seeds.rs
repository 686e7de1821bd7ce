//! Connections older than the attach: who watches for their close.
//!
//! Their sockets never asked for the state callback. While there are some, a tracepoint program sees every close of
//! the kernel and takes them away exactly then; where that program cannot run, a sweep a second finds them gone.
use super::{
    Error,
    load::{program, unpin},
};
use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, links::FdLink},
};
use convoy_common::kernel::name;
use std::path::PathBuf;

/// The program that closes seeded connections, and whether it is attached.
#[derive(Debug)]
pub(super) struct Watch {
    object: Ebpf,
    pin: PathBuf,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not attached by this agent; one of an earlier agent may be pinned.
    Inherited,
    /// Not attached.
    Idle,
    /// Attached and pinned: closes are exact.
    Attached,
    /// The kernel does not take it: closes are found by sweeps.
    Impossible,
}

impl Watch {
    /// Loads the program of `object`, whose maps must still be in it; it is pinned at `pin` once it is attached.
    pub(super) fn load(mut object: Ebpf, btf: &Btf, pin: PathBuf) -> Self {
        let loaded = program::<BtfTracePoint>(&mut object, name::CLOSE_SEEDED)
            .and_then(|close| close.load(TRACEPOINT, btf));
        let state = match loaded {
            Ok(()) => State::Inherited,
            Err(error) => impossible(&error),
        };
        Self { object, pin, state }
    }

    /// Returns the object, to take its maps out.
    pub(super) fn object(&mut self) -> &mut Ebpf {
        &mut self.object
    }

    /// Attaches the program if it is not; afterwards closes are exact, unless the kernel does not take it.
    pub(super) fn start(&mut self) {
        if matches!(self.state, State::Inherited | State::Idle) {
            self.state = match self.attach() {
                Ok(()) => State::Attached,
                Err(error) => impossible(&*error),
            };
        }
    }

    /// Detaches the program: no seeded connection is left.
    pub(super) fn stop(&mut self) -> Result<(), Error> {
        if matches!(self.state, State::Inherited | State::Attached) {
            unpin(&self.pin)?;
            self.state = State::Idle;
        }
        Ok(())
    }

    /// Tells whether closes must be found by sweeps.
    pub(super) fn needs_sweeps(&self) -> bool {
        self.state == State::Impossible
    }

    fn attach(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let close = program::<BtfTracePoint>(&mut self.object, name::CLOSE_SEEDED)?;
        let id = close.attach()?;
        let link: FdLink = close.take_link(id)?.into();
        // The new one is attached before an earlier agent's goes: between the two each close is still taken once.
        unpin(&self.pin)?;
        link.pin(&self.pin)?;
        Ok(())
    }
}

fn impossible(error: &dyn std::error::Error) -> State {
    tracing::info!(%error, "closes of older connections are found by a sweep each second");
    State::Impossible
}

/// Fires at every change of state of every TCP socket.
const TRACEPOINT: &str = "inet_sock_set_state";
