//! Files and the places in them: what every diagnostic and every statement points at.
//!
//! Invariants: 1. a place lies inside its file's text, on character boundaries; 2. lines and columns count from 1,
//! columns in characters; 3. a file keeps the place of its *first* inclusion only.
use alloc::{sync::Arc, vec::Vec};
use core::ops::Range;

/// Number of a file within one load; the main file is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u16);

impl FileId {
    /// The file the load began with.
    pub const MAIN: Self = Self(0);

    /// Returns the file's number, from 0, in order of first inclusion.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// Byte after the last one.
    pub end: u32,
}

impl Place {
    /// Returns the place of `bytes` in `file`. Texts are bounded far below 4 GiB; beyond that it saturates.
    pub fn new(file: FileId, bytes: Range<usize>) -> Self {
        Self { file, start: offset(bytes.start), end: offset(bytes.end) }
    }

    /// Returns the bytes as indices.
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Line and column as editors count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One file of a load: its name as the operator would write it, its text, and where it was included first.
#[derive(Clone, Debug)]
pub struct File {
    /// Name for people.
    pub name: Arc<str>,
    /// Whole text; bytes that were not UTF-8 are replaced and reported.
    pub text: Arc<str>,
    /// The include statement that brought it in first; `None` for the main file.
    pub included_at: Option<Place>,
    /// Online changes are never written here: `readonly_include`, or included more than once.
    pub readonly: bool,
}

/// All files of one load.
#[derive(Clone, Debug, Default)]
pub struct Files(Vec<File>);

impl Files {
    /// Adds a file and returns its number; `None` when there are as many as can be numbered.
    pub fn add(&mut self, file: File) -> Option<FileId> {
        let id = FileId(u16::try_from(self.0.len()).ok()?);
        self.0.push(file);
        Some(id)
    }

    /// Returns the file, if the number came from here.
    pub fn get(&self, id: FileId) -> Option<&File> {
        self.0.get(id.index())
    }

    pub(super) fn get_mut(&mut self, id: FileId) -> Option<&mut File> {
        self.0.get_mut(id.index())
    }

    /// Returns all files in order of first inclusion.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &File)> {
        self.0.iter().enumerate().filter_map(|(index, file)| Some((FileId(u16::try_from(index).ok()?), file)))
    }

    /// Returns the number of files.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether no file could be opened.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns line and column of the place's first byte; `None` when it is not inside its file.
    pub fn position(&self, place: Place) -> Option<Position> {
        let before = self.get(place.file)?.text.get(..place.start as usize)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.get(line_start..)?.chars().count() + 1;
        Some(Position { line, column })
    }

    /// Returns the line the place begins on, without its line end, and the place's bytes within that line.
    pub fn line(&self, place: Place) -> Option<(&str, Range<usize>)> {
        let text = &self.get(place.file)?.text;
        let start = place.start as usize;
        let from = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
        let to = text.get(start..)?.find('\n').map_or(text.len(), |at| start + at);
        let line = text.get(from..to)?.trim_end_matches('\r');
        let first = (start - from).min(line.len());
        let last = (place.end as usize).saturating_sub(from).min(line.len()).max(first);
        Some((line, first..last))
    }

    /// Returns the include statements from the place's file up to the main file.
    pub fn chain(&self, place: Place) -> impl Iterator<Item = Place> {
        let step = |at: &Place| self.get(at.file).and_then(|file| file.included_at);
        core::iter::successors(step(&place), step).take(crate::bounds::CONFIG_INCLUDE_DEPTH_MAX + 1)
    }
}

pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
