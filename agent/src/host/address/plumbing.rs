//! Adding and deleting addresses, and surveying what the host has, by rtnetlink.
//!
//! The kernel carries a request out before it returns from the call that sends it, so the thread stands still for a slice;
//! how many addresses that may be follows from how long the last one took: on a device with thousands of them one can
//! take a millisecond. Surveys run on a thread of their own, because they take longer than a probe may wait.
//! What is added: the address and its prefix length, no label, no broadcast address. IPv6 without duplicate address
//! detection (the gate would hide its answer, and the bus decides who may have it), and a whole /128 as deprecated, so
//! that only what asks for the address uses it as a source, and without a route for its network, which takes half the time to
//! delete. `ip addr` shows who added it as protocol 99, since Linux 5.18.
//! Source: `rtnetlink(7)`; Linux `net/ipv4/devinet.c`, `net/ipv6/addrconf.c`.
use super::table::{LinkState, Spot};
use convoy_core::{bounds, wire::arp::Mac};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use rtnetlink::{
    packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        address::{
            AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol, CacheInfo,
        },
        link::{LinkAttribute, LinkFlags, LinkMessage},
        neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
    },
    proto::{self, ConnectionHandle, sys::SocketAddr},
    sys::protocols::NETLINK_ROUTE,
};
use std::{
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Builder;

/// One change of one address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) address: IpAddr,
    pub(super) spot: Spot,
    /// Add it there, else delete it there.
    pub(super) add: bool,
}

/// What the kernel said to each change of a slice, in its order: whether it changed something.
pub(super) type Answers = Vec<(Change, io::Result<bool>)>;

/// The socket for changes.
#[derive(Debug)]
pub(super) struct Plumber {
    handle: ConnectionHandle<RouteNetlinkMessage>,
    slice: usize,
}

/// What the host has.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Every address, and where it is.
    pub(super) addresses: Vec<(IpAddr, Spot)>,
    /// Every Ethernet link, by name.
    pub(super) links: Vec<(Arc<str>, LinkState)>,
    /// Who has been heard lately: link, address, hardware address, seconds since.
    pub(super) neighbours: Vec<(u32, IpAddr, Mac, u32)>,
}

impl Plumber {
    /// Opens the socket on the runtime of this thread.
    pub(super) fn open() -> io::Result<Self> {
        let (mut connection, handle, _unsolicited) =
            proto::new_connection::<RouteNetlinkMessage>(NETLINK_ROUTE)?;
        connection.set_forward_ack(true);
        tokio::spawn(connection);
        Ok(Self { handle, slice: 1 })
    }

    /// Returns how many changes the next slice may have.
    pub(super) fn room(&self) -> usize {
        self.slice
    }

    /// Takes into account how long a slice took.
    pub(super) fn took(&mut self, changes: usize, time: Duration) {
        if time > SLICE_TIME {
            self.slice = (self.slice / 2).max(1);
        } else if changes == self.slice && time < SLICE_TIME / 2 {
            self.slice = (self.slice * 2).min(bounds::NETLINK_SLICE_MAX);
        }
    }

    /// Carries a slice out. What was there already, or was not, is as it shall be and no error.
    ///
    /// # Errors
    /// In the answers, each change its own.
    pub(super) fn change(&self, changes: Vec<Change>) -> impl Future<Output = (Answers, Duration)> + 'static {
        let messages: Vec<_> = changes.iter().map(request).collect();
        let asked = self.handle.request_batch(messages, SocketAddr::new(0, 0));
        async move {
            let start = Instant::now();
            let lost = || io::Error::other("the netlink socket is gone");
            let mut replies = match asked {
                Ok(replies) => Some(Box::pin(replies)),
                Err(_closed) => None,
            };
            let mut answers = Vec::with_capacity(changes.len());
            for change in changes {
                let reply = match &mut replies {
                    Some(replies) => replies.next().await,
                    None => None,
                };
                answers.push((change, reply.map_or_else(|| Err(lost()), |reply| verdict(change, &reply))));
            }
            (answers, start.elapsed())
        }
    }
}

