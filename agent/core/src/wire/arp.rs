//! ARP on Ethernet: the packets that ask for an IPv4 address and that say who has it.
//!
//! ```text
//!  offset  size  field        value
//!       0     6  destination  of the frame
//!       6     6  source       of the frame
//!      12     2  ethertype    0x0806
//!      14     2  hardware     1, Ethernet
//!      16     2  protocol     0x0800, IPv4
//!      18     1  length       of a hardware address, 6
//!      19     1  length       of a protocol address, 4
//!      20     2  operation    1 request, 2 reply
//!      22     6  sender       hardware address
//!      28     4  sender       address; 0.0.0.0 in a probe
//!      32     6  target       hardware address
//!      38     4  target       address
//! ```
//! Integers are big-endian. What follows is padding, up to the shortest frame, and is not looked at. Tags of a VLAN are
//! the business of the kernel's VLAN device. Source: RFC 826; RFC 5227 for probes and announcements.
use core::net::Ipv4Addr;
use zerocopy::{BE, FromBytes, Immutable, IntoBytes, KnownLayout, U16, Unaligned};

/// An Ethernet hardware address.
pub type Mac = [u8; 6];

/// The hardware address that everybody takes.
pub const BROADCAST: Mac = [0xff; 6];
/// `ETH_P_ARP`, the type of a frame that carries ARP.
pub const ETHERTYPE: u16 = 0x0806;
/// Bytes of a frame, without padding.
pub const FRAME_BYTES: usize = size_of::<Frame>();

/// What a packet does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Asks who has the target.
    Request,
    /// Says that the sender has its address.
    Reply,
}

/// One ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// What it does.
    pub operation: Operation,
    /// Hardware address of the sender.
    pub sender_mac: Mac,
    /// Address that the sender says is its own; unspecified in a probe.
    pub sender: Ipv4Addr,
    /// Hardware address of the target; zero in a request.
    pub target_mac: Mac,
    /// Address that is asked for, or whose owner is told.
    pub target: Ipv4Addr,
}

/// Why a frame is no ARP packet that concerns anybody here. It is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArpError {
    /// It ends before the packet does.
    #[error("the frame is cut short")]
    Short,
    /// It carries something else, or addresses of another kind.
    #[error("the frame carries no ARP for IPv4 on Ethernet")]
    Foreign,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Frame {
    destination: Mac,
    source: Mac,
    ethertype: U16<BE>,
    hardware: U16<BE>,
    protocol: U16<BE>,
    hardware_bytes: u8,
    protocol_bytes: u8,
    operation: U16<BE>,
    sender_mac: Mac,
    sender: [u8; 4],
    target_mac: Mac,
    target: [u8; 4],
}

impl Arp {
    /// Asks who has `target`, as somebody who has no address (RFC 5227 section 2.1.1). Its answer goes to `mac` alone.
    pub fn probe(mac: Mac, target: Ipv4Addr) -> Self {
        Self {
            operation: Operation::Request,
            sender_mac: mac,
            sender: Ipv4Addr::UNSPECIFIED,
            target_mac: [0; 6],
            target,
        }
    }

