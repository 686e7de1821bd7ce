//! Sockets as io_uring wants them: blocking mode (the ring waits, not the caller), options set.
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
};
use tokio::net::TcpSocket;

/// Returns a listener on `address`.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}

/// Connects to `to` from `source`, if it is given and of the same family. Waits as long as the kernel does;
/// drop the future to give up.
pub async fn connect(to: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = source.filter(|source| source.is_ipv4() == to.is_ipv4()) {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(to).await?.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
