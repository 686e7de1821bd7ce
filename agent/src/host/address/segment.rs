//! The packet sockets of one link: one that only sends, and two that hear who answers and announces there.
//!
//! Frames are built and read by the core, pnet carries them. Its sockets are made here, for three reasons: its own receive
//! every packet of the host, are promiscuous, and cannot have a filter before they are bound. Whatever pnet is told is the
//! protocol of a channel is what it binds the socket to: 0 receives nothing. System calls: two a frame, poll and send or
//! receive. Frames leave through the egress hook, where the gate stops those that may not. On a VLAN's device the kernel
//! tags them; they fit any MTU that IP can have.
use super::table::LinkState;
use crate::sys::packet::{self, Condition, Readiness};
use convoy_core::{
    bounds,
    wire::{
        arp::{self, Arp, Mac},
        ndp::{self, Message, Ndp},
    },
};
use pnet_datalink::{
    Channel, ChannelType, Config, DataLinkReceiver, DataLinkSender, MacAddr, NetworkInterface,
};
use std::{
    io,
    net::IpAddr,
    os::fd::IntoRawFd as _,
    task::{Context, Poll},
    time::Duration,
};

/// The sockets of a link.
pub(super) struct Segment {
    link: LinkState,
    sender: Box<dyn DataLinkSender>,
    ears: [Ear; 2],
}

/// Somebody said that an address is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) address: IpAddr,
    pub(super) mac: Mac,
}

struct Ear {
    receiver: Box<dyn DataLinkReceiver>,
    readiness: Readiness,
    read: fn(&[u8]) -> Option<Heard>,
}

impl Segment {
    /// Opens the sockets on the runtime of this thread.
    ///
    /// # Errors
    /// No `CAP_NET_RAW`, or the link is gone.
    pub(super) fn open(name: &str, link: LinkState) -> io::Result<Self> {
        let (sender, _) = channel(name, link, 0, &[])?;
        let arp = ear(name, link, arp::ETHERTYPE, &[], |frame| {
            let arp = Arp::parse(frame).ok()?;
            (!arp.sender.is_unspecified())
                .then_some(Heard { address: arp.sender.into(), mac: arp.sender_mac })
        })?;
        let ndp = ear(name, link, ndp::ETHERTYPE, &NEIGHBOUR_DISCOVERY, |frame| {
            let ndp = Ndp::parse(frame).ok()?;
            let is_answer = matches!(ndp.message, Message::Advertisement { .. });
            // An advertisement for a multicast solicitation always names the hardware address.
            is_answer.then_some(Heard { address: ndp.target.into(), mac: ndp.mac? })
        })?;
        Ok(Self { link, sender, ears: [arp, ndp] })
    }

    /// Tells whether the sockets are those of this link.
    pub(super) fn is_of(&self, link: &LinkState) -> bool {
        (self.link.index, self.link.mac) == (link.index, link.mac)
    }

    /// Returns the link's hardware address.
    pub(super) fn mac(&self) -> Mac {
        self.link.mac
    }

    /// Sends a frame; never waits.
    ///
    /// # Errors
    /// `WouldBlock` when it finds no room and is to be sent later; any other when it cannot be sent.
    pub(super) fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let sent =
            self.sender.send_to(frame, None).unwrap_or_else(|| Err(io::ErrorKind::InvalidInput.into()));
        sent.map_err(|error| match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::TimedOut, _) | (_, Some(libc::ENOBUFS)) => io::ErrorKind::WouldBlock.into(),
            _ => error,
        })
    }

    /// Is ready when something may have been heard.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let is_ready = |ear: &Ear| ear.readiness.poll(context).is_ready();
        // Both are asked, so that both are waited for.
        let ready = self.ears.iter().map(is_ready).fold(false, |one, other| one | other);
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Reads what has arrived, up to a bound for each socket; tells whether there may be more.
    pub(super) fn hear(&mut self, heard: &mut Vec<Heard>) -> bool {
        let mut is_more = false;
        for ear in &mut self.ears {
            let mut left = bounds::FRAMES_READ_MAX;
            // Anything but a frame means that there is none now: the link's going down is told by netlink.
            while left > 0
                && let Ok(frame) = ear.receiver.next()
            {
                left -= 1;
                heard.extend((ear.read)(frame));
            }
            is_more |= left == 0;
        }
        is_more
    }
}

fn ear(
    name: &str,
    link: LinkState,
    ethertype: u16,
    conditions: &[Condition<'_>],
    read: fn(&[u8]) -> Option<Heard>,
) -> io::Result<Ear> {
    let (_, (receiver, readiness)) = channel(name, link, ethertype, conditions)?;
    Ok(Ear { receiver, readiness, read })
}

type Ends = (Box<dyn DataLinkSender>, (Box<dyn DataLinkReceiver>, Readiness));

fn channel(name: &str, link: LinkState, ethertype: u16, conditions: &[Condition<'_>]) -> io::Result<Ends> {
    let interface = NetworkInterface {
        name: name.to_owned(),
        description: String::new(),
        index: link.index,
        mac: Some(MacAddr::from(link.mac)),
        ips: Vec::new(),
        flags: 0,
    };
    let socket = packet::open(conditions)?;
    let readiness = Readiness::of(&socket)?;
    let config = Config {
        channel_type: ChannelType::Layer3(ethertype),
        promiscuous: false,
        read_timeout: Some(Duration::ZERO),
        write_timeout: Some(Duration::ZERO),
        // pnet closes it, also when it fails.
        socket_fd: Some(socket.into_raw_fd()),
        ..Config::default()
    };
    match pnet_datalink::channel(&interface, config)? {
        Channel::Ethernet(sender, receiver) => Ok((sender, (receiver, readiness))),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// ICMPv6 of the two types, without extension headers, with which no kernel sends them.
const NEIGHBOUR_DISCOVERY: [Condition<'static>; 2] = [
    Condition { at: AT_NEXT_HEADER, one_of: &[ndp::ICMPV6] },
    Condition { at: AT_TYPE, one_of: &[ndp::SOLICITATION, ndp::ADVERTISEMENT] },
];
const AT_NEXT_HEADER: u32 = ndp::NEXT_HEADER_AT;
const AT_TYPE: u32 = ndp::TYPE_AT;
