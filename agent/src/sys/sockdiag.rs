//! Lists the TCP sockets of this thread's network namespace.
//!
//! Invariants: 1. a socket that exists all through a dump is listed; one that comes or goes may be; 2. a reply that
//! is cut short or of another dump is an error, never a guess.
//! Does not list minisockets (time-wait, requests): they are no connections any more, or not yet.
//! Source: `sock_diag(7)`; Linux `include/uapi/linux/inet_diag.h`, `sock_diag.h` (cgroup since 5.9).
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, byteorder::big_endian};

/// States of a connection that was established and is not over: established, fin-wait-1, fin-wait-2, close-wait,
/// last-ack, closing. Bits as in `net/tcp_states.h`.
pub const CONNECTED: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// One TCP socket.
#[derive(Clone, Copy, Debug)]
pub struct Socket {
    /// The kernel's name for it, unique until reboot.
    pub cookie: u64,
    /// Local port.
    pub local_port: u16,
    /// Remote port.
    pub remote_port: u16,
    /// Remote address as the socket has it; may be v4-mapped.
    pub remote: IpAddr,
    /// Identity of the control group it belongs to; `None` when the kernel does not say.
    pub cgroup: Option<u64>,
}

/// A netlink socket for dumps.
#[derive(Debug)]
pub struct SockDiag {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl SockDiag {
    /// Opens a socket in this thread's network namespace; it stays there wherever the thread goes.
    pub fn open() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        Ok(Self { socket, buffer: vec![0; BUFFER_BYTES], sequence: 0 })
    }

    /// Shows every TCP socket in one of `states` (bits) to `sink`, both families.
    ///
    /// # Errors
    /// What the kernel says, with the family; `InvalidData` for a reply that cannot be read.
    pub fn dump(&mut self, states: u32, mut sink: impl FnMut(Socket)) -> io::Result<()> {
        for family in [AF_INET, AF_INET6] {
            self.dump_family(family, states, &mut sink)?;
        }
        Ok(())
    }

    /// Returns the number of the user who made the socket with this local and this remote end, if a process has it open.
    ///
    /// A socket that its process has closed has no owner any more. Kernels call it root's: all of them in time-wait, which
    /// is a minisocket without a user, and older ones as soon as it has no process.
    ///
    /// # Errors
    /// As for [`dump`](Self::dump). That there is no such socket is `None`.
    pub fn owner(&mut self, local: SocketAddr, remote: SocketAddr) -> io::Result<Option<u32>> {
        let (local_ip, remote_ip) = (local.ip().to_canonical(), remote.ip().to_canonical());
        let family = if local_ip.is_ipv4() { AF_INET } else { AF_INET6 };
        let mut id = [0; 48];
        let ports = [local.port().to_be_bytes(), remote.port().to_be_bytes()].concat();
        let fields = [&ports, &padded(local_ip)[..], &padded(remote_ip)[..]].concat();
        id.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        // The cookie that means any: INET_DIAG_NOCOOKIE, all bits set.
        id.iter_mut().skip(COOKIE_AT).for_each(|byte| *byte = 0xff);
        self.request(family, NLM_F_REQUEST, u32::MAX, id)?;
        let (read, whole) = recv(&self.socket, self.buffer.as_mut_slice(), RecvFlags::TRUNC)?;
        if whole > read {
            return Err(bad("a reply is longer than the buffer"));
        }
        let reply = self.buffer.get(..read).ok_or_else(|| bad("more was read than fits"))?;
        let (header, payload, _) = message(reply)?;
        if header.kind == NLMSG_ERROR {
            let error = error_of(payload);
            return if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
        }
        let (found, _) = Found::ref_from_prefix(payload).map_err(|_short| bad("a socket is cut short"))?;
        let [.., owner, inode] = found.rest;
        let open = found.timer != TIMER_TIME_WAIT && low_first(inode) != 0;
        Ok(open.then_some(low_first(owner)))
    }

    fn request(&mut self, family: u8, flags: u16, states: u32, id: [u8; 48]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = Request {
            len: REQUEST_BYTES,
            kind: SOCK_DIAG_BY_FAMILY,
            flags,
            sequence: self.sequence,
            port: 0,
            family,
            protocol: IPPROTO_TCP,
            extensions: 0,
            pad: 0,
            states,
            id,
        };
        send(&self.socket, request.as_bytes(), SendFlags::empty())?;
        Ok(())
    }

    fn dump_family(&mut self, family: u8, states: u32, sink: &mut impl FnMut(Socket)) -> io::Result<()> {
        self.request(family, NLM_F_REQUEST | NLM_F_DUMP, states, [0; 48])?;
        loop {
            let (read, whole) = recv(&self.socket, self.buffer.as_mut_slice(), RecvFlags::TRUNC)?;
            if whole > read {
                return Err(bad("a reply is longer than the buffer"));
            }
            let mut rest = self.buffer.get(..read).ok_or_else(|| bad("more was read than fits"))?;
            while !rest.is_empty() {
                let (header, payload, tail) = message(rest)?;
                rest = tail;
                if header.sequence != self.sequence {
                    continue; // the end of an earlier dump that was given up
                }
                match header.kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => return Err(error_of(payload)),
                    _ => {
                        if let Some(socket) = parse(payload)? {
                            sink(socket);
                        }
                    }
                }
            }
        }
    }
}

