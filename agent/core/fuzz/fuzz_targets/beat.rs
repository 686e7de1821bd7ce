//! Any datagrams from a peer, some with their checksum made right: parsed, and heard by a detector. Whatever they are,
//! nothing panics, each is counted once, and a detector waits for no longer than the longest interval allows.
#![no_main]
use convoy_core::{
    bounds,
    group::{Detector, detector},
    time::{Instant, Span},
    wire::{Beat, beat},
};
use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, Ipv4Addr};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fuzz_target!(|input: &[u8]| {
    let mut detector = Detector::default();
    let peers = [("b".into(), PEER), ("d".into(), PEER)].into();
    detector.set_peers("a", &peers, Instant::from_ns(0));
    detector.tell_early(true);
    let digest = detector.roll().digest;
    let (mut now, mut believed) = (Instant::from_ns(0), 0);
    // A mode, a time and a length, then a datagram of that length; again and again.
    let mut rest = input;
    while let [mode, ms, length, tail @ ..] = rest {
        let (bytes, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        now = now + Span::from_ms(u64::from(*ms) * u64::from(*ms));
        let said = said(bytes, digest);
        let mut buffer = [0; beat::BYTES_MAX];
        let bytes = match mode & 1 {
            0 => bytes,
            _ => said.emit(&mut buffer),
        };
        if let Ok(heard) = Beat::parse(bytes) {
            assert_eq!(heard.emit(&mut [0; beat::BYTES_MAX]), bytes);
            believed += u64::from(detector.heard(now, PEER, &heard).is_ok());
        }
        detector.tick(now);
        let longest = now + detector::patience(bounds::HEARTBEAT_MAX);
        assert!(detector.next_deadline().is_none_or(|at| at > now && at <= longest));
        while detector.poll(now).is_some() {}
    }
    let counts = detector.watches().iter().map(|watch| watch.counts());
    let counted = counts.map(|counts| counts.heard + counts.reordered + counts.repeated + counts.stale);
    assert_eq!(counted.sum::<u64>(), believed);
});

/// A correct heartbeat out of any bytes.
fn said(bytes: &[u8], digest: u32) -> Beat<'static> {
    let number = |at: usize| {
        let mut number = [0; 8];
        let bytes = bytes.get(at..).unwrap_or_default();
        let len = bytes.len().min(8);
        number[..len].copy_from_slice(&bytes[..len]);
        u64::from_le_bytes(number)
    };
    Beat {
        name: ["b", "b", "d", "c"][(number(0) & 3) as usize],
        incarnation: number(1) & 3,
        sequence: number(2).max(1),
        interval_us: number(10) as u32,
        unheard: false,
        view: beat::View { epoch: number(14), digest: number(15) },
        roll: beat::Roll { digest: digest + u32::from(number(0) & 4 != 0), heard: [number(16) as u8; bounds::NODES_MAX] },
    }
}
