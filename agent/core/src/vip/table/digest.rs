//! A number that tells tables apart.
use super::{Ghost, MemberId, Offered, Phase, Table};
use core::net::IpAddr;

impl Table {
    /// Returns a number that tells tables apart.
    pub fn digest(&self) -> u64 {
        let mut digest = DIGEST.digest();
        let mut put = |bytes: &[u8]| digest.update(bytes);
        put(&[u8::from(self.formed)]);
        for name in &self.drained {
            put(name.as_bytes());
            put(&[0]);
        }
        for (member, seat) in &self.seats {
            put(&id_bytes(Some(*member)));
            put(&seat.weight.to_le_bytes());
            put(&[u8::from(seat.fenced), u8::from(seat.leaving), u8::from(seat.differs)]);
            seat.offer.iter().for_each(|offered| digest_offered(offered, &mut put));
            seat.unable.iter().for_each(|address| put(&address_bytes(*address)));
        }
        for (address, topic) in &self.topics {
            put(&address_bytes(*address));
            put(&id_bytes(topic.owner));
            put(&id_bytes(topic.handover.map(|handover| handover.to)));
            put(&[u8::from(topic.handover.is_some_and(|handover| handover.phase == Phase::Releasing))]);
            match topic.ghost {
                None => put(&[0]),
                Some(Ghost::Anyone) => put(&[1]),
                Some(Ghost::Of(member)) => put(&id_bytes(Some(member))),
            }
        }
        digest.finalize()
    }
}

fn digest_offered(offered: &Offered, put: &mut impl FnMut(&[u8])) {
    put(&address_bytes(offered.address));
    for (mark, names) in [(1, &offered.bindings), (2, &offered.services)] {
        for name in names.iter() {
            put(&[mark]);
            put(name.as_bytes());
        }
    }
    put(&[3]);
    put(offered.preference.as_deref().unwrap_or_default().as_bytes());
    put(&[4]);
    if let Some(follow) = offered.follow {
        put(&address_bytes(follow));
    }
}

fn address_bytes(address: IpAddr) -> [u8; 17] {
    let mut bytes = [0; 17];
    match address {
        IpAddr::V4(ip) => bytes[1..5].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => {
            bytes[0] = 1;
            bytes[1..].copy_from_slice(&ip.octets());
        }
    }
    bytes
}

fn id_bytes(member: Option<MemberId>) -> [u8; 9] {
    let mut bytes = [0; 9];
    if let Some(MemberId { host, process }) = member {
        bytes[0] = 1;
        bytes[1..5].copy_from_slice(&host.to_le_bytes());
        bytes[5..].copy_from_slice(&process.to_le_bytes());
    }
    bytes
}

/// CRC-64/XZ: tells differing tables apart; nothing relies on it against an enemy.
const DIGEST: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_XZ);
