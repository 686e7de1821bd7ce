//! The sockets of the heartbeat thread: one for each family that it needs.
use super::Plan;
use crate::sys::net;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

/// At most one socket a family, IPv4 first; none while it cannot be had, or nobody is to be spoken to.
#[derive(Debug, Default)]
pub(super) struct Sockets([Option<Bound>; 2]);

#[derive(Debug)]
struct Bound {
    socket: UdpSocket,
    at: SocketAddr,
}

impl Sockets {
    /// Has exactly what `plan` needs from now on. A socket that stays keeps what waits in it; one that goes makes room
    /// before another is asked for, since a wildcard stands in the way of an address.
    ///
    /// # Errors
    /// Which address cannot be had, and why not. Ask again; what could be had is open.
    pub(super) fn adapt(&mut self, plan: &Plan) -> Result<(), (SocketAddr, io::Error)> {
        let wanted =
            [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()].map(|any| needed(plan, any));
        for (bound, wanted) in self.0.iter_mut().zip(wanted) {
            bound.take_if(|bound| Some(bound.at) != wanted);
        }
        let mut refused = Ok(());
        for (bound, wanted) in self.0.iter_mut().zip(wanted) {
            let Some(at) = wanted.filter(|_| bound.is_none()) else { continue };
            match net::datagrams(at) {
                Ok(socket) => *bound = Some(Bound { socket, at }),
                Err(error) => refused = Err((at, error)),
            }
        }
        refused
    }

    /// Returns those that are open.
    pub(super) fn iter(&self) -> impl Iterator<Item = &UdpSocket> {
        self.0.iter().flatten().map(|bound| &bound.socket)
    }

    /// Sends one datagram; never waits.
    ///
    /// # Errors
    /// What the kernel says; `NotConnected` without a socket of that family.
    pub(super) fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        let bound = self.0[usize::from(to.is_ipv6())].as_ref().ok_or(io::ErrorKind::NotConnected)?;
        bound.socket.send_to(bytes, to).map(drop)
    }
}

/// Returns where a socket of the family of `any` is needed, if it is.
fn needed(plan: &Plan, any: IpAddr) -> Option<SocketAddr> {
    let is_ours = |address: &IpAddr| address.is_ipv4() == any.is_ipv4();
    let own = plan.address.filter(is_ours);
    let somebody = !plan.peers.is_empty() && (own.is_some() || plan.peers.values().any(is_ours));
    somebody.then(|| SocketAddr::new(own.unwrap_or(any), plan.port))
}
