//! A payload, read field by field and written the same way: little-endian integers, texts with their length.
use super::MessageError;
use crate::{bounds, group::bus::MemberId};
use alloc::vec::Vec;
use core::net::IpAddr;

/// What is left of a payload.
pub(super) struct Payload<'a> {
    kind: u8,
    bytes: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Returns the whole payload of a message of this kind.
    pub(super) fn new(kind: u8, bytes: &'a [u8]) -> Self {
        Self { kind, bytes }
    }

    /// Returns the kind of the message.
    pub(super) fn kind(&self) -> u8 {
        self.kind
    }

    /// Takes all that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.bytes)
    }

    /// Checks that nothing is left.
    pub(super) fn end(&self) -> Result<(), MessageError> {
        match self.bytes.len() {
            0 => Ok(()),
            extra => Err(MessageError::Long { kind: self.kind, extra }),
        }
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], MessageError> {
        let (head, rest) = self.bytes.split_first_chunk().ok_or(self.short())?;
        self.bytes = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, MessageError> {
        self.take().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, MessageError> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, MessageError> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, MessageError> {
        self.take().map(u64::from_le_bytes)
    }

    /// Takes a member of the bus.
    pub(super) fn member(&mut self) -> Result<MemberId, MessageError> {
        Ok(MemberId { host: self.u32()?, process: self.u32()? })
    }

    /// Takes an address with its family.
    pub(super) fn ip(&mut self) -> Result<IpAddr, MessageError> {
        let family = self.u8()?;
        self.ip_of(family)
    }

    /// Takes an address of this family.
    pub(super) fn ip_of(&mut self, family: u8) -> Result<IpAddr, MessageError> {
        match family {
            4 => Ok(self.take::<4>()?.into()),
            6 => Ok(self.take::<16>()?.into()),
            code => Err(MessageError::Family { code }),
        }
    }

    /// Takes a text of one line: what a peer says ends up on terminals and in logs.
    pub(super) fn text(&mut self, field: &'static str, bytes_max: usize) -> Result<&'a str, MessageError> {
        let length = self.u16()?;
        let text = self.utf8(field, length.into(), bytes_max)?;
        if text.contains(|c: char| c.is_control()) { Err(MessageError::Field { field }) } else { Ok(text) }
    }

    /// Takes a text of any number of lines, with a length of 32 bits.
    pub(super) fn lines(&mut self, field: &'static str, bytes_max: usize) -> Result<&'a str, MessageError> {
        let length = self.u32()?;
        let length = usize::try_from(length).map_err(|_error| MessageError::Field { field })?;
        let text = self.utf8(field, length, bytes_max)?;
        let wild = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        if text.contains(wild) { Err(MessageError::Field { field }) } else { Ok(text) }
    }

    pub(super) fn name(&mut self, field: &'static str) -> Result<&'a str, MessageError> {
        let name = self.text(field, bounds::NAME_BYTES_MAX)?;
        if name.is_empty() { Err(MessageError::Field { field }) } else { Ok(name) }
    }

    fn utf8(
        &mut self,
        field: &'static str,
        length: usize,
        bytes_max: usize,
    ) -> Result<&'a str, MessageError> {
        if length > bytes_max {
            return Err(MessageError::Field { field });
        }
        let (text, rest) = self.bytes.split_at_checked(length).ok_or(self.short())?;
        self.bytes = rest;
        core::str::from_utf8(text).map_err(|_error| MessageError::Field { field })
    }

    fn short(&self) -> MessageError {
        MessageError::Short { kind: self.kind, length: self.bytes.len() }
    }
}

/// Writes a member of the bus.
pub(super) fn put_member(payload: &mut Vec<u8>, member: MemberId) {
    payload.extend_from_slice(&member.host.to_le_bytes());
    payload.extend_from_slice(&member.process.to_le_bytes());
}

/// Writes an address with its family.
pub(super) fn put_ip(payload: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(ip) => {
            payload.push(4);
            payload.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            payload.push(6);
            payload.extend_from_slice(&ip.octets());
        }
    }
}

/// Writes a text of one line; what is beyond the bound is cut at a character.
pub(super) fn put_text(payload: &mut Vec<u8>, text: &str, bytes_max: usize) {
    let text = &text[..text.floor_char_boundary(bytes_max)];
    payload.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    payload.extend_from_slice(text.as_bytes());
}

/// Writes a text of any number of lines; what is beyond the bound is cut at a character. Characters that would move a
/// terminal's cursor become `?`.
pub(super) fn put_lines(payload: &mut Vec<u8>, text: &str, bytes_max: usize) {
    let text = &text[..text.floor_char_boundary(bytes_max)];
    let at = payload.len();
    payload.extend_from_slice(&[0; 4]);
    for c in text.chars() {
        let shown = if c.is_control() && !matches!(c, '\n' | '\t') { '?' } else { c };
        payload.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
    }
    let length = u32::try_from(payload.len() - at - 4).unwrap_or(u32::MAX);
    payload[at..at + 4].copy_from_slice(&length.to_le_bytes());
}
