//! What stations say about addresses, as a place on the segment hears it: ARP of any kind, and neighbour advertisements.
use crate::Place;
use anyhow::{Context as _, Result, anyhow, ensure};
use convoy_agent::sys::packet;
use convoy_core::wire::{
    arp::{Arp, Mac},
    ndp::{Message, Ndp},
};
use pnet_datalink::{Channel, Config, DataLinkReceiver};
use std::{
    fmt,
    io::ErrorKind,
    net::IpAddr,
    os::fd::IntoRawFd as _,
    time::{Duration, Instant},
};

/// Something that a station said of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Of which.
    pub address: IpAddr,
    /// Where it is.
    pub mac: Mac,
    /// To everybody, else to the listener alone.
    pub to_all: bool,
}

/// A raw socket that hears what stations say to its place, or to all. Drops nothing for a burst's sake.
pub struct Ear(Box<dyn DataLinkReceiver>);

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear").finish_non_exhaustive()
    }
}

impl Ear {
    /// Begins to hear what comes to an interface of a place.
    ///
    /// # Errors
    /// Without such an interface, or without the right to raw sockets.
    pub fn open(place: &Place, interface: &str) -> Result<Self> {
        let channel = place.inside(|| {
            // Its own buffer holds some hundred frames, fewer than a burst on a busy machine.
            let socket = packet::open(&[])?;
            rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, EAR_BYTES)?;
            let config = Config {
                read_timeout: Some(Duration::from_secs(1)),
                promiscuous: false,
                socket_fd: Some(socket.into_raw_fd()),
                ..Config::default()
            };
            let found = pnet_datalink::interfaces().into_iter().find(|found| found.name == interface);
            let found = found.with_context(|| format!("no interface {interface}"))?;
            Ok::<_, anyhow::Error>(pnet_datalink::channel(&found, config)?)
        })??;
        match channel {
            Channel::Ethernet(_, receiver) => Ok(Self(receiver)),
            _ => Err(anyhow!("no Ethernet on {interface}")),
        }
    }

    /// Returns what is said next about any address.
    ///
    /// # Errors
    /// When nothing is said for long.
    pub fn hear(&mut self) -> Result<Said> {
        let end = Instant::now() + BOUND;
        loop {
            match self.0.next() {
                Ok(frame) => {
                    if let Some(said) = said(frame) {
                        return Ok(said);
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error.into()),
            }
            ensure!(Instant::now() < end, "nothing was said");
        }
    }

    /// Waits until this address was said to be at a place with this number.
    ///
    /// # Errors
    /// When nobody says so for long.
    pub fn until_said(&mut self, address: IpAddr, number: u8) -> Result<Said> {
        let end = Instant::now() + BOUND;
        loop {
            let said = self.hear()?;
            if (said.address, said.mac) == (address, [2, 0, 0x0a, 0x4d, 0, number]) {
                return Ok(said);
            }
            ensure!(Instant::now() < end, "nobody said that {address} is at {number}");
        }
    }
}

fn said(frame: &[u8]) -> Option<Said> {
    let to_all = frame.first()? & 1 == 1;
    if let Ok(arp) = Arp::parse(frame) {
        return Some(Said { address: arp.sender.into(), mac: arp.sender_mac, to_all });
    }
    let ndp = Ndp::parse(frame).ok()?;
    let Message::Advertisement { .. } = ndp.message else { return None };
    Some(Said { address: ndp.target.into(), mac: ndp.mac?, to_all })
}

/// Longest time until something is said.
const BOUND: Duration = Duration::from_secs(30);
/// Room for what is said: 30 000 frames.
const EAR_BYTES: usize = 32 << 20;