/// Returns what the host has. Blocks; for a thread on which nothing waits.
///
/// # Errors
/// Netlink cannot be had, or says so.
pub(super) fn survey() -> io::Result<Survey> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let (connection, handle, _unsolicited) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        let links = collect(handle.link().get().execute(), |message| link(&message)).await?;
        let addresses = collect(handle.address().get().execute(), |message| address(&message)).await?;
        let heard = handle.neighbours().get().execute();
        let mut neighbours = collect(heard, |message| neighbour(&message)).await?;
        neighbours.truncate(bounds::NEIGHBOURS_MAX);
        Ok(Survey { addresses, links, neighbours })
    })
}

async fn collect<M, T>(
    messages: impl Stream<Item = Result<M, rtnetlink::Error>>,
    read: impl Fn(M) -> Option<T>,
) -> io::Result<Vec<T>> {
    messages
        .try_filter_map(|message| std::future::ready(Ok(read(message))))
        .try_collect()
        .await
        .map_err(io::Error::other)
}

/// Returns an address and where it is.
pub(super) fn address(message: &AddressMessage) -> Option<(IpAddr, Spot)> {
    let of = |wanted: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(wanted);
    // On a point-to-point link the other one is the peer's.
    let local = of(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let any = || {
        of(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    };
    let spot = Spot { index: message.header.index, prefix_len: message.header.prefix_len };
    local.or_else(any).map(|address| (address, spot))
}

/// Returns an Ethernet link, by name.
pub(super) fn link(message: &LinkMessage) -> Option<(Arc<str>, LinkState)> {
    let name = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(Arc::from(name.as_str())),
        _ => None,
    })?;
    let mac = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(bytes) => Mac::try_from(bytes.as_slice()).ok(),
        _ => None,
    })?;
    let up = message.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp);
    Some((name, LinkState { index: message.header.index, mac, up }))
}

fn neighbour(message: &NeighbourMessage) -> Option<(u32, IpAddr, Mac, u32)> {
    use NeighbourState::{Delay, Probe, Reachable, Stale};
    if !matches!(message.header.state, Reachable | Stale | Delay | Probe) {
        return None;
    }
    let (mut address, mut mac, mut age_s) = (None, None, 0);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(at)) => address = Some(IpAddr::V4(*at)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(at)) => address = Some(IpAddr::V6(*at)),
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = Mac::try_from(bytes.as_slice()).ok(),
            NeighbourAttribute::CacheInfo(cache) => age_s = cache.updated / TICKS_PER_SECOND,
            _ => {}
        }
    }
    Some((message.header.ifindex, address?, mac?, age_s))
}

fn request(change: &Change) -> NetlinkMessage<RouteNetlinkMessage> {
    let mut message = AddressMessage::default();
    message.header.family = match change.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = change.spot.prefix_len;
    message.header.index = change.spot.index;
    message.attributes =
        vec![AddressAttribute::Local(change.address), AddressAttribute::Address(change.address)];
    let (message, flags) = if change.add {
        message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(PROTOCOL)));
        if change.address.is_ipv6() {
            message.header.flags = AddressHeaderFlags::Nodad;
            if change.spot.prefix_len == 128 {
                message
                    .attributes
                    .push(AddressAttribute::Flags(AddressFlags::Nodad | AddressFlags::Noprefixroute));
                let mut lifetime = CacheInfo::default();
                (lifetime.ifa_preferred, lifetime.ifa_valid) = (0, u32::MAX);
                message.attributes.push(AddressAttribute::CacheInfo(lifetime));
            }
        }
        (RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    } else {
        (RouteNetlinkMessage::DelAddress(message), 0)
    };
    let mut message = NetlinkMessage::from(message);
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    message
}

fn verdict(change: Change, reply: &NetlinkMessage<RouteNetlinkMessage>) -> io::Result<bool> {
    let NetlinkPayload::Error(error) = &reply.payload else {
        return Err(io::Error::other("the kernel answered something else"));
    };
    match error.raw_code().saturating_abs() {
        0 => Ok(true),
        libc::EEXIST if change.add => Ok(false),
        libc::EADDRNOTAVAIL | libc::ENODEV if !change.add => Ok(false),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// What `ip addr` shows behind `proto`, in hexadecimal: 0x63. chosen: c for Convoy; the kernel's own are below 4.
const PROTOCOL: u8 = 0x63;
/// chosen: a probe that waits behind a slice is late by no more than this, a fifth of a heartbeat.
const SLICE_TIME: Duration = Duration::from_millis(2);
/// `USER_HZ`, in which the kernel tells ages, on every architecture that Convoy is built for.
const TICKS_PER_SECOND: u32 = 100;
