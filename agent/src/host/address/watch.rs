//! What changes on the host's links and addresses, as the kernel tells it.
//!
//! Never exact: when more is told than the socket holds, the kernel drops it and says so, and a survey makes up for it.
use super::{
    plumbing,
    table::{LinkState, Spot},
};
use futures_util::{FutureExt as _, StreamExt as _, stream::LocalBoxStream};
use rtnetlink::{
    MulticastGroup, new_multicast_connection,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::RouteNetlinkMessage,
    proto::sys::{AsyncSocket as _, SocketAddr},
};
use std::{io, net::IpAddr, sync::Arc};

/// One change.
#[derive(Debug)]
pub(super) enum Change {
    /// An address is there now.
    Added(IpAddr, Spot),
    /// An address is there no more.
    Deleted(IpAddr, Spot),
    /// A link is there, and how it is.
    Link(Arc<str>, LinkState),
    /// A link is gone.
    NoLink(u32),
    /// Something was not told.
    Lost,
}

/// The socket on which changes are told.
pub(super) struct Watch(Messages);

type Messages = LocalBoxStream<'static, (NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

impl Watch {
    /// Opens the socket on the runtime of this thread; what happens from here on is told. What is read and not taken yet is
    /// bounded by the socket's buffer, since one thread does both.
    pub(super) fn open() -> io::Result<Self> {
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        let (mut connection, _handle, messages) = new_multicast_connection(&groups)?;
        let socket = connection.socket_mut().socket_ref();
        if let Err(error) = rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, BUFFER_BYTES) {
            tracing::debug!(%error, "the buffer for changes of addresses stays as small as it is");
        }
        tokio::spawn(connection);
        Ok(Self(messages.boxed_local()))
    }

    /// Waits for changes and returns all that have come, up to [`CHANGES_MAX`].
    pub(super) async fn changes(&mut self) -> Vec<Change> {
        let Some((first, _)) = self.0.next().await else {
            // The connection has ended; surveys go on, and the caller does not spin.
            return std::future::pending().await;
        };
        let mut changes: Vec<Change> = change(first).into_iter().collect();
        while changes.len() < CHANGES_MAX
            && let Some(Some((message, _))) = self.0.next().now_or_never()
        {
            changes.extend(change(message));
        }
        changes
    }
}

fn change(message: NetlinkMessage<RouteNetlinkMessage>) -> Option<Change> {
    let inner = match message.payload {
        NetlinkPayload::InnerMessage(inner) => inner,
        NetlinkPayload::Overrun(_) => return Some(Change::Lost),
        _ => return None,
    };
    match inner {
        RouteNetlinkMessage::NewAddress(message) => {
            plumbing::address(&message).map(|(address, spot)| Change::Added(address, spot))
        }
        RouteNetlinkMessage::DelAddress(message) => {
            plumbing::address(&message).map(|(address, spot)| Change::Deleted(address, spot))
        }
        RouteNetlinkMessage::NewLink(message) => {
            plumbing::link(&message).map(|(name, link)| Change::Link(name, link))
        }
        RouteNetlinkMessage::DelLink(message) => Some(Change::NoLink(message.header.index)),
        _ => None,
    }
}

/// Changes that are handled before anything else gets its turn.
const CHANGES_MAX: usize = 1_024;
/// chosen: some thousand changes, each of which takes about a kilobyte there.
const BUFFER_BYTES: usize = 8 << 20;
