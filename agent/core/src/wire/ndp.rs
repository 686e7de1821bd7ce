//! Neighbour discovery on Ethernet: the packets that ask for an IPv6 address and that say who has it.
//!
//! ```text
//!  offset  size  field         value
//!       0     6  destination   of the frame
//!       6     6  source        of the frame
//!      12     2  ethertype     0x86dd
//!      14     4  version       6 in the upper four bits, then class and flow label, 0
//!      18     2  length        of what follows offset 54
//!      20     1  next header   58, ICMPv6
//!      21     1  hop limit     255; a packet with another one came through a router and is none of the neighbours'
//!      22    16  source        address; `::` in a probe
//!      38    16  destination   address
//!      54     1  type          135 solicitation, 136 advertisement
//!      55     1  code          0
//!      56     2  checksum      of the pseudo header and of everything from offset 54 on
//!      58     4  flags         router, solicited, override in the upper three bits of an advertisement; 0 else
//!      62    16  target        address
//!      78     2  option        2 (target's hardware address) or 1 (source's), length 1, when there is one
//!      80     6  option        hardware address
//! ```
//! Integers are big-endian. Other options are passed over. Source: RFC 4861 sections 4.3, 4.4, 7.1; RFC 4862 section 5.4
//! (a probe has no option); RFC 2464 section 7 for multicast on Ethernet.
use super::arp::Mac;
use core::net::Ipv6Addr;
use zerocopy::{BE, FromBytes, Immutable, IntoBytes, KnownLayout, U16, U32, Unaligned};

/// `ETH_P_IPV6`, the type of a frame that carries IPv6.
pub const ETHERTYPE: u16 = 0x86dd;
/// Where all nodes of a link listen.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Bytes of the longest frame that is made here.
pub const FRAME_BYTES_MAX: usize = HEAD_BYTES + OPTION_BYTES;
/// ICMPv6 type of a solicitation.
pub const SOLICITATION: u8 = 135;
/// ICMPv6 type of an advertisement.
pub const ADVERTISEMENT: u8 = 136;
/// Next header of ICMPv6.
pub const ICMPV6: u8 = 58;
/// Where a frame has its next header.
pub const NEXT_HEADER_AT: u32 = 20;
/// Where a frame has its ICMPv6 type, without extension headers.
pub const TYPE_AT: u32 = 54;

/// One packet of neighbour discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ndp {
    /// What it does.
    pub message: Message,
    /// Address it comes from; unspecified in a probe.
    pub source: Ipv6Addr,
    /// Address it goes to.
    pub destination: Ipv6Addr,
    /// Address that is asked for, or whose owner is told.
    pub target: Ipv6Addr,
    /// Hardware address of the source of a solicitation, of the target of an advertisement.
    pub mac: Option<Mac>,
}

/// What a packet does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Asks who has the target.
    Solicitation,
    /// Says who has the target.
    Advertisement {
        /// It answers a solicitation.
        solicited: bool,
        /// It replaces what is known.
        overrides: bool,
    },
}

/// Why a frame is no packet of neighbour discovery. It is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NdpError {
    /// It ends before the packet does, or an option does not fit.
    #[error("the frame is cut short")]
    Short,
    /// It carries something else, or came through a router.
    #[error("the frame carries no neighbour discovery")]
    Foreign,
    /// Its checksum is wrong.
    #[error("the frame is damaged")]
    Damaged,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    frame_destination: Mac,
    frame_source: Mac,
    ethertype: U16<BE>,
    version: U32<BE>,
    length: U16<BE>,
    next_header: u8,
    hop_limit: u8,
    source: [u8; 16],
    destination: [u8; 16],
    kind: u8,
    code: u8,
    checksum: U16<BE>,
    flags: U32<BE>,
    target: [u8; 16],
}

/// Bytes of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    bytes: [u8; FRAME_BYTES_MAX],
    length: usize,
}

impl Ndp {
    /// Asks who has `target`, as somebody who has no address.
    pub fn probe(target: Ipv6Addr) -> Self {
        let message = Message::Solicitation;
        let destination = solicited_node(target);
        Self { message, source: Ipv6Addr::UNSPECIFIED, destination, target, mac: None }
    }

