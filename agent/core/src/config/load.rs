//! From a main file to all files: `include` and `readonly_include`, without opening anything here.
//!
//! Invariants: 1. a file is read and parsed once, however often it is included; 2. a file never includes itself, also
//! not through others; 3. depth, number and size of files are bounded; 4. a directory gives its files in lexical order of
//! their names, those that begin with `.` passed over; 5. what cannot be loaded is an error at the include, and the rest is loaded.
//! Source: reference section 1.7.
use super::{
    boot,
    diagnostic::{Diagnostic, Diagnostics},
    parser,
    place::{File, FileId, Files, Place},
    scopes::Scopes,
    tree::{Kind, StatementId, Tree},
};
use crate::bounds;
use alloc::{collections::BTreeMap, format, string::String, sync::Arc, vec::Vec};
use thiserror::Error;

/// Where files come from; the world's side of loading.
pub trait Source {
    /// Finds what an include names, as seen from the file it stands in; the main file when `including` is `None`.
    ///
    /// # Errors
    /// [`Missing`] becomes an error at the include; loading goes on with the next one.
    fn find(&mut self, including: Option<&Name>, argument: &str) -> Result<Found, Missing>;

    /// Reads a file [`find`](Self::find) has named; at most `bytes_max + 1` bytes of it.
    ///
    /// # Errors
    /// As for [`find`](Self::find).
    fn read(&mut self, name: &Name, bytes_max: usize) -> Result<Vec<u8>, Missing>;

    /// Returns whether a change may ever be saved in a file [`find`](Self::find) has named.
    fn writable(&mut self, _name: &Name) -> bool {
        true
    }

    /// Returns the `cluster.boot` that this node's name or subcluster came from, if there is one. It is no part of the
    /// configuration; what is wrong with it is told with the rest.
    fn boot(&mut self) -> Option<Name> {
        None
    }

    /// Returns the text that is loaded after every other one although no file names it, if there is one.
    fn last(&mut self) -> Option<Name> {
        None
    }
}

/// A file's two names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// As the operator would write it; shown in reports.
    pub shown: String,
    /// Equal for two spellings of one file.
    pub identity: String,
}

/// What an include names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// One file.
    File(Name),
    /// The regular files of a directory, each with the last part of its path, in any order.
    Directory(Vec<(String, Name)>),
}

/// Why there is no text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Missing {
    /// It does not exist in any of the places that were searched.
    #[error("cannot find `{argument}`")]
    Nowhere {
        /// As written.
        argument: String,
        /// Directories, in the order of the search.
        searched: Vec<String>,
    },
    /// It exists and cannot be read; the reason is the host's own words.
    #[error("cannot read `{name}`: {reason}")]
    Unreadable {
        /// Which file or directory.
        name: String,
        /// The host's own words.
        reason: String,
    },
    /// Another scheme than a plain path.
    #[error("`{argument}` is not a file: the scheme `{scheme}` is not supported")]
    Scheme {
        /// As written.
        argument: String,
        /// The part before the colon.
        scheme: String,
    },
}

/// All files of a load, their trees, and which include brought which files.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// Names and texts.
    pub files: Files,
    pub(super) trees: Vec<Tree>,
    pub(super) includes: BTreeMap<(FileId, StatementId), Vec<FileId>>,
    /// What follows the main file's text: `Local_Changes_File`, then what is in no file.
    pub(super) after: Vec<FileId>,
    pub(super) local_changes: Option<LocalChanges>,
}

/// The file that `Local_Changes_File` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalChanges {
    /// Its path as written.
    pub argument: String,
    /// Its names.
    pub name: Name,
    /// Its number; `None` while it does not exist.
    pub file: Option<FileId>,
}

impl Texts {
    /// Returns a file's tree.
    pub fn tree(&self, file: FileId) -> Option<&Tree> {
        self.trees.get(file.index())
    }

    /// Returns the file for online changes, if one is named.
    pub fn local_changes(&self) -> Option<&LocalChanges> {
        self.local_changes.as_ref()
    }
}

/// A whole configuration: its texts and their merged view.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What was read.
    pub texts: Arc<Texts>,
    /// All files as one.
    pub scopes: Scopes,
}

/// Loads `main` and everything it includes. The configuration holds what could be understood, and may only be used when
/// there is no error among the diagnostics.
pub fn load(source: &mut dyn Source, main: &str) -> (Config, Diagnostics) {
    let mut loader = Loader {
        source,
        texts: Texts::default(),
        known: BTreeMap::new(),
        main: None,
        path: Vec::new(),
        bytes: 0,
        diagnostics: Diagnostics::default(),
    };
    loader.main(main);
    loader.local_changes();
    if let Some(name) = loader.source.last() {
        let file = loader.file(name, None, false);
        loader.texts.after.extend(file);
    }
    loader.boot();
    let Loader { texts, mut diagnostics, .. } = loader;
    let texts = Arc::new(texts);
    let scopes = Scopes::merge(&texts, &mut diagnostics);
    diagnostics.sort();
    (Config { texts, scopes }, diagnostics)
}

