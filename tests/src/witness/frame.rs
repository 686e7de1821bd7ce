//! What the witness says and understands on the segment: ARP for IPv4, neighbour discovery for IPv6.
//!
//! A question carries a number that comes back in its answer and in nothing else: of ARP in the hardware address that
//! asks, to which the answer is sent; of neighbour discovery in the link-local address that asks. So an answer is never
//! taken for an announcement, nor for the answer to another question. No cache learns anything from a question of ARP:
//! its sender is 0.0.0.0. Those of IPv6 leave [`NUMBERS`] neighbours on whoever answers.
//!
//! Source: RFC 826; RFC 5227 section 2.1.1; RFC 4861 sections 4.3, 4.4 and 7; Linux `net/ipv4/arp.c`, `arp_process`:
//! what asks from 0.0.0.0 is answered to its hardware address.
use super::Mac;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many numbers there are; a question has one below it.
pub(super) const NUMBERS: u8 = 32;

/// A frame's word that an address is at a hardware address, as neighbours' caches take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) address: IpAddr,
    pub(super) mac: Mac,
    /// The number of the question that it answers; nothing for an announcement or an answer to others.
    pub(super) answers: Option<u8>,
}

/// Returns the frame that asks who has `address`, from the interface `own`.
pub(super) fn question(address: IpAddr, own: Mac, number: u8) -> Vec<u8> {
    match address {
        IpAddr::V4(target) => who_has(target, own, number),
        IpAddr::V6(target) => solicitation(target, own, number),
    }
}

/// Returns what a frame claims, or nothing: most frames claim nothing, and damaged ones are not ours to judge.
pub(super) fn claim(frame: &[u8]) -> Option<Claim> {
    match frame.get(12..14)? {
        ETHERTYPE_ARP => claim_of_arp(frame.get(14..)?),
        ETHERTYPE_IPV6 => claim_of_neighbour(frame),
        _ => None,
    }
}

fn who_has(target: Ipv4Addr, own: Mac, number: u8) -> Vec<u8> {
    let mut frame = ethernet(BROADCAST, own, ETHERTYPE_ARP);
    frame.extend(ARP_OVER_ETHERNET);
    frame.extend(ARP_REQUEST);
    frame.extend(asker(number).0);
    frame.extend(Ipv4Addr::UNSPECIFIED.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame
}

fn solicitation(target: Ipv6Addr, own: Mac, number: u8) -> Vec<u8> {
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
    let mut icmp = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    icmp.extend(target.octets());
    icmp.extend([SOURCE_LINK_LAYER, 1]);
    icmp.extend(own.0);
    let (from, length) = (asking_address(number), [0, u8::try_from(icmp.len()).unwrap_or(u8::MAX)]);
    let sum = checksum(&[&from.octets(), &group.octets(), &[0, 0], &length, &[0, 0, 0, ICMPV6], &icmp]);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = ethernet(Mac([0x33, 0x33, 0xff, a, b, c]), own, ETHERTYPE_IPV6);
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length);
    frame.extend([ICMPV6, HOPS]);
    frame.extend(from.octets());
    frame.extend(group.octets());
    frame.extend(icmp);
    frame
}

fn claim_of_arp(arp: &[u8]) -> Option<Claim> {
    if arp.get(..6)? != ARP_OVER_ETHERNET {
        return None;
    }
    let sender = Ipv4Addr::from(array::<4>(arp, 14)?);
    if sender.is_unspecified() {
        return None;
    }
    let asked_by = Mac(array(arp, 18)?);
    let number = asked_by.0[5];
    let is_ours = arp.get(6..8)? == ARP_REPLY && asked_by == asker(number);
    let mac = Mac(array(arp, 8)?);
    Some(Claim { address: sender.into(), mac, answers: (is_ours && number < NUMBERS).then_some(number) })
}

fn claim_of_neighbour(frame: &[u8]) -> Option<Claim> {
    let (header, icmp) = (frame.get(14..54)?, frame.get(54..)?);
    if header[6] != ICMPV6 || *icmp.first()? != ADVERTISEMENT {
        return None;
    }
    let address = Ipv6Addr::from(array::<16>(icmp, 8)?).into();
    // Without the option the frame's own source is what the answer is about.
    let mac = match icmp.get(24..26) {
        Some([TARGET_LINK_LAYER, 1]) => Mac(array(icmp, 26)?),
        _ => Mac(array(frame, 6)?),
    };
    let to = Ipv6Addr::from(array::<16>(header, 24)?);
    let number = to.octets()[15];
    let is_ours = icmp[4] & SOLICITED != 0 && to == asking_address(number) && number < NUMBERS;
    Some(Claim { address, mac, answers: is_ours.then_some(number) })
}