    /// Says that `address` is at `mac` now, unasked, to `destination`: [`ALL_NODES`], or one of them.
    pub fn announcement(mac: Mac, address: Ipv6Addr, destination: Ipv6Addr) -> Self {
        let message = Message::Advertisement { solicited: false, overrides: true };
        Self { message, source: address, destination, target: address, mac: Some(mac) }
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// Drop the frame.
    pub fn parse(frame: &[u8]) -> Result<Self, NdpError> {
        let (head, _) = Head::ref_from_prefix(frame).map_err(|_short| NdpError::Short)?;
        let is_ours = head.ethertype.get() == ETHERTYPE
            && head.version.get() >> 28 == 6
            && head.next_header == ICMPV6
            && head.hop_limit == HOP_LIMIT
            && head.code == 0;
        let flags = head.flags.get();
        let message = match head.kind {
            SOLICITATION if is_ours => Message::Solicitation,
            ADVERTISEMENT if is_ours => Message::Advertisement {
                solicited: flags & FLAG_SOLICITED != 0,
                overrides: flags & FLAG_OVERRIDE != 0,
            },
            _ => return Err(NdpError::Foreign),
        };
        let length = usize::from(head.length.get());
        let body = frame.get(BODY_AT..BODY_AT + length).ok_or(NdpError::Short)?;
        let options = body.get(BODY_BYTES..).ok_or(NdpError::Short)?;
        // A packet with its checksum in it sums up to nothing.
        if checksum(head.source, head.destination, body) != 0 {
            return Err(NdpError::Damaged);
        }
        Ok(Self {
            message,
            source: head.source.into(),
            destination: head.destination.into(),
            target: head.target.into(),
            mac: hardware_address(options, message.option())?,
        })
    }

    /// Returns the frame that carries the packet from `mac` to `destination`.
    pub fn emit(&self, mac: Mac, destination: Mac) -> Frame {
        let mut frame = Frame { bytes: [0; FRAME_BYTES_MAX], length: HEAD_BYTES };
        if let Some(own) = self.mac {
            let option = &mut frame.bytes[HEAD_BYTES..];
            option[..2].copy_from_slice(&[self.message.option(), 1]);
            option[2..].copy_from_slice(&own);
            frame.length = FRAME_BYTES_MAX;
        }
        let mut head = Head {
            frame_destination: destination,
            frame_source: mac,
            ethertype: U16::new(ETHERTYPE),
            version: U32::new(6 << 28),
            length: U16::new(u16::try_from(frame.length - BODY_AT).unwrap_or(u16::MAX)),
            next_header: ICMPV6,
            hop_limit: HOP_LIMIT,
            source: self.source.octets(),
            destination: self.destination.octets(),
            kind: self.message.kind(),
            code: 0,
            checksum: U16::ZERO,
            flags: U32::new(self.message.flags()),
            target: self.target.octets(),
        };
        frame.bytes[..HEAD_BYTES].copy_from_slice(head.as_bytes());
        head.checksum =
            U16::new(checksum(head.source, head.destination, &frame.bytes[BODY_AT..frame.length]));
        frame.bytes[..HEAD_BYTES].copy_from_slice(head.as_bytes());
        frame
    }
}

impl Message {
    fn kind(self) -> u8 {
        match self {
            Self::Solicitation => SOLICITATION,
            Self::Advertisement { .. } => ADVERTISEMENT,
        }
    }

    fn flags(self) -> u32 {
        match self {
            Self::Solicitation => 0,
            Self::Advertisement { solicited, overrides } => {
                u32::from(solicited) * FLAG_SOLICITED + u32::from(overrides) * FLAG_OVERRIDE
            }
        }
    }

    /// Returns the kind of the option that has the hardware address.
    fn option(self) -> u8 {
        match self {
            Self::Solicitation => 1,
            Self::Advertisement { .. } => 2,
        }
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Returns where whoever has `address` listens for solicitations.
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}

/// Returns the hardware address of a multicast address.
pub fn multicast_mac(address: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = address.octets();
    [0x33, 0x33, a, b, c, d]
}

/// Returns the hardware address in the first option of this kind.
fn hardware_address(mut options: &[u8], wanted: u8) -> Result<Option<Mac>, NdpError> {
    while let [kind, units, ..] = options {
        // Lengths are in units of eight bytes; none of 0 is allowed, and it would never end.
        let length = usize::from(*units) * OPTION_BYTES;
        let (option, rest) =
            options.split_at_checked(length).filter(|_| length > 0).ok_or(NdpError::Short)?;
        if let (true, [_, _, mac @ ..]) = (*kind == wanted, option) {
            return Ok(mac.first_chunk().copied());
        }
        options = rest;
    }
    if options.is_empty() { Ok(None) } else { Err(NdpError::Short) }
}

/// Returns the Internet checksum (RFC 1071) of an ICMPv6 body with its pseudo header (RFC 8200 section 8.1).
fn checksum(source: [u8; 16], destination: [u8; 16], body: &[u8]) -> u16 {
    // A body is at most 64 KiB long, so the sum of its 16-bit words cannot overflow.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut sum = 0_u32;
    for part in [&source[..], &destination, &length, &[0, 0, 0, ICMPV6], body] {
        for pair in part.chunks(2) {
            let word = [pair[0], pair.get(1).copied().unwrap_or(0)];
            sum += u32::from(u16::from_be_bytes(word));
        }
    }
    let folded = (sum >> 16) + (sum & 0xffff);
    let folded = (folded >> 16) + (folded & 0xffff);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

/// Hop limit of what did not come through a router.
const HOP_LIMIT: u8 = 255;
const FLAG_SOLICITED: u32 = 1 << 30;
const FLAG_OVERRIDE: u32 = 1 << 29;
const HEAD_BYTES: usize = size_of::<Head>();
/// [`TYPE_AT`], to be counted with.
const BODY_AT: usize = 54;
/// Bytes of the shortest option, and the unit of their lengths.
const OPTION_BYTES: usize = 8;
/// Bytes of the ICMPv6 part without options.
const BODY_BYTES: usize = HEAD_BYTES - BODY_AT;

const _: () = assert!(HEAD_BYTES == 78 && BODY_BYTES == 24 && TYPE_AT == 54);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 7];
    const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12, 0x3456);