struct Loader<'a> {
    source: &'a mut dyn Source,
    texts: Texts,
    known: BTreeMap<String, FileId>,
    main: Option<Name>,
    /// The files from the main one to the one being loaded, and their names.
    path: Vec<(FileId, Name)>,
    bytes: usize,
    diagnostics: Diagnostics,
}

impl Loader<'_> {
    fn main(&mut self, argument: &str) {
        match self.source.find(None, argument) {
            Ok(Found::File(name)) => {
                self.main = Some(name.clone());
                self.file(name, None, false);
            }
            Ok(Found::Directory(_)) => {
                let fault = Diagnostic::error("not-a-file", format!("`{argument}` is a directory"));
                self.diagnostics.push(fault.help("name the main configuration file"));
            }
            Err(missing) => self.diagnostics.push(missing.into_diagnostic()),
        }
    }

    /// Checks `cluster.boot`. It becomes one of the files only when there is something to tell about it.
    fn boot(&mut self) {
        let Some(name) = self.source.boot() else { return };
        let bytes = match self.source.read(&name, bounds::BOOT_BYTES_MAX) {
            Ok(bytes) if bytes.len() > bounds::BOOT_BYTES_MAX => {
                self.refuse(Fault::LongBoot { name: name.shown }.into_diagnostic(), None);
                return;
            }
            Ok(bytes) => bytes,
            Err(missing) => {
                self.refuse(missing.into_diagnostic(), None);
                return;
            }
        };
        let (text, _) = decode(bytes);
        let (_, faults) = boot::parse(FileId::MAIN, &text);
        if faults.is_empty() {
            return;
        }
        let text: Arc<str> = text.into();
        let file = File { name: name.shown.into(), text: text.clone(), included_at: None, readonly: true };
        let Some(id) = self.texts.files.add(file) else { return };
        self.texts.trees.push(Tree::new(id, text.clone()));
        self.diagnostics.extend(boot::parse(id, &text).1);
    }

    /// Loads one file unless it is loaded, and returns its number.
    fn file(&mut self, name: Name, included_at: Option<Place>, readonly: bool) -> Option<FileId> {
        if let Some(&known) = self.known.get(&name.identity) {
            return self.again(known, &name, included_at);
        }
        let bytes_max = bounds::CONFIG_FILE_BYTES_MAX.min(bounds::CONFIG_BYTES_MAX - self.bytes);
        let bytes = match self.source.read(&name, bytes_max) {
            Ok(bytes) => bytes,
            Err(missing) => return self.refuse(missing.into_diagnostic(), included_at),
        };
        if bytes.len() > bytes_max {
            return self.refuse(Fault::TooLong { name: name.shown }.into_diagnostic(), included_at);
        }
        if self.texts.files.len() >= bounds::CONFIG_FILES_MAX {
            return self.refuse(Fault::TooManyFiles.into_diagnostic(), included_at);
        }
        self.bytes += bytes.len();
        let (text, broken) = decode(bytes);
        let text: Arc<str> = text.into();
        let readonly = readonly || !self.source.writable(&name);
        let file = File { name: name.shown.as_str().into(), text: text.clone(), included_at, readonly };
        let id = self.texts.files.add(file)?;
        self.known.insert(name.identity.clone(), id);
        for (start, byte) in broken {
            let place = Place::new(id, start..start + char::REPLACEMENT_CHARACTER.len_utf8());
            let fault = Diagnostic::error("not-utf8", format!("byte 0x{byte:02x} is not UTF-8"));
            self.diagnostics.push(fault.at(place).help("save the file as UTF-8"));
        }
        let (tree, faults) = parser::parse(id, &text);
        self.diagnostics.extend(faults);
        self.texts.trees.push(tree);
        self.path.push((id, name));
        self.includes(id);
        self.path.pop();
        Some(id)
    }

    /// A file included once more: fine, unless it is still being loaded.
    fn again(&mut self, id: FileId, name: &Name, at: Option<Place>) -> Option<FileId> {
        if self.path.iter().any(|(open, _)| *open == id) {
            let fault = Fault::Cycle { name: name.shown.clone() }.into_diagnostic();
            return self.refuse(fault, at);
        }
        if let Some(file) = self.texts.files.get_mut(id) {
            file.readonly = true;
        }
        Some(id)
    }

    /// Loads what the file's include statements name.
    fn includes(&mut self, id: FileId) {
        let Some(tree) = self.texts.tree(id) else { return };
        let targets: Vec<_> = tree
            .all()
            .filter_map(|(statement, parts)| match parts.kind {
                Kind::Include { readonly, target } => {
                    Some((statement, readonly, tree.place(target), String::from(tree.say(target))))
                }
                Kind::Assign(_) | Kind::Scope { .. } => None,
            })
            .collect();
        for (statement, readonly, place, argument) in targets {
            let files = self.include(place, readonly, &argument);
            self.texts.includes.insert((id, statement), files);
        }
    }

    fn include(&mut self, place: Place, readonly: bool, argument: &str) -> Vec<FileId> {
        if self.path.len() > bounds::CONFIG_INCLUDE_DEPTH_MAX {
            self.refuse(Fault::TooDeep.into_diagnostic(), Some(place));
            return Vec::new();
        }
        let including = self.path.last().map(|(_, name)| name.clone());
        let names = match self.source.find(including.as_ref(), argument) {
            Ok(Found::File(name)) => alloc::vec![name],
            Ok(Found::Directory(entries)) if entries.len() > bounds::CONFIG_DIRECTORY_NAMES_MAX => {
                self.refuse(Fault::FullDirectory { name: argument.into() }.into_diagnostic(), Some(place));
                return Vec::new();
            }
            Ok(Found::Directory(entries)) => in_order(entries),
            Err(missing) => {
                self.refuse(missing.into_diagnostic(), Some(place));
                return Vec::new();
            }
        };
        names.into_iter().filter_map(|name| self.file(name, Some(place), readonly)).collect()
    }

    fn refuse(&mut self, fault: Diagnostic, at: Option<Place>) -> Option<FileId> {
        self.diagnostics.push(match at {
            Some(place) => fault.at(place),
            None => fault,
        });
        None
    }
}

