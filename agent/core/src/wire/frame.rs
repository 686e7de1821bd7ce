//! The frame: what parts a byte stream into messages, and tells damage from data.
//!
//! ```text
//!  offset  size  field     value
//!       0     4  magic     "CVOY"
//!       4     1  version   of the protocol, 1
//!       5     1  kind      of the message
//!       6     2  reserved  0
//!       8     4  length    of the payload, bytes, 0..=FRAME_PAYLOAD_MAX
//!      12     8  sequence  of the frame on this connection and direction, from 1
//!      20     n  payload
//!    20+n     4  crc32c    of everything before it
//! ```
//! Integers are little-endian. Magic, version, kind and length keep their place in every version, so that an
//! older node can read and name a newer one's refusal. Source of the checksum: RFC 3720 appendix B.4 (CRC32C).
use crate::bounds;
use alloc::vec::Vec;
use crc::{CRC_32_ISCSI, Crc, Table};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, LE, U16, U32, U64, Unaligned};

/// The version this build speaks.
pub const VERSION: u8 = 1;

/// One frame as it arrived: checked as a frame, its payload not yet read as a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What the payload is; see [`message`](super::message).
    pub kind: u8,
    /// Position in the sender's stream, from 1.
    pub sequence: u64,
    /// At most [`bounds::FRAME_PAYLOAD_MAX`] bytes.
    pub payload: &'a [u8],
}

/// Why bytes are no frame. Each of them ends the connection; the peer is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The stream is not Convoy's, or lost its place.
    #[error("stream does not start with a frame: found {found:02x?} where the magic \"CVOY\" belongs")]
    Magic {
        /// The four bytes in its place.
        found: [u8; 4],
    },
    /// The peer speaks another version. Normal during an upgrade that skips versions.
    #[error(
        "peer speaks protocol version {theirs}, this node speaks {VERSION}; run one version on all nodes"
    )]
    Version {
        /// The peer's version.
        theirs: u8,
    },
    /// Reserved bytes are in use.
    #[error("reserved header bytes are {found}, must be 0")]
    Reserved {
        /// What they hold.
        found: u16,
    },
    /// The frame claims to be larger than any frame is.
    #[error("frame of {length} payload bytes exceeds the limit of {}", bounds::FRAME_PAYLOAD_MAX)]
    TooLong {
        /// What the header says.
        length: u32,
    },
    /// The bytes were damaged.
    #[error("frame {sequence} is damaged: checksum {found:08x}, computed {computed:08x}")]
    Checksum {
        /// The frame's position.
        sequence: u64,
        /// What the frame says.
        found: u32,
        /// What its bytes give.
        computed: u32,
    },
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 4],
    version: u8,
    kind: u8,
    reserved: U16<LE>,
    length: U32<LE>,
    sequence: U64<LE>,
}

/// Reads the frame at the start of `bytes`. Returns it with its length in bytes, or `None` when more bytes are
/// needed. Reports a foreign stream from its first bytes on, without waiting for a whole header.
pub fn split(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let seen = bytes.len().min(MAGIC.len());
    if bytes[..seen] != MAGIC[..seen] {
        let mut found = [0; 4];
        found[..seen].copy_from_slice(&bytes[..seen]);
        return Err(FrameError::Magic { found });
    }
    match bytes.get(4) {
        None | Some(&VERSION) => {}
        Some(&theirs) => return Err(FrameError::Version { theirs }),
    }
    let Ok((header, rest)) = Header::ref_from_prefix(bytes) else { return Ok(None) };
    if header.reserved.get() != 0 {
        return Err(FrameError::Reserved { found: header.reserved.get() });
    }
    let length = match usize::try_from(header.length.get()) {
        Ok(length) if length <= bounds::FRAME_PAYLOAD_MAX => length,
        _ => return Err(FrameError::TooLong { length: header.length.get() }),
    };
    let Some((payload, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    let Ok((found, _)) = U32::<LE>::read_from_prefix(rest) else { return Ok(None) };
    let (sequence, found) = (header.sequence.get(), found.get());
    let computed = CRC32C.checksum(&bytes[..HEADER_BYTES + length]);
    if found != computed {
        return Err(FrameError::Checksum { sequence, found, computed });
    }
    Ok(Some((Frame { kind: header.kind, sequence, payload }, HEADER_BYTES + length + TRAILER_BYTES)))
}

/// Returns the bytes of one frame. The payload must be within [`bounds::FRAME_PAYLOAD_MAX`].
pub fn emit(kind: u8, sequence: u64, payload: &[u8]) -> Vec<u8> {
    debug_assert!(payload.len() <= bounds::FRAME_PAYLOAD_MAX);
    let header = Header {
        magic: MAGIC,
        version: VERSION,
        kind,
        reserved: U16::ZERO,
        length: U32::new(u32::try_from(payload.len()).unwrap_or(u32::MAX)),
        sequence: U64::new(sequence),
    };
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len() + TRAILER_BYTES);
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(payload);
    let crc = CRC32C.checksum(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

const MAGIC: [u8; 4] = *b"CVOY";
const HEADER_BYTES: usize = size_of::<Header>();
const TRAILER_BYTES: usize = 4;
// Sixteen tables: 1.5 to 3 GB/s, many times the cluster network, without a line of unsafe.
pub(super) static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

const _: () = assert!(HEADER_BYTES == 20);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_survive_the_stream(frames in prop::collection::vec(
            (any::<u8>(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..300)), 1..8)) {
            let mut stream = Vec::new();
            for (kind, sequence, payload) in &frames {
                stream.extend(emit(*kind, *sequence, payload));
            }
            let mut rest = &stream[..];
            for (kind, sequence, payload) in &frames {
                let (frame, used) = split(rest).unwrap().unwrap();
                prop_assert_eq!(frame, Frame { kind: *kind, sequence: *sequence, payload });
                rest = &rest[used..];
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_single_flipped_bit_is_noticed(payload in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>()) {
            let mut bytes = emit(6, 9, &payload);
            let bit = at.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            // A flipped length may ask for more bytes; nothing may be taken for a frame.
            prop_assert!(!matches!(split(&bytes), Ok(Some(_))));
        }

        #[test]
        fn any_bytes_are_a_frame_an_error_or_too_few(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(Some((_, length))) = split(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }

    #[test]
    fn a_cut_frame_asks_for_more_at_every_length() {
        let bytes = emit(3, 1, b"payload");
        for cut in 0..bytes.len() {
            assert_eq!(split(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn a_foreign_stream_is_named_from_its_first_bytes() {
        assert_eq!(split(b"GET / HTTP"), Err(FrameError::Magic { found: *b"GET " }));
        assert_eq!(split(b"E"), Err(FrameError::Magic { found: [b'E', 0, 0, 0] }));
    }

    #[test]
    fn another_version_is_told_from_garbage() {
        assert_eq!(split(b"CVOY\x02"), Err(FrameError::Version { theirs: 2 }));
    }

    #[test]
    fn a_frame_that_claims_too_much_is_refused_before_it_arrives() {
        let mut bytes = emit(3, 1, b"");
        bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(split(&bytes), Err(FrameError::TooLong { length: u32::MAX }));
    }

    #[test]
    fn the_bytes_are_those_of_the_documentation() {
        let expected = vec![
            b'C', b'V', b'O', b'Y', 1, 4, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, b'h', b'i', 0x3b, 0x6b,
            0x1d, 0x76,
        ];
        let bytes = emit(4, 7, b"hi");
        assert_eq!(bytes[..22], expected[..22]);
        assert_eq!(split(&bytes).unwrap().unwrap().1, bytes.len());
    }
}
