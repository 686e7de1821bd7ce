//! All texts of a configuration, and what each include found: enough to load it again without the disk.
//!
//! So a change is built from what is running, not from what somebody is editing on disk at that moment.
//! Invariants: 1. loading a fresh snapshot gives the configuration it was taken of; 2. texts are shared, a copy is cheap.
use crate::{
    bounds,
    config::{
        diagnostic::Diagnostics,
        load::{self, Config, Found, Missing, Name, Source},
        place::FileId,
    },
};
use alloc::{
    borrow::ToOwned as _,
    collections::BTreeMap,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};

/// What loading needs, held in memory.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    main: String,
    found: BTreeMap<(Option<String>, String), Found>,
    /// By identity.
    texts: BTreeMap<String, Text>,
    /// Identities by the name that reports show.
    shown: BTreeMap<String, String>,
    /// What could be saved in no file; loaded after everything.
    homeless: Option<Arc<str>>,
}

/// One file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Name that reports show.
    pub shown: String,
    /// The whole text.
    pub text: Arc<str>,
    writable: bool,
}

impl Snapshot {
    /// Loads `main` and everything it includes, and remembers all of it.
    pub fn take(source: &mut dyn Source, main: &str) -> (Self, Config, Diagnostics) {
        let mut recorder = Recorder { source, snapshot: Self { main: main.to_owned(), ..Self::default() } };
        let (config, diagnostics) = load::load(&mut recorder, main);
        (recorder.snapshot, config, diagnostics)
    }

    /// Returns the snapshot of an empty configuration with the same main file.
    #[must_use]
    pub fn from_scratch(&self) -> Self {
        let identity = match self.found.get(&(None, self.main.clone())) {
            Some(Found::File(name)) => name.identity.clone(),
            Some(Found::Directory(_)) | None => self.main.clone(),
        };
        let mut scratch = Self { homeless: None, ..self.clone() };
        scratch.texts.retain(|known, _| *known == identity);
        scratch.shown.retain(|_, known| *known == identity);
        for text in scratch.texts.values_mut() {
            text.text = "".into();
        }
        scratch
    }

    /// Loads what is remembered.
    pub fn build(&self) -> (Config, Diagnostics) {
        load::load(&mut Replay(self), &self.main)
    }

    /// Returns the files' texts by identity.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &Text)> {
        self.texts.iter().map(|(identity, text)| (identity.as_str(), text))
    }

    /// Returns the changes that could be saved in no file.
    pub fn homeless(&self) -> Option<&Arc<str>> {
        self.homeless.as_ref()
    }

    /// Gives a file of `config`, which was built from here, another text.
    pub(super) fn set_text(&mut self, config: &Config, file: FileId, text: String) {
        let Some(shown) = config.texts.files.get(file).map(|file| &*file.name) else { return };
        if shown == HOMELESS {
            self.homeless = Some(text.into());
        } else if let Some(known) = self.shown.get(shown).and_then(|identity| self.texts.get_mut(identity)) {
            known.text = text.into();
        }
    }

    /// Adds what is loaded last, or gives it another text.
    pub(super) fn set_homeless(&mut self, text: String) {
        self.homeless = Some(text.into());
    }

    /// Adds the file for online changes, which does not exist yet.
    pub(super) fn add_local_changes(&mut self, argument: &str, name: &Name, text: String) {
        let main = match self.found.get(&(None, self.main.clone())) {
            Some(Found::File(main)) => Some(main.identity.clone()),
            Some(Found::Directory(_)) | None => None,
        };
        self.found.insert((main, argument.to_owned()), Found::File(name.clone()));
        self.shown.insert(name.shown.clone(), name.identity.clone());
        let text = Text { shown: name.shown.clone(), text: text.into(), writable: true };
        self.texts.insert(name.identity.clone(), text);
    }

    fn homeless_name() -> Name {
        Name { shown: HOMELESS.to_string(), identity: HOMELESS.to_string() }
    }
}

struct Recorder<'a> {
    source: &'a mut dyn Source,
    snapshot: Snapshot,
}

impl Source for Recorder<'_> {
    fn find(&mut self, including: Option<&Name>, argument: &str) -> Result<Found, Missing> {
        let found = self.source.find(including, argument)?;
        let key = (including.map(|name| name.identity.clone()), argument.to_owned());
        self.snapshot.found.insert(key, found.clone());
        Ok(found)
    }

    fn read(&mut self, name: &Name, bytes_max: usize) -> Result<Vec<u8>, Missing> {
        let bytes = self.source.read(name, bytes_max)?;
        // What is no text is an error of the load, and nothing is built from a load with errors.
        if let Ok(text) = core::str::from_utf8(&bytes) {
            let writable = self.source.writable(name);
            let text = Text { shown: name.shown.clone(), text: text.into(), writable };
            self.snapshot.shown.insert(name.shown.clone(), name.identity.clone());
            self.snapshot.texts.insert(name.identity.clone(), text);
        }
        Ok(bytes)
    }

    fn writable(&mut self, name: &Name) -> bool {
        self.source.writable(name)
    }
}

struct Replay<'a>(&'a Snapshot);

impl Source for Replay<'_> {
    fn find(&mut self, including: Option<&Name>, argument: &str) -> Result<Found, Missing> {
        let key = (including.map(|name| name.identity.clone()), argument.to_owned());
        let nowhere = || Missing::Nowhere { argument: argument.to_owned(), searched: Vec::new() };
        self.0.found.get(&key).cloned().ok_or_else(nowhere)
    }

    fn read(&mut self, name: &Name, bytes_max: usize) -> Result<Vec<u8>, Missing> {
        let text = match self.0.texts.get(&name.identity) {
            Some(known) => &known.text,
            None if name.identity == HOMELESS => self.0.homeless.as_ref().ok_or_else(|| gone(name))?,
            None => return Err(gone(name)),
        };
        let end = text.len().min(bytes_max.saturating_add(1)).min(bounds::CONFIG_FILE_BYTES_MAX + 1);
        Ok(text.as_bytes().get(..end).unwrap_or_default().to_vec())
    }

    fn writable(&mut self, name: &Name) -> bool {
        self.0.texts.get(&name.identity).is_none_or(|text| text.writable)
    }

    fn last(&mut self) -> Option<Name> {
        self.0.homeless.as_ref().map(|_| Snapshot::homeless_name())
    }
}

fn gone(name: &Name) -> Missing {
    Missing::Unreadable { name: name.shown.clone(), reason: "it was not loaded before".into() }
}

/// What reports show for changes that belong to no file; no path looks like it.
pub const HOMELESS: &str = "(changes in no file)";
