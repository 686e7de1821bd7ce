//! All files as one: scopes that repeat are merged, and of several assignments the last one is in effect.
//!
//! Invariants: 1. order is the order of the text, an include standing for the text it names; 2. names are compared without
//! case, instances with it, but for domains and hosts, whose instances are names of the DNS; 3. an assignment that is no
//! longer in effect stays findable; 4. lookups do not scan.
//! Source: reference section 1.3. Does not know which options there are: see `schema`.
use super::{
    diagnostic::Diagnostics,
    load::Texts,
    pattern::Pattern,
    place::{FileId, Place, offset},
    tree::{Kind, Statement, StatementId, Tree, Value},
};
use alloc::{borrow::Cow, string::String, sync::Arc, vec::Vec};
use core::fmt;

mod index;
mod merge;
mod names;

use index::Index;
use names::{NONE, Names, Table, hash_of};

/// The merged view of a load.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    texts: Arc<Texts>,
    names: Names,
    nodes: Vec<Node>,
    /// Nodes by parent, name and instance.
    children: Table,
    openings: Vec<Opening>,
    assignments: Vec<Assignment>,
    /// Assignments in effect by scope and name.
    latest: Table,
    index: Arc<Index>,
}

/// A scope of the merged view.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    all: &'a Scopes,
    id: u32,
}

/// One assignment of an option.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    all: &'a Scopes,
    tree: &'a Tree,
    id: StatementId,
    statement: &'a Statement,
    value: Value,
    shadows: Option<u32>,
}

/// A step of a path, looked up once for many scopes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'s> {
    /// Number of the scope's name; [`ABSENT`](Self::ABSENT) when no scope has that name.
    pub(super) name: u32,
    /// The same of the instance; `None` when none is asked for.
    pub(super) instance: Option<u32>,
    text: &'s str,
}

impl Scopes {
    /// Merges the files, from the main one on, in the order of their text.
    pub(super) fn merge(texts: &Arc<Texts>, diagnostics: &mut Diagnostics) -> Self {
        let mut scopes = merge::merge(texts, diagnostics);
        scopes.index = Arc::new(Index::build(&scopes, diagnostics));
        scopes
    }

    /// Returns the outermost scope, which has no name.
    pub fn root(&self) -> Scope<'_> {
        Scope { all: self, id: 0 }
    }

    /// Returns a scope's name as it is written where it is opened first.
    pub fn word(&self, scope: Scope<'_>) -> Option<String> {
        let (file, statement) = scope.openings().next()?;
        let tree = self.texts.tree(file)?;
        Some(tree.say(tree.get(statement)?.name).into_owned())
    }

    /// Returns the number of a scope's or option's name; [`Asked::ABSENT`] when nothing has it.
    pub(super) fn number(&self, name: &str) -> u32 {
        self.names.find_folded(name).unwrap_or(Asked::ABSENT)
    }

    /// Looks a step of a path up.
    pub(super) fn asked<'s>(&self, name: &str, instance: Option<&'s str>) -> Asked<'s> {
        let number = self.number(name);
        let find = |text: &str| {
            let folds =
                index::FOLDED.contains(&self.names.get(number)) && Pattern::between_slashes(text).is_none();
            let found = if folds { self.names.find_folded(text) } else { self.names.find(text) };
            found.unwrap_or(Asked::ABSENT)
        };
        Asked { name: number, instance: instance.map(find), text: instance.unwrap_or_default() }
    }

    fn node(&self, id: u32) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    fn child(&self, parent: u32, name: u32, instance: u32) -> Option<u32> {
        self.children.find(hash_of(parent, name, instance), |id| {
            let node = self.node(id);
            node.is_some_and(|node| (node.parent, node.name, node.instance) == (parent, name, instance))
        })
    }

    fn add_node(&mut self, parent: u32, name: u32, instance: u32) -> u32 {
        let id = offset(self.nodes.len());
        self.nodes.push(Node::new(parent, name, instance));
        self.children.insert(hash_of(parent, name, instance), id);
        let Some(node) = self.nodes.get_mut(parent as usize) else { return id };
        let last = core::mem::replace(&mut node.children.1, id);
        match self.nodes.get_mut(last as usize) {
            Some(before) => before.next = id,
            None => self.nodes[parent as usize].children.0 = id,
        }
        id
    }

    /// Makes an assignment the one in effect and returns the one before it.
    fn put_latest(&mut self, scope: u32, name: u32, number: u32) -> Option<u32> {
        let (hash, assignments) = (hash_of(scope, name, NONE), &self.assignments);
        let is_it =
            |id: u32| assignments.get(id as usize).is_some_and(|it| (it.scope, it.name) == (scope, name));
        let before = self.latest.replace(hash, number, is_it);
        if before.is_none() {
            self.latest.insert(hash, number);
        }
        before
    }

    fn setting(&self, id: u32) -> Option<Setting<'_>> {
        let assignment = self.assignments.get(id as usize)?;
        let tree = self.texts.tree(assignment.file)?;
        let id = assignment.statement;
        let statement = tree.get(id)?;
        let Kind::Assign(value) = statement.kind else { return None };
        Some(Setting { all: self, tree, id, statement, value, shadows: assignment.shadows })
    }
}