/// Returns an address in the 16 bytes that the kernel has for it.
fn padded(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
    }
}

/// Splits one netlink message off.
fn message(bytes: &[u8]) -> io::Result<(Header, &[u8], &[u8])> {
    let (header, _) = Header::read_from_prefix(bytes).map_err(|_short| bad("a message is cut short"))?;
    let len = usize::try_from(header.len).map_err(|_wide| bad("a message is too long"))?;
    let payload = bytes.get(size_of::<Header>()..len).ok_or_else(|| bad("a message is cut short"))?;
    let tail = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    Ok((header, payload, tail))
}

/// Reads one socket; `None` for a minisocket.
fn parse(payload: &[u8]) -> io::Result<Option<Socket>> {
    let (found, attributes) =
        Found::ref_from_prefix(payload).map_err(|_short| bad("a socket is cut short"))?;
    if found.timer == TIMER_TIME_WAIT {
        return Ok(None);
    }
    let remote = match (found.family, found.remote) {
        (AF_INET, [a, b, c, d, ..]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        (_, octets) => IpAddr::V6(Ipv6Addr::from(octets)),
    };
    let socket = Socket {
        cookie: u64::from(low_first(found.cookie[0])) | u64::from(low_first(found.cookie[1])) << 32,
        local_port: found.local_port.get(),
        remote_port: found.remote_port.get(),
        remote,
        cgroup: Attributes(attributes)
            .find(|(kind, _)| *kind == INET_DIAG_CGROUP_ID)
            .and_then(|(_, id)| u64::read_from_bytes(id).ok()),
    };
    Ok(Some(socket))
}

/// Walks netlink attributes; stops at the first that is cut short.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, _) = AttributeHeader::read_from_prefix(self.0).ok()?;
        let len = usize::from(header.len);
        let value = self.0.get(size_of::<AttributeHeader>()..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((header.kind & !NLA_F_NESTED, value))
    }
}

fn error_of(payload: &[u8]) -> io::Error {
    match i32::read_from_prefix(payload) {
        Ok((code, _)) => io::Error::from_raw_os_error(code.saturating_neg()),
        Err(_) => bad("an error is cut short"),
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("sock_diag: {what}"))
}

/// Reads a 32-bit number in host byte order from its bytes.
fn low_first(bytes: [u8; 4]) -> u32 {
    u32::from_ne_bytes(bytes)
}

/// Bytes received at once. The kernel fills at most 32 KiB of it for a dump.
const BUFFER_BYTES: usize = 64 << 10;

/// Bytes of `inet_diag_sockid` before its cookie: ports, addresses, interface.
const COOKIE_AT: usize = 40;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLA_F_NESTED: u16 = 1 << 15;
const INET_DIAG_CGROUP_ID: u16 = 21;
/// `idiag_timer` of a time-wait minisocket, whatever state it stands for.
const TIMER_TIME_WAIT: u8 = 3;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    len: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct AttributeHeader {
    len: u16,
    kind: u16,
}

/// `nlmsghdr` and `inet_diag_req_v2`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Request {
    len: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    family: u8,
    protocol: u8,
    extensions: u8,
    pad: u8,
    states: u32,
    id: [u8; 48],
}

const REQUEST_BYTES: u32 = 72;

/// `inet_diag_msg`; addresses and ports in network byte order.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Found {
    family: u8,
    state: u8,
    timer: u8,
    retransmits: u8,
    local_port: big_endian::U16,
    remote_port: big_endian::U16,
    local: [u8; 16],
    remote: [u8; 16],
    interface: [u8; 4],
    cookie: [[u8; 4]; 2],
    /// expires, receive queue, send queue, user, inode
    rest: [[u8; 4]; 5],
}

const _: () = assert!(size_of::<Request>() == 72 && size_of::<Found>() == 72 && size_of::<Header>() == 16);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn pair(at: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(at).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn owner(server: &TcpStream, peer: SocketAddr) -> Option<u32> {
        SockDiag::open().unwrap().owner(peer, server.local_addr().unwrap()).unwrap()
    }

    #[test]
    fn the_other_end_of_a_loopback_connection_is_this_user() {
        let user = rustix::process::geteuid().as_raw();
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let (client, server) = pair(at);
            assert_eq!(owner(&server, server.peer_addr().unwrap()), Some(user), "{at}");
            drop(client);
        }
    }

    #[test]
    fn a_client_that_has_hung_up_is_nobody() {
        let (client, server) = pair("127.0.0.1:0");
        let peer = client.local_addr().unwrap();
        drop(client);
        assert_eq!(owner(&server, peer), None);
    }

    #[test]
    fn where_there_is_no_socket_there_is_nobody() {
        let (_client, server) = pair("127.0.0.1:0");
        assert_eq!(owner(&server, SocketAddr::from(([127, 0, 0, 77], 1))), None);
    }
}
