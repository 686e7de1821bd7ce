//! The heartbeat datagram: that a process lives, how often it says so, whom it hears, and what it believes the agreed
//! view is.
//!
//! ```text
//!  offset  size  field        value
//!       0     4  magic        "CVHB"
//!       4     1  version      of this layout, 2
//!       5     1  length       of the name, bytes, 1..=NAME_BYTES_MAX
//!       6     2  flags        1: the sender does not hear the receiver; others are 0
//!       8     8  incarnation  of the sender's process
//!      16     8  sequence     of the datagram, from 1; every peer is sent the same, but for the flags
//!      24     4  interval_us  time until the next one, microseconds
//!      28     4  roll_digest  of the names that `roll_heard` is about: CRC32C of all nodes' names, ascending, a 0 after each
//!      32     8  view_epoch   of the agreed view at the sender; 0 when it has none
//!      40     8  view_digest  of that view; 0 when it has none
//!      48    64  roll_heard   byte n: the newest datagram that the sender heard of the n-th of these names, as 1 + sequence
//!                             modulo 255; 0 when none was heard
//!     112     n  name         of the sender, UTF-8 without control characters
//!   112+n     4  crc32c       of everything before it
//! ```
//! Integers are little-endian. Magic and version keep their place in every version. Nothing is allocated here: the
//! thread that sends and reads these does not wait for memory. Source of the checksum: RFC 3720 appendix B.4 (CRC32C).
use super::frame::CRC32C;
use crate::bounds;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, LE, U16, U32, U64, Unaligned};

/// The version this build speaks.
pub const VERSION: u8 = 2;
/// Most bytes of a datagram. A longer one is refused as damaged.
pub const BYTES_MAX: usize = HEADER_BYTES + bounds::NAME_BYTES_MAX + CRC_BYTES;

/// One heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat<'a> {
    /// Who sends it, 1..=[`NAME_BYTES_MAX`](bounds::NAME_BYTES_MAX) bytes.
    pub name: &'a str,
    /// Larger than that of any earlier process of this node.
    pub incarnation: u64,
    /// Position among those of this incarnation, from 1.
    pub sequence: u64,
    /// Time until the next one, microseconds. Any value; who judges by it keeps it within its bounds.
    pub interval_us: u32,
    /// The sender does not hear the receiver.
    pub unheard: bool,
    /// The agreed view at the sender.
    pub view: View,
    /// Whom the sender hears.
    pub roll: Roll,
}

/// How far a node has heard each of a list of names that all nodes have. Only who has the same list can read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roll {
    /// Of the list, see [`Roll::digest_of`].
    pub digest: u32,
    /// For each name of the list, in order, the [`mark`](Roll::mark) of the newest datagram that was heard; 0 for none.
    pub heard: [u8; bounds::NODES_MAX],
}

impl Default for Roll {
    fn default() -> Self {
        Self { digest: 0, heard: [0; bounds::NODES_MAX] }
    }
}

impl Roll {
    /// Returns the digest of a list of names, ascending.
    pub fn digest_of<'n>(names: impl Iterator<Item = &'n str>) -> u32 {
        let mut digest = CRC32C.digest();
        names.for_each(|name| {
            digest.update(name.as_bytes());
            digest.update(&[0]);
        });
        digest.finalize()
    }

    /// Returns what a datagram's sequence is told as, 1 to 255.
    pub fn mark(sequence: u64) -> u8 {
        u8::try_from(sequence % MARKS).map_or(u8::MAX, |mark| mark + 1)
    }

    /// Tells whether a mark is of a newer datagram than another, which is at most half a round of marks older.
    pub fn is_newer(mark: u8, than: u8) -> bool {
        let ahead = (u64::from(mark) + MARKS - u64::from(than)) % MARKS;
        mark != 0 && (1..=MARKS / 2).contains(&ahead)
    }
}

/// Marks before they begin anew; 0 is none.
const MARKS: u64 = u8::MAX as u64;

/// What a node says the agreed view is. Another node that has the same epoch and another digest is evidence that one
/// of the two contradicts the agreement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Grows with each view; 0 when there is none.
    pub epoch: u64,
    /// Of its members and of what they agreed on; 0 when there is none.
    pub digest: u64,
}