    fn announcement() -> Vec<u8> {
        let packet = Ndp::announcement(MAC, ADDRESS, ALL_NODES);
        packet.emit(MAC, multicast_mac(ALL_NODES)).as_ref().into()
    }

    /// Makes the checksum right again after a change.
    fn seal(frame: &mut [u8]) {
        let (source, destination) = (frame[22..38].try_into().unwrap(), frame[38..54].try_into().unwrap());
        let end = (BODY_AT + usize::from(u16::from_be_bytes([frame[18], frame[19]]))).min(frame.len());
        frame[56..58].fill(0);
        let sum = checksum(source, destination, &frame[BODY_AT..end]);
        frame[56..58].copy_from_slice(&sum.to_be_bytes());
    }

    proptest! {
        #[test]
        fn packets_are_read_as_they_were_said(
            kind in prop::option::of((any::<bool>(), any::<bool>())), addresses: (u128, u128, u128), mac: Option<Mac>,
            padding in 0..32_usize,
        ) {
            let message = kind.map_or(Message::Solicitation, |(solicited, overrides)| {
                Message::Advertisement { solicited, overrides }
            });
            let (source, destination, target) = (addresses.0.into(), addresses.1.into(), addresses.2.into());
            let packet = Ndp { message, source, destination, target, mac };
            let mut frame = Vec::from(packet.emit(MAC, MAC).as_ref());
            frame.resize(frame.len() + padding, 0);
            prop_assert_eq!(Ndp::parse(&frame), Ok(packet));
        }

        #[test]
        fn any_bytes_are_a_packet_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..160), seal_it: bool) {
            if let (true, true) = (seal_it, bytes.len() >= HEAD_BYTES) {
                let body = u16::try_from(bytes.len() - BODY_AT).unwrap();
                bytes[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
                bytes[18..20].copy_from_slice(&body.to_be_bytes());
                bytes[20..22].copy_from_slice(&[ICMPV6, HOP_LIMIT]);
                bytes[54] = SOLICITATION + bytes[54] % 2;
                bytes[55] = 0;
                seal(&mut bytes);
                prop_assert!(!matches!(Ndp::parse(&bytes), Err(NdpError::Foreign | NdpError::Damaged)));
            }
            if let Ok(packet) = Ndp::parse(&bytes) {
                let again = packet.emit(MAC, MAC);
                prop_assert_eq!(Ndp::parse(again.as_ref()), Ok(packet));
            }
        }

        #[test]
        fn any_flipped_bit_of_the_message_is_noticed(at in any::<prop::sample::Index>()) {
            let mut frame = announcement();
            let bits = (frame.len() - BODY_AT) * 8;
            let bit = BODY_AT * 8 + at.index(bits);
            frame[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Ndp::parse(&frame).is_err());
        }
    }

    #[test]
    fn every_shorter_frame_is_refused() {
        let frame = announcement();
        for cut in 0..frame.len() {
            assert_eq!(Ndp::parse(&frame[..cut]), Err(NdpError::Short), "cut at {cut}");
        }
    }

    #[test]
    fn an_option_of_length_zero_ends_the_reading() {
        let mut frame = announcement();
        frame[78] = 14; // a nonce, which is passed over
        frame[79] = 0;
        seal(&mut frame);
        assert_eq!(Ndp::parse(&frame), Err(NdpError::Short));
    }

    #[test]
    fn what_came_through_a_router_is_foreign() {
        let mut frame = announcement();
        frame[21] = 254;
        assert_eq!(Ndp::parse(&frame), Err(NdpError::Foreign));
    }

    #[test]
    fn a_probe_goes_to_whoever_has_the_address() {
        let probe = Ndp::probe(ADDRESS);
        assert_eq!(probe.destination, "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap());
        assert_eq!(multicast_mac(probe.destination), [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        let frame = probe.emit(MAC, multicast_mac(probe.destination));
        assert_eq!(frame.as_ref().len(), 78, "without an option");
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // RFC 1071 section 3, its four words beside a pseudo header that adds length 8 and next header 58.
        let sum = 0xddf2_u32 + 8 + 58;
        assert_eq!(
            checksum([0; 16], [0; 16], &[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]),
            !u16::try_from(sum).unwrap()
        );
    }
}