impl Asked<'_> {
    /// What nothing has, as a number.
    pub(super) const ABSENT: u32 = NONE - 1;

    /// A step that nothing stands for.
    pub(super) const NOTHING: Self = Self { name: Self::ABSENT, instance: Some(Self::ABSENT), text: "" };
}

impl<'a> Scope<'a> {
    /// Returns the name in lower case; empty for the outermost scope.
    pub fn name(self) -> &'a str {
        self.all.node(self.id).map_or("", |node| self.all.names.get(node.name))
    }

    /// Returns the instance, if the scope has one; that of a domain or host in lower case.
    pub fn instance(self) -> Option<&'a str> {
        let node = self.all.node(self.id)?;
        (node.instance != NONE).then(|| self.all.names.get(node.instance))
    }

    /// Returns the scope around this one; `None` for the outermost.
    pub fn parent(self) -> Option<Self> {
        let parent = self.all.node(self.id)?.parent;
        (parent != NONE).then_some(Self { all: self.all, id: parent })
    }

    /// Returns every place where the scope is opened, its name and instance, in order.
    pub fn places(self) -> impl Iterator<Item = Place> + 'a {
        self.openings().filter_map(move |(file, statement)| {
            let tree = self.all.texts.tree(file)?;
            let statement = tree.get(statement)?;
            let end = match statement.kind {
                Kind::Scope { instance: Some(instance) } => instance.end,
                _ => statement.name.end,
            };
            Some(Place { file, start: statement.start, end })
        })
    }

    /// Returns every statement that opens the scope, in order; none for the outermost.
    pub fn openings(self) -> impl Iterator<Item = (FileId, StatementId)> + 'a {
        let get = move |number: u32| self.all.openings.get(number as usize);
        let first = self.all.node(self.id).and_then(|node| get(node.openings.0));
        core::iter::successors(first, move |opening| get(opening.next))
            .map(|opening| (opening.file, opening.statement))
    }

    /// Returns where the scope is opened first.
    pub fn place(self) -> Option<Place> {
        self.places().next()
    }

    /// Returns the scope of that name and instance directly inside this one.
    pub fn scope(self, name: &str, instance: Option<&str>) -> Option<Self> {
        self.named(&self.all.asked(name, instance))
    }

    /// Returns the scope directly inside this one that stands for `instance`: the one of that name; else, for domains
    /// and hosts, the first whose regular expression matches; else, for peers, that of the smallest CIDR block around it.
    pub fn standing_for(self, name: &str, instance: &str) -> Option<Self> {
        self.standing_for_asked(&self.all.asked(name, Some(instance)))
    }

    fn named(self, asked: &Asked<'_>) -> Option<Self> {
        let id = self.all.child(self.id, asked.name, asked.instance.unwrap_or(NONE))?;
        Some(Self { all: self.all, id })
    }

    /// As [`standing_for`](Self::standing_for); without an instance the scope of that name.
    pub(super) fn standing_for_asked(self, asked: &Asked<'_>) -> Option<Self> {
        self.named(asked).or_else(|| self.unnamed(asked, |_| true))
    }

    /// Returns the scope that [`standing_for_asked`](Self::standing_for_asked) gives, and what it sets an option to.
    pub(super) fn set_for_asked(self, asked: &Asked<'_>, option: u32) -> Option<(Self, Setting<'a>)> {
        let scope = match self.named(asked) {
            Some(exact) => exact,
            None => self.unnamed(asked, |scope| scope.latest(option).is_some())?,
        };
        Some((scope, scope.option_number(option)?))
    }

    fn unnamed(self, asked: &Asked<'_>, wanted: impl Fn(Self) -> bool) -> Option<Self> {
        asked.instance?;
        let of = |id| Self { all: self.all, id };
        self.all.index.find((self.id, asked.name), asked.text, |id| wanted(of(id))).map(of)
    }

    /// Returns the scopes directly inside this one, in the order they are opened first.
    pub fn scopes(self) -> impl Iterator<Item = Self> + 'a {
        let all = self.all;
        let first = all.node(self.id).map(|node| node.children.0).filter(|first| *first != NONE);
        let next = move |id: &u32| all.node(*id).map(|node| node.next).filter(|next| *next != NONE);
        core::iter::successors(first, next).map(move |id| Self { all, id })
    }

    /// Returns the instances of a scope directly inside this one, in the order they are opened first.
    pub fn instances(self, name: &str) -> impl Iterator<Item = Self> + 'a {
        let name = self.all.number(name);
        self.scopes().filter(move |scope| scope.all.node(scope.id).is_some_and(|node| node.name == name))
    }

    /// Returns the assignment in effect here; does not look further out.
    pub fn option(self, name: &str) -> Option<Setting<'a>> {
        self.option_number(self.all.number(name))
    }

    /// As [`option`](Self::option), by the number of the name.
    pub(super) fn option_number(self, name: u32) -> Option<Setting<'a>> {
        self.all.setting(self.latest(name)?)
    }

    fn latest(self, name: u32) -> Option<u32> {
        self.all.latest.find(hash_of(self.id, name, NONE), |id| {
            let assignment = self.all.assignments.get(id as usize);
            assignment.is_some_and(|it| (it.scope, it.name) == (self.id, name))
        })
    }

    /// Returns all assignments in effect here, in the order of the text.
    pub fn options(self) -> impl Iterator<Item = Setting<'a>> + 'a {
        let all = self.all;
        let get =
            move |number: u32| all.assignments.get(number as usize).map(|assignment| (number, assignment));
        let first = all.node(self.id).and_then(|node| get(node.assignments.0));
        core::iter::successors(first, move |(_, assignment)| get(assignment.next))
            .filter(|(_, assignment)| assignment.in_effect)
            .filter_map(move |(number, _)| all.setting(number))
    }
}

