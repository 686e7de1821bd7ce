//! The frames of ARP and neighbour discovery, and what a frame says about an address.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A link address.
pub(crate) type Mac = [u8; 6];

/// What a frame asks, or says. The kernel answers the first group; the second binds an address to a link address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Who has it?
    Question,
    /// Does anybody have it? Asked by one who wants it (RFC 5227, RFC 4862).
    Probe,
    /// I have it: gratuitous ARP as a request, unsolicited neighbour advertisement.
    Announcement,
    /// I have it: gratuitous ARP as a reply, answer to a solicitation.
    Answer,
    /// Who has the other one? I have this one.
    FromIt,
}

impl Kind {
    pub(crate) const ASKS: [Self; 2] = [Self::Question, Self::Probe];
    pub(crate) const SAYS: [Self; 3] = [Self::Announcement, Self::Answer, Self::FromIt];
}

/// Tags a frame carries in itself, outermost first: type and number.
pub(crate) type Tags<'a> = &'a [(u16, u16)];

/// Who sends a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Station {
    pub(crate) mac: Mac,
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
}

/// Builds a frame about `address`.
pub(crate) fn frame(kind: Kind, address: IpAddr, from: Station, tags: Tags<'_>) -> Vec<u8> {
    let Station { mac, v4, v6 } = from;
    let (destination, ethertype, payload) = match address {
        IpAddr::V4(address) => ([0xff; 6], ARP, arp(kind, address, mac, v4)),
        IpAddr::V6(address) => {
            let (to, payload) = neighbour(kind, address, mac, v6);
            let [.., a, b, c, d] = to.octets();
            ([0x33, 0x33, a, b, c, d], IPV6, payload)
        }
    };
    let mut frame = [destination, mac].concat();
    for (tag, number) in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend(number.to_be_bytes());
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

fn arp(kind: Kind, address: Ipv4Addr, mac: Mac, own: Ipv4Addr) -> Vec<u8> {
    let (operation, sender, target) = match kind {
        Kind::Question => (1, own, address),
        Kind::Probe => (1, Ipv4Addr::UNSPECIFIED, address),
        Kind::Announcement => (1, address, address),
        Kind::Answer => (2, address, address),
        Kind::FromIt => (1, address, own),
    };
    let head = [0, 1, 8, 0, 6, 4, 0, operation];
    [&head, mac.as_slice(), &sender.octets(), &[0; 6], &target.octets()].concat()
}

/// Returns the destination, and the packet.
fn neighbour(kind: Kind, address: Ipv6Addr, mac: Mac, own: Ipv6Addr) -> (Ipv6Addr, Vec<u8>) {
    let (source, destination, message, flags, target, option) = match kind {
        Kind::Question => (own, solicited_node(address), 135, 0, address, 1),
        Kind::Probe => (Ipv6Addr::UNSPECIFIED, solicited_node(address), 135, 0, address, 0),
        Kind::Announcement => (own, ALL_NODES, 136, 0x20, address, 2),
        Kind::Answer => (address, ALL_NODES, 136, 0x60, address, 2),
        Kind::FromIt => (address, solicited_node(own), 135, 0, own, 1),
    };
    let mut body = vec![message, 0, 0, 0, flags, 0, 0, 0];
    body.extend(target.octets());
    if option != 0 {
        body.extend([option, 1]);
        body.extend(mac);
    }
    let len = u16::try_from(body.len()).expect("tens of bytes");
    let sum = checksum(source, destination, len, &body).to_be_bytes();
    body[2..4].copy_from_slice(&sum);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([ICMPV6, 255]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(body);
    (destination, packet)
}

/// RFC 4443, 2.3.
fn checksum(source: Ipv6Addr, destination: Ipv6Addr, len: u16, body: &[u8]) -> u16 {
    let pseudo =
        [&source.octets()[..], &destination.octets(), &[0, 0], &len.to_be_bytes(), &[0, 0, 0, ICMPV6], body];
    let sum: u32 = pseudo
        .concat()
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded twice")
}

/// Returns the address that a frame of another station binds to a link address, if it does; tags are passed over.
pub(crate) fn bound(frame: &[u8], not_from: Mac) -> Option<IpAddr> {
    if frame.get(6..12)? == not_from {
        return None;
    }
    let mut at = 12;
    loop {
        let ethertype = u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?);
        at += 2;
        match ethertype {
            ARP => {
                let octets: [u8; 4] = frame.get(at + 14..at + 18)?.try_into().ok()?;
                return Some(Ipv4Addr::from(octets).into());
            }
            IPV6 if *frame.get(at + 6)? == ICMPV6 => {
                let from = match frame.get(at + 40)? {
                    136 => at + 48,
                    135 => at + 8,
                    _ => return None,
                };
                let octets: [u8; 16] = frame.get(from..from + 16)?.try_into().ok()?;
                return Some(Ipv6Addr::from(octets).into());
            }
            TAG | SERVICE_TAG | 0x9100 => at += 2,
            _ => return None,
        }
    }
}

/// RFC 4291, 2.7.1.
fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
pub(crate) const TAG: u16 = 0x8100;
pub(crate) const SERVICE_TAG: u16 = 0x88a8;
const ICMPV6: u8 = 58;

#[test]
fn what_a_frame_binds_is_read_back() {
    let (mac, other) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let from = Station { mac, v4: Ipv4Addr::new(10, 0, 0, 1), v6: ALL_NODES };
    for address in ["10.0.0.9", "fd77::9"] {
        let address: IpAddr = address.parse().unwrap();
        for kind in Kind::SAYS {
            for tags in [&[][..], &[(TAG, 7)], &[(SERVICE_TAG, 9), (TAG, 7)]] {
                let frame = frame(kind, address, from, tags);
                assert_eq!(bound(&frame, other), Some(address), "{kind:?}");
                assert_eq!(bound(&frame, mac), None);
            }
        }
    }
}