/// The hardware address in whose name a question is asked. No interface has it.
const fn asker(number: u8) -> Mac {
    Mac([0x02, b'w', b'i', b't', 0, number])
}

/// The same for IPv6: `fe80::7769:74:NUMBER`.
fn asking_address(number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x7769, 0x74, number.into())
}

fn ethernet(to: Mac, from: Mac, kind: &[u8]) -> Vec<u8> {
    [&to.0, &from.0, kind].concat()
}

/// Returns the internet checksum of an even number of bytes.
fn checksum(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let sum = bytes.chunks(2).fold(0_u32, |sum, pair| {
        sum + (u32::from(pair[0]) << 8) + pair.get(1).map_or(0, |&low| u32::from(low))
    });
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(0)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

const ETHERTYPE_ARP: &[u8] = &[0x08, 0x06];
const ETHERTYPE_IPV6: &[u8] = &[0x86, 0xdd];
const BROADCAST: Mac = Mac([0xff; 6]);
/// Ethernet, IPv4, and the lengths of their addresses.
const ARP_OVER_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ARP_REQUEST: [u8; 2] = [0, 1];
const ARP_REPLY: [u8; 2] = [0, 2];
const ICMPV6: u8 = 58;
/// Neighbour discovery is refused with any other: it cannot have crossed a router.
const HOPS: u8 = 255;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
/// Flag S of an advertisement.
const SOLICITED: u8 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn arp(operation: [u8; 2], sender: (Mac, [u8; 4]), target: (Mac, [u8; 4])) -> Vec<u8> {
        let mut frame = ethernet(BROADCAST, sender.0, ETHERTYPE_ARP);
        frame.extend(ARP_OVER_ETHERNET);
        frame.extend(operation);
        frame.extend(sender.0.0);
        frame.extend(sender.1);
        frame.extend(target.0.0);
        frame.extend(target.1);
        frame
    }

    fn advertisement(address: Ipv6Addr, to: Ipv6Addr, flags: u8, option: &[u8]) -> Vec<u8> {
        let mut frame = ethernet(OWN, OTHER, ETHERTYPE_IPV6);
        frame.extend([0x60, 0, 0, 0, 0, 32, ICMPV6, HOPS]);
        frame.extend(Ipv6Addr::LOCALHOST.octets());
        frame.extend(to.octets());
        frame.extend([ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0]);
        frame.extend(address.octets());
        frame.extend(option);
        frame
    }

    #[test]
    fn a_question_claims_nothing() {
        for address in ["10.78.0.1", "fd78::1"] {
            assert_eq!(claim(&question(address.parse().unwrap(), OWN, 7)), None, "{address}");
        }
    }

    #[test]
    fn an_answer_names_its_question_and_an_announcement_names_none() {
        let vip = [10, 78, 0, 1];
        let check = |frame: Vec<u8>, answers| {
            assert_eq!(claim(&frame), Some(Claim { address: vip.into(), mac: OTHER, answers }));
        };
        check(arp(ARP_REPLY, (OTHER, vip), (asker(7), [0; 4])), Some(7));
        check(arp(ARP_REPLY, (OTHER, vip), (asker(NUMBERS), [0; 4])), None);
        check(arp(ARP_REPLY, (OTHER, vip), (OTHER, vip)), None);
        check(arp(ARP_REQUEST, (OTHER, vip), (Mac([0; 6]), vip)), None);
    }

    #[test]
    fn the_same_holds_for_ipv6() {
        let vip: Ipv6Addr = "fd78::1".parse().unwrap();
        let all: Ipv6Addr = "ff02::1".parse().unwrap();
        let check = |frame: Vec<u8>, mac, answers| {
            assert_eq!(claim(&frame), Some(Claim { address: vip.into(), mac, answers }));
        };
        let option = [TARGET_LINK_LAYER, 1, 2, 0, 0, 0, 0, 9];
        check(advertisement(vip, asking_address(7), SOLICITED, &option), Mac([2, 0, 0, 0, 0, 9]), Some(7));
        check(advertisement(vip, asking_address(7), SOLICITED, &[]), OTHER, Some(7));
        check(advertisement(vip, all, 0, &option), Mac([2, 0, 0, 0, 0, 9]), None);
    }

    #[test]
    fn damaged_frames_claim_nothing() {
        let whole = advertisement(Ipv6Addr::LOCALHOST, asking_address(1), SOLICITED, &[TARGET_LINK_LAYER, 1]);
        assert_eq!(claim(&whole), None);
        for length in 0..54 + 24 {
            assert_eq!(claim(&whole[..length]), None, "{length} bytes");
        }
        let whole = arp(ARP_REPLY, (OTHER, [10, 0, 0, 1]), (OWN, [0; 4]));
        for length in 0..14 + 24 {
            assert_eq!(claim(&whole[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
    }
}