/// Two are equal when they are one scope of one configuration.
impl PartialEq for Scope<'_> {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.all, other.all) && self.id == other.id
    }
}

impl Eq for Scope<'_> {}

/// Writes the path from the outermost scope, such as `cluster::Replicate "inbound_cidr"`, in lower case.
impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent().filter(|parent| parent.id != 0) {
            write!(f, "{parent}::")?;
        }
        f.write_str(self.name())?;
        self.instance().map_or(Ok(()), |instance| write!(f, " \"{instance}\""))
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({self})")
    }
}

impl<'a> Setting<'a> {
    /// Returns the name as written.
    pub fn name(self) -> Cow<'a, str> {
        self.tree.say(self.statement.name)
    }

    /// Returns the place of the name.
    pub fn name_place(self) -> Place {
        self.tree.place(self.statement.name)
    }

    /// Returns the place of the value.
    pub fn place(self) -> Place {
        self.tree.place_of_value(self.statement)
    }

    /// Returns the value as words of [`tree`](Self::tree).
    pub fn value(self) -> Value {
        self.value
    }

    /// Returns the assignment's number in [`tree`](Self::tree).
    pub fn statement(self) -> StatementId {
        self.id
    }

    /// Returns the tree the assignment stands in.
    pub fn tree(self) -> &'a Tree {
        self.tree
    }

    /// Returns the assignment that this one replaced, if any.
    pub fn shadowed(self) -> Option<Setting<'a>> {
        self.all.setting(self.shadows?)
    }
}

impl fmt::Debug for Setting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setting({})", self.tree.raw(self.statement.start, self.statement.end))
    }
}

/// A scope; lists are the numbers of their first and last element.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    name: u32,
    instance: u32,
    /// The next scope in the same parent.
    next: u32,
    children: (u32, u32),
    openings: (u32, u32),
    assignments: (u32, u32),
}

#[derive(Clone, Copy, Debug)]
struct Opening {
    file: FileId,
    statement: StatementId,
    /// The next one of the same scope.
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Assignment {
    file: FileId,
    statement: StatementId,
    scope: u32,
    name: u32,
    shadows: Option<u32>,
    /// The next one in the same scope.
    next: u32,
    /// Whether none of the same name comes after it in its scope.
    in_effect: bool,
}

impl Node {
    const fn new(parent: u32, name: u32, instance: u32) -> Self {
        const NOTHING: (u32, u32) = (NONE, NONE);
        let (children, openings, assignments) = (NOTHING, NOTHING, NOTHING);
        Self { parent, name, instance, next: NONE, children, openings, assignments }
    }
}

#[cfg(test)]
mod tests;