/// Why a datagram is no heartbeat. It is dropped; its kind is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeatError {
    /// It is something else.
    #[error("no heartbeat: another program sends to this port")]
    Magic,
    /// A peer of another version. Normal during an upgrade that skips versions.
    #[error("heartbeat of version {theirs}, this node speaks {VERSION}; run one version on all nodes")]
    Version {
        /// The peer's version.
        theirs: u8,
    },
    /// It is damaged, or no node sends such a thing.
    #[error("damaged heartbeat; see whether the network damages packets")]
    Damaged,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 4],
    version: u8,
    length: u8,
    flags: U16<LE>,
    incarnation: U64<LE>,
    sequence: U64<LE>,
    interval_us: U32<LE>,
    roll_digest: U32<LE>,
    view_epoch: U64<LE>,
    view_digest: U64<LE>,
    roll_heard: [u8; bounds::NODES_MAX],
}

impl<'a> Beat<'a> {
    /// Reads a datagram. Another version is told before anything that it may have changed.
    ///
    /// # Errors
    /// Drop the datagram and count it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BeatError> {
        match bytes {
            [m0, m1, m2, m3, ..] if [*m0, *m1, *m2, *m3] != MAGIC => return Err(BeatError::Magic),
            [_, _, _, _, VERSION, ..] => {}
            [_, _, _, _, theirs, ..] => return Err(BeatError::Version { theirs: *theirs }),
            _ => return Err(BeatError::Magic),
        }
        let damaged = BeatError::Damaged;
        let (header, rest) = Header::ref_from_prefix(bytes).ok().ok_or(damaged)?;
        let (name, crc) = rest.split_at_checked(header.length.into()).ok_or(damaged)?;
        let found = U32::<LE>::read_from_bytes(crc).ok().ok_or(damaged)?;
        if CRC32C.checksum(&bytes[..HEADER_BYTES + name.len()]) != found.get() {
            return Err(damaged);
        }
        let name = core::str::from_utf8(name).ok().ok_or(damaged)?;
        let is_name = (1..=bounds::NAME_BYTES_MAX).contains(&name.len());
        let reserved = header.flags.get() & !UNHEARD;
        if !is_name || name.contains(char::is_control) || reserved != 0 || header.sequence.get() == 0 {
            return Err(damaged);
        }
        Ok(Self {
            name,
            incarnation: header.incarnation.get(),
            sequence: header.sequence.get(),
            interval_us: header.interval_us.get(),
            unheard: header.flags.get() & UNHEARD != 0,
            view: View { epoch: header.view_epoch.get(), digest: header.view_digest.get() },
            roll: Roll { digest: header.roll_digest.get(), heard: header.roll_heard },
        })
    }

    /// Writes the datagram into `buffer` and returns its bytes. A name beyond its bound is cut there, which no node
    /// takes; the configuration does not let one through.
    pub fn emit<'b>(&self, buffer: &'b mut [u8; BYTES_MAX]) -> &'b [u8] {
        debug_assert!((1..=bounds::NAME_BYTES_MAX).contains(&self.name.len()) && self.sequence > 0);
        let length = self.name.len().min(bounds::NAME_BYTES_MAX);
        let header = Header {
            magic: MAGIC,
            version: VERSION,
            length: u8::try_from(length).unwrap_or(u8::MAX),
            flags: U16::new(if self.unheard { UNHEARD } else { 0 }),
            incarnation: U64::new(self.incarnation),
            sequence: U64::new(self.sequence),
            interval_us: U32::new(self.interval_us),
            roll_digest: U32::new(self.roll.digest),
            view_epoch: U64::new(self.view.epoch),
            view_digest: U64::new(self.view.digest),
            roll_heard: self.roll.heard,
        };
        let end = HEADER_BYTES + length;
        buffer[..HEADER_BYTES].copy_from_slice(header.as_bytes());
        buffer[HEADER_BYTES..end].copy_from_slice(&self.name.as_bytes()[..length]);
        let crc = CRC32C.checksum(&buffer[..end]);
        buffer[end..end + CRC_BYTES].copy_from_slice(&crc.to_le_bytes());
        &buffer[..end + CRC_BYTES]
    }
}

const MAGIC: [u8; 4] = *b"CVHB";
/// Flag: the sender does not hear the receiver.
const UNHEARD: u16 = 1;
const HEADER_BYTES: usize = size_of::<Header>();
const CRC_BYTES: usize = 4;

