//! The key of the bus: what corosync wants, stretched from what the operator has.
//!
//! The derivation is the one-step key derivation of NIST SP 800-56C, with SHA-512: block i is
//! H(i || secret || info), i a 32-bit big-endian counter from 1, and info says what the key is for. It spreads a secret
//! over the length that corosync wants; it cannot make a guessable one hard to guess.
use sha2::{Digest, Sha512};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// The key file's content.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key(Box<[u8; KEY_BYTES]>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKey {
    /// It cannot be read.
    #[error("bus_key_file {}: {source}; write the same secret there on every node", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a secret.
    #[error(
        "bus_key_file {} has {len} bytes; a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX}: \
         `openssl rand -hex 32` writes one",
        path.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes read from it.
        len: usize,
    },
}

impl Key {
    /// Returns the key of a cluster without a secret: it keeps others out who do not know how it is made.
    pub(super) fn of_group(group: &str) -> Self {
        Self::stretch(group.as_bytes(), b"convoy bus, no secret")
    }

    /// Returns the key made of the secret in a file, and whether others than its owner may read that.
    pub(super) fn of_file(path: &Path) -> Result<(Self, bool), NoKey> {
        let unreadable = |source| NoKey::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode();
        let mut secret = Vec::new();
        // One byte more than may be there tells a file that is too long.
        file.take(SECRET_BYTES_MAX as u64 + 1).read_to_end(&mut secret).map_err(unreadable)?;
        if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
            Ok((Self::stretch(&secret, b"convoy bus"), mode & 0o077 != 0))
        } else {
            Err(NoKey::Length { path: path.to_owned(), len: secret.len() })
        }
    }

    /// Returns the bytes for corosync's key file.
    pub(super) fn bytes(&self) -> &[u8] {
        &*self.0
    }

    fn stretch(secret: &[u8], info: &[u8]) -> Self {
        let mut key = Box::new([0; KEY_BYTES]);
        for (block, number) in key.chunks_mut(64).zip(1_u32..) {
            let hash =
                Sha512::new().chain_update(number.to_be_bytes()).chain_update(secret).chain_update(info);
            block.copy_from_slice(&hash.finalize());
        }
        Self(key)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// As corosync-keygen(8) makes them by default.
const KEY_BYTES: usize = 256;
/// chosen: 128 bits.
const SECRET_BYTES_MIN: usize = 16;
/// chosen: longer files are something else.
const SECRET_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_every_byte_of_the_secret_and_not_on_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let key = |name: &str, secret: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, secret).unwrap();
            Key::of_file(&path).unwrap().0
        };
        assert_eq!(key("a", &[7; 40]), key("b", &[7; 40]));
        assert_ne!(key("a", &[7; 40]), key("b", &[7; 41]));
        let group = Key::of_group("ec_cluster");
        assert_ne!(group, key("c", b"ec_cluster_secrets"));
        assert!(group.bytes().chunks(64).collect::<std::collections::BTreeSet<_>>().len() == 4);
        assert_eq!(format!("{group:?}"), "Key(..)");
    }

    #[test]
    fn what_is_no_secret_is_refused_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        assert!(matches!(Key::of_file(&path), Err(NoKey::Unreadable { .. })));
        for len in [0, 15, SECRET_BYTES_MAX + 1] {
            std::fs::write(&path, vec![b'x'; len]).unwrap();
            let told = Key::of_file(&path).unwrap_err().to_string();
            assert!(told.contains(&format!("{} has {len} bytes", path.display())), "{told}");
        }
    }

    #[test]
    fn a_secret_that_others_can_read_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        std::fs::write(&path, [b'x'; 16]).unwrap();
        for (mode, open) in [(0o600, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Key::of_file(&path).unwrap().1, open, "{mode:o}");
        }
    }
}
