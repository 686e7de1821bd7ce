//! A source of configuration in memory, for tests.
use super::{
    diagnostic::Diagnostics,
    load::{Config, Found, Missing, Name, Source, load},
};
use alloc::{
    borrow::ToOwned as _,
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString as _},
    vec::Vec,
};

/// Files by path; a directory is what files have in front of their last `/`. One directory, `global/`, is searched after
/// that of the including file. The second part names files that are never written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<String, Vec<u8>>, pub(crate) BTreeSet<String>);

impl Memory {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self(
            files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect(),
            BTreeSet::new(),
        )
    }
}

impl Source for Memory {
    fn find(&mut self, including: Option<&Name>, argument: &str) -> Result<Found, Missing> {
        let own = including.and_then(|name| name.shown.rsplit_once('/')).map_or("", |(dir, _)| dir);
        let own = if own.is_empty() { String::new() } else { format!("{own}/") };
        for dir in [own.as_str(), "global/"] {
            let path = format!("{dir}{argument}");
            let name = |path: &str| Name { shown: path.to_string(), identity: path.to_string() };
            if self.0.contains_key(&path) {
                return Ok(Found::File(name(&path)));
            }
            let below = format!("{path}/");
            let inside: Vec<_> = self
                .0
                .keys()
                .rev()
                .filter_map(|file| Some((file.strip_prefix(&below)?.to_owned(), name(file))))
                .filter(|(last, _)| !last.contains('/'))
                .collect();
            if !inside.is_empty() {
                return Ok(Found::Directory(inside));
            }
        }
        Err(Missing::Nowhere { argument: argument.into(), searched: [own, "global/".into()].into() })
    }

    fn read(&mut self, name: &Name, bytes_max: usize) -> Result<Vec<u8>, Missing> {
        let mut bytes = self.0.get(&name.identity).cloned().unwrap_or_default();
        bytes.truncate(bytes_max + 1);
        Ok(bytes)
    }

    fn writable(&mut self, name: &Name) -> bool {
        !self.1.contains(&name.identity)
    }
}

/// Loads `main` from these files.
pub(crate) fn load_files(files: &[(&str, &str)]) -> (Config, Diagnostics) {
    load(&mut Memory::new(files), files[0].0)
}