const _: () = assert!(HEADER_BYTES == 112);
const _: () = assert!(bounds::NAME_BYTES_MAX <= u8::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec::Vec};
    use proptest::prelude::*;

    const BEAT: Beat<'_> = Beat {
        name: "mx1",
        incarnation: 7,
        sequence: 9,
        interval_us: 10_000,
        unheard: false,
        view: View { epoch: 3, digest: 4 },
        roll: Roll { digest: 5, heard: [6; bounds::NODES_MAX] },
    };

    fn emit(beat: &Beat<'_>) -> Vec<u8> {
        beat.emit(&mut [0; BYTES_MAX]).into()
    }

    /// Makes the checksum right again after a change.
    fn seal(bytes: &mut [u8]) {
        let end = bytes.len() - CRC_BYTES;
        let crc = CRC32C.checksum(&bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
    }

    proptest! {
        #[test]
        fn heartbeats_are_read_as_they_were_said(name in "[a-z0-9.-]{1,63}", numbers: (u64, u64, u64, u64), interval_us: u32) {
            let (incarnation, sequence, epoch, digest) = numbers;
            let (view, roll) = (View { epoch, digest }, Roll { digest: interval_us, heard: [Roll::mark(epoch); bounds::NODES_MAX] });
            let unheard = incarnation % 2 == 1;
            let beat = Beat { name: &name, incarnation, sequence: sequence.max(1), interval_us, unheard, view, roll };
            let bytes = emit(&beat);
            prop_assert_eq!(Beat::parse(&bytes), Ok(beat));
        }

        #[test]
        fn any_single_flipped_bit_is_noticed(at in any::<prop::sample::Index>()) {
            let mut bytes = emit(&BEAT);
            let bit = at.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Beat::parse(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_a_heartbeat_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), seal_it: bool) {
            let mut bytes = [&MAGIC[..], &[VERSION], &bytes].concat();
            if seal_it {
                let crc = CRC32C.checksum(&bytes);
                bytes.extend(crc.to_le_bytes());
            }
            if let Ok(beat) = Beat::parse(&bytes) {
                prop_assert_eq!(emit(&beat), bytes);
            }
        }
    }

    #[test]
    fn marks_go_round_and_the_nearer_way_is_newer() {
        let check = |sequence, than, want| {
            let newer = Roll::is_newer(Roll::mark(sequence), Roll::mark(than));
            assert_eq!(newer, want, "{sequence} than {than}");
        };
        for (sequence, than, want) in [
            (1, 0, true),
            (0, 0, false),
            (0, 1, false),
            (255, 254, true),
            (256, 254, true),
            (127, 0, true),
            (128, 0, false),
        ] {
            check(sequence, than, want);
            check(sequence + 1_000_000_007, than + 1_000_000_007, want);
        }
        assert!(
            (0..1_000).all(|sequence| Roll::mark(sequence) != 0 && !Roll::is_newer(0, Roll::mark(sequence)))
        );
    }

    #[test]
    fn every_length_but_the_right_one_is_refused() {
        let mut bytes = emit(&BEAT);
        for cut in 0..bytes.len() {
            assert!(Beat::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        bytes.push(0);
        assert_eq!(Beat::parse(&bytes), Err(BeatError::Damaged));
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        assert_eq!(Beat::parse(b"M-SEARCH * HTTP/1.1"), Err(BeatError::Magic));
        assert_eq!(Beat::parse(b"CVHB\x01"), Err(BeatError::Version { theirs: 1 }));
        assert_eq!(Beat::parse(b"CVHB\x02"), Err(BeatError::Damaged));
    }

    #[test]
    fn what_no_node_sends_is_refused_though_its_checksum_is_right() {
        let check = |at: usize, value: u8| {
            let mut bytes = emit(&BEAT);
            bytes[at] = value;
            seal(&mut bytes);
            assert_eq!(Beat::parse(&bytes), Err(BeatError::Damaged), "{value} at {at}");
        };
        for (at, value) in [(5, 2), (5, 64), (6, 2), (7, 1), (16, 0), (112, b'\n'), (112, 0xff)] {
            check(at, value);
        }
        let long = String::from("n").repeat(bounds::NAME_BYTES_MAX);
        assert_eq!(emit(&Beat { name: &long, ..BEAT }).len(), BYTES_MAX);
    }
}
