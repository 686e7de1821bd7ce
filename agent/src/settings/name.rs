//! The name of a node.
use convoy_core::bounds;
use std::{fmt, ops::Deref, sync::Arc};
use thiserror::Error;

/// Name of a node: 1 to `NAME_BYTES_MAX` letters, digits, dots, hyphens and underscores; letters are lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

/// Why a text is no node name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadName {
    /// Empty or too long.
    #[error("a node name has 1 to {} bytes", bounds::NAME_BYTES_MAX)]
    Length,
    /// A character that is not allowed.
    #[error("a node name holds letters, digits, `.`, `-` and `_`")]
    Character,
}

impl NodeName {
    /// Returns the name; letters become lower case.
    ///
    /// # Errors
    /// [`BadName`]; the operator has to choose another one.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if !(1..=bounds::NAME_BYTES_MAX).contains(&text.len()) {
            return Err(BadName::Length);
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if !text.bytes().all(legal) || text.bytes().all(|byte| byte == b'.') {
            return Err(BadName::Character);
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// Returns the shared text.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl Deref for NodeName {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