    /// Says that `address` is at `mac` now (RFC 5227 section 2.3): a gratuitous request. A gratuitous reply names the
    /// hardware address twice, which is how kernels know one that may replace what they have.
    pub fn announcement(operation: Operation, mac: Mac, address: Ipv4Addr) -> Self {
        let target_mac = match operation {
            Operation::Request => [0; 6],
            Operation::Reply => mac,
        };
        Self { operation, sender_mac: mac, sender: address, target_mac, target: address }
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// Drop the frame.
    pub fn parse(frame: &[u8]) -> Result<Self, ArpError> {
        let (frame, _padding) = Frame::ref_from_prefix(frame).map_err(|_short| ArpError::Short)?;
        let kinds = [frame.ethertype.get(), frame.hardware.get(), frame.protocol.get()];
        if kinds != [ETHERTYPE, ETHERNET, IPV4] || [frame.hardware_bytes, frame.protocol_bytes] != [6, 4] {
            return Err(ArpError::Foreign);
        }
        let operation = match frame.operation.get() {
            REQUEST => Operation::Request,
            REPLY => Operation::Reply,
            _ => return Err(ArpError::Foreign),
        };
        Ok(Self {
            operation,
            sender_mac: frame.sender_mac,
            sender: frame.sender.into(),
            target_mac: frame.target_mac,
            target: frame.target.into(),
        })
    }

    /// Returns the frame that carries the packet from its sender to `destination`.
    pub fn emit(&self, destination: Mac) -> [u8; FRAME_BYTES] {
        zerocopy::transmute!(Frame {
            destination,
            source: self.sender_mac,
            ethertype: U16::new(ETHERTYPE),
            hardware: U16::new(ETHERNET),
            protocol: U16::new(IPV4),
            hardware_bytes: 6,
            protocol_bytes: 4,
            operation: U16::new(match self.operation {
                Operation::Request => REQUEST,
                Operation::Reply => REPLY,
            }),
            sender_mac: self.sender_mac,
            sender: self.sender.octets(),
            target_mac: self.target_mac,
            target: self.target.octets(),
        })
    }
}

/// `ARPHRD_ETHER`.
const ETHERNET: u16 = 1;
/// `ETH_P_IP`.
const IPV4: u16 = 0x0800;
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

const _: () = assert!(FRAME_BYTES == 42);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 7];
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 25);

    proptest! {
        #[test]
        fn packets_are_read_as_they_were_said(
            is_reply: bool, sender_mac: Mac, target_mac: Mac, addresses: (u32, u32), to: Mac, padding in 0..64_usize,
        ) {
            let operation = if is_reply { Operation::Reply } else { Operation::Request };
            let (sender, target) = (addresses.0.into(), addresses.1.into());
            let arp = Arp { operation, sender_mac, sender, target_mac, target };
            let mut frame = Vec::from(arp.emit(to));
            frame.resize(frame.len() + padding, 0);
            prop_assert_eq!(Arp::parse(&frame), Ok(arp));
        }

        #[test]
        fn any_bytes_are_a_packet_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..80), make_it_arp: bool) {
            if let (true, Some(kinds)) = (make_it_arp, bytes.get_mut(12..21)) {
                kinds.copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0]);
            }
            if let Ok(arp) = Arp::parse(&bytes) {
                let to = bytes[..6].try_into().expect("a packet is longer");
                prop_assert_eq!(&arp.emit(to)[12..], &bytes[12..FRAME_BYTES]);
            }
        }
    }

    #[test]
    fn every_shorter_frame_is_refused() {
        let frame = Arp::probe(MAC, ADDRESS).emit(BROADCAST);
        for cut in 0..FRAME_BYTES {
            assert_eq!(Arp::parse(&frame[..cut]), Err(ArpError::Short), "cut at {cut}");
        }
    }

    #[test]
    fn other_protocols_are_foreign() {
        let check = |at: usize, value: u8| {
            let mut frame = Arp::probe(MAC, ADDRESS).emit(BROADCAST);
            frame[at] = value;
            assert_eq!(Arp::parse(&frame), Err(ArpError::Foreign), "{value} at {at}");
        };
        for (at, value) in [(13, 0), (15, 6), (16, 0x86), (18, 8), (19, 16), (21, 3), (20, 1)] {
            check(at, value);
        }
    }

    #[test]
    fn the_bytes_of_a_probe_and_of_both_announcements_are_those_of_the_standards() {
        let probe = Arp::probe(MAC, ADDRESS).emit(BROADCAST);
        let head = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 7, 8, 6, 0, 1, 8, 0, 6, 4, 0];
        let own = [2, 0, 0, 0, 0, 7];
        let zero = [0; 6];
        let vip = [192, 0, 2, 25];
        assert_eq!(probe[..], [&head[..], &[1], &own, &[0; 4], &zero, &vip].concat());
        let request = Arp::announcement(Operation::Request, MAC, ADDRESS).emit(BROADCAST);
        assert_eq!(request[..], [&head[..], &[1], &own, &vip, &zero, &vip].concat());
        let reply = Arp::announcement(Operation::Reply, MAC, ADDRESS).emit(BROADCAST);
        assert_eq!(reply[..], [&head[..], &[2], &own, &vip, &own, &vip].concat());
    }
}