/// Why a file that was found is not loaded.
#[derive(Debug, Error)]
enum Fault {
    #[error("`{name}` includes itself")]
    Cycle { name: String },
    #[error("more than {} files below one another", bounds::CONFIG_INCLUDE_DEPTH_MAX)]
    TooDeep,
    #[error("more than {} files", bounds::CONFIG_FILES_MAX)]
    TooManyFiles,
    #[error("`{name}` is longer than {} KiB", bounds::BOOT_BYTES_MAX >> 10)]
    LongBoot { name: String },
    #[error("`{name}` is part of the configuration already")]
    LocalIncluded { name: String },
    #[error("`{name}` is a directory")]
    LocalDirectory { name: String },
    #[error("directory `{name}` holds more than {} names", bounds::CONFIG_DIRECTORY_NAMES_MAX)]
    FullDirectory { name: String },
    #[error(
        "`{name}` is too long: a file may have {} MiB, all files together {} MiB",
        bounds::CONFIG_FILE_BYTES_MAX >> 20,
        bounds::CONFIG_BYTES_MAX >> 20
    )]
    TooLong { name: String },
}

impl Fault {
    fn into_diagnostic(self) -> Diagnostic {
        let (code, help) = match self {
            Self::Cycle { .. } => (
                "include-cycle",
                "the including file's own directory is searched first: rename one of the two files",
            ),
            Self::TooDeep => ("include-too-deep", "include the file from one further up"),
            Self::TooManyFiles => ("too-many-files", "join some of them"),
            Self::LongBoot { .. } => {
                ("file-too-long", "it holds a few lines of `key=value` and nothing else")
            }
            Self::LocalIncluded { .. } => (
                "local-changes-included",
                "Local_Changes_File is loaded after everything else by itself: remove its include, or name another file",
            ),
            Self::LocalDirectory { .. } => ("not-a-file", "name a file, which need not exist"),
            Self::FullDirectory { .. } => {
                ("full-directory", "include the files by name, or join some of them")
            }
            Self::TooLong { .. } => ("file-too-long", "check that this is the file you meant"),
        };
        Diagnostic::error(code, format!("{self}")).help(help)
    }
}

impl Missing {
    fn into_diagnostic(self) -> Diagnostic {
        let message = format!("{self}");
        match self {
            Self::Nowhere { searched, .. } if searched.is_empty() => Diagnostic::error("not-found", message),
            Self::Nowhere { searched, .. } => {
                Diagnostic::error("not-found", message).help(format!("searched in {}", searched.join(", ")))
            }
            Self::Unreadable { .. } => Diagnostic::error("unreadable", message),
            Self::Scheme { .. } => {
                Diagnostic::error("scheme", message).help("include a path, or `file:` and a path")
            }
        }
    }
}

fn in_order(mut entries: Vec<(String, Name)>) -> Vec<Name> {
    entries.retain(|(last, _)| !last.starts_with('.'));
    entries.sort();
    entries.into_iter().map(|(_, name)| name).collect()
}

/// Returns the text, and where in it a byte was replaced because it is not UTF-8; bounded by `CONFIG_ERRORS_MAX`.
fn decode(bytes: Vec<u8>) -> (String, Vec<(usize, u8)>) {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return (text, Vec::new()),
        Err(error) => error.into_bytes(),
    };
    let (mut text, mut broken) = (String::with_capacity(bytes.len()), Vec::new());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let Some(&byte) = chunk.invalid().first() else { continue };
        if broken.len() < bounds::CONFIG_ERRORS_MAX {
            broken.push((text.len(), byte));
        }
        text.push(char::REPLACEMENT_CHARACTER);
    }
    (text, broken)
}

mod local;
#[cfg(test)]
mod tests;
