//! Sockets as io_uring wants them: blocking mode (the ring waits, not the caller), options set.
//!
//! Buffers are set before a socket listens or connects: that is when TCP settles the window scale.
//! Source: `socket(7)`, `tcp(7)`, `shutdown(2)`; Linux `net/ipv4/inet_connection_sock.c` for who may share a port.
use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, bind, listen as listen_on, shutdown, socket_with,
    sockopt::{
        set_ip_tos, set_ipv6_tclass, set_ipv6_v6only, set_socket_recv_buffer_size, set_socket_reuseaddr,
        set_socket_reuseport, set_socket_send_buffer_size,
    },
};
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd, OwnedFd},
};
use tokio::net::TcpSocket;

/// What a listening socket has from its first moment on. Connections that it takes inherit the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// Connections the kernel keeps until they are accepted.
    pub backlog: u16,
    /// Receive buffer in bytes; `None` leaves it to the kernel.
    pub receive_buffer: Option<u32>,
    /// Send buffer in bytes; `None` leaves it to the kernel.
    pub send_buffer: Option<u32>,
}

/// Returns a listener on `address`. `shared` lets it stand beside one for which [`share`] was said, until both are
/// told that they share no more.
pub fn listen(address: SocketAddr, options: ListenOptions, shared: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set_buffers(&socket, options.receive_buffer, options.send_buffer)?;
    if shared {
        set_socket_reuseport(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen_on(&socket, options.backlog.into())?;
    Ok(TcpListener::from(socket))
}

/// Returns a socket for datagrams on `address` that never waits. What it sends goes before other traffic, where the
/// network honours that.
pub fn datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::DGRAM, flags, None)?;
    if address.is_ipv4() {
        set_ip_tos(&socket, CLASS_CONTROL)?;
    } else {
        set_ipv6_v6only(&socket, true)?;
        set_ipv6_tclass(&socket, CLASS_CONTROL.into())?;
    }
    bind(&socket, &address)?;
    Ok(UdpSocket::from(socket))
}

/// Says whether another listener of this user may stand on the same address and port.
pub fn share(listener: &TcpListener, shared: bool) -> io::Result<()> {
    Ok(set_socket_reuseport(listener, shared)?)
}

/// Takes no more connections: whoever waits in accept on any copy of the socket gets an error at once.
pub fn end_listening(listener: impl AsFd) -> io::Result<()> {
    Ok(shutdown(listener, Shutdown::Read)?)
}

/// Connects to `to` from `source`, if it is given and of the same family, with buffers of `buffer` bytes if that is
/// given. Waits as long as the kernel does; drop the future to give up.
pub async fn connect(to: SocketAddr, source: Option<IpAddr>, buffer: Option<u32>) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes)?;
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(source) = source.filter(|source| source.is_ipv4() == to.is_ipv4()) {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(to).await?.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn set_buffers(socket: &OwnedFd, receive: Option<u32>, send: Option<u32>) -> io::Result<()> {
    let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
    if let Some(bytes) = receive {
        set_socket_recv_buffer_size(socket, size(bytes))?;
    }
    if let Some(bytes) = send {
        set_socket_send_buffer_size(socket, size(bytes))?;
    }
    Ok(())
}

/// Class selector 6, for traffic that keeps a network going (RFC 4594 section 3.1), in the upper six bits.
const CLASS_CONTROL: u8 = 48 << 2;
