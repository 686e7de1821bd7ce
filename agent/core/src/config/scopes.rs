//! All files as one: scopes that repeat are merged, and of several assignments the last one is in effect.
//!
//! Invariants: 1. order is the order of the text, an include standing for the text it names; 2. names are compared without
//! case, instances with it, but for domains and hosts, whose instances are names of the DNS; 3. an assignment that is no
//! longer in effect stays findable; 4. lookups do not scan.
//! Source: reference section 1.3. Does not know which options there are: see `schema`.
use super::{
    diagnostic::{Diagnostic, Diagnostics},
    load::Texts,
    pattern::Pattern,
    place::{FileId, Place},
    tree::{Kind, Statement, StatementId, Tree, Value, Word},
};
use crate::bounds;
use alloc::{borrow::Cow, collections::BTreeMap, string::String, sync::Arc, vec::Vec};
use core::fmt;

mod index;
use index::Index;

/// The merged view of a load.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    texts: Arc<Texts>,
    names: Names,
    nodes: Vec<Node>,
    children: BTreeMap<(u32, u32, u32), u32>,
    assignments: Vec<Assignment>,
    /// The assignment in effect.
    latest: BTreeMap<(u32, u32), u32>,
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

impl Scopes {
    /// Merges the files, from the main one on, in the order of their text.
    pub(super) fn merge(texts: &Arc<Texts>, diagnostics: &mut Diagnostics) -> Self {
        let root = Node { parent: NONE, name: NONE, instance: NONE, opened: Vec::new() };
        let scopes = Self { texts: texts.clone(), nodes: alloc::vec![root], ..Self::default() };
        let mut merger = Merger { scopes, texts, files: 0, depth: 0, statements: 0, full: None };
        if let Some(tree) = texts.tree(FileId::MAIN) {
            merger.body(0, tree, tree.top());
        }
        for tree in texts.after.iter().filter_map(|file| texts.tree(*file)) {
            merger.body(0, tree, tree.top());
        }
        if let Some((place, message)) = merger.full {
            diagnostics.push(Diagnostic::error("too-large", message).at(place));
        }
        let mut scopes = merger.scopes;
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

    fn node(&self, id: u32) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    fn setting(&self, id: u32) -> Option<Setting<'_>> {
        let assignment = self.assignments.get(id as usize)?;
        let tree = self.texts.tree(assignment.file)?;
        let statement = tree.get(assignment.statement)?;
        let Kind::Assign(value) = statement.kind else { return None };
        let id = assignment.statement;
        Some(Setting { all: self, tree, id, statement, value, shadows: assignment.shadows })
    }
}

impl<'a> Scope<'a> {
    /// Returns the name in lower case; empty for the outermost scope.
    pub fn name(self) -> &'a str {
        self.all.node(self.id).map_or("", |node| self.all.names.get(node.name))
    }

    /// Returns the instance, if the scope has one.
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
        let opened = self.all.node(self.id).map_or(&[][..], |node| &node.opened);
        opened.iter().filter_map(move |(file, statement)| {
            let tree = self.all.texts.tree(*file)?;
            let statement = tree.get(*statement)?;
            let end = match statement.kind {
                Kind::Scope { instance: Some(instance) } => instance.end,
                _ => statement.name.end,
            };
            Some(Place { file: *file, start: statement.start, end })
        })
    }

    /// Returns every statement that opens the scope, in order; none for the outermost.
    pub fn openings(self) -> impl Iterator<Item = (FileId, StatementId)> + 'a {
        self.all.node(self.id).map_or(&[][..], |node| &node.opened).iter().copied()
    }

    /// Returns where the scope is opened first.
    pub fn place(self) -> Option<Place> {
        self.places().next()
    }

    /// Returns the scope of that name and instance directly inside this one.
    pub fn scope(self, name: &str, instance: Option<&str>) -> Option<Self> {
        let name = fold(name);
        let instance = match instance {
            Some(instance) => self.all.names.find(&fold_instance(&name, instance))?,
            None => NONE,
        };
        let name = self.all.names.find(&name)?;
        let id = *self.all.children.get(&(self.id, name, instance))?;
        Some(Self { all: self.all, id })
    }

    /// Returns the scope directly inside this one that stands for `instance`: the one of that name; else, for domains
    /// and hosts, the first whose regular expression matches; else, for peers, that of the smallest CIDR block around it.
    pub fn standing_for(self, name: &str, instance: &str) -> Option<Self> {
        if let Some(exact) = self.scope(name, Some(instance)) {
            return Some(exact);
        }
        let name = fold(name);
        let key = (self.id, self.all.names.find(&name)?);
        let id = if *name == *index::PEER {
            self.all.index.by_block(key, instance)
        } else {
            self.all.index.by_pattern(key, instance)
        };
        Some(Self { all: self.all, id: id? })
    }

    /// Returns the scopes directly inside this one, in the order they are opened first.
    pub fn scopes(self) -> impl Iterator<Item = Self> + 'a {
        let range = (self.id, 0, 0)..=(self.id, NONE, NONE);
        self.ordered(self.all.children.range(range).map(|(_, id)| *id).collect())
    }

    /// Returns the instances of a scope directly inside this one, in the order they are opened first.
    pub fn instances(self, name: &str) -> impl Iterator<Item = Self> + 'a {
        let found = self.all.names.find(&fold(name)).map_or_else(Vec::new, |name| {
            let range = (self.id, name, 0)..=(self.id, name, NONE);
            self.all.children.range(range).map(|(_, id)| *id).collect()
        });
        self.ordered(found)
    }

    /// Returns the assignment in effect here; does not look further out.
    pub fn option(self, name: &str) -> Option<Setting<'a>> {
        let name = self.all.names.find(&fold(name))?;
        self.all.setting(*self.all.latest.get(&(self.id, name))?)
    }

    /// Returns all assignments in effect here, in the order of the text.
    pub fn options(self) -> impl Iterator<Item = Setting<'a>> + 'a {
        let mut found: Vec<u32> =
            self.all.latest.range((self.id, 0)..=(self.id, NONE)).map(|(_, id)| *id).collect();
        found.sort_unstable();
        found.into_iter().filter_map(move |id| self.all.setting(id))
    }

    fn ordered(self, mut found: Vec<u32>) -> impl Iterator<Item = Self> + 'a {
        found.sort_unstable();
        found.into_iter().map(move |id| Self { all: self.all, id })
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

#[derive(Clone, Debug)]
struct Node {
    parent: u32,
    name: u32,
    instance: u32,
    opened: Vec<(FileId, StatementId)>,
}

#[derive(Clone, Copy, Debug)]
struct Assignment {
    file: FileId,
    statement: StatementId,
    shadows: Option<u32>,
}

/// Names and instances, each kept once.
#[derive(Clone, Debug, Default)]
struct Names {
    numbers: BTreeMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Names {
    fn find(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    fn get(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }

    fn add(&mut self, text: &str) -> u32 {
        if let Some(number) = self.find(text) {
            return number;
        }
        let number = super::place::offset(self.texts.len());
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }
}

struct Merger<'a> {
    scopes: Scopes,
    texts: &'a Texts,
    files: usize,
    depth: usize,
    statements: usize,
    full: Option<(Place, String)>,
}

impl<'a> Merger<'a> {
    fn body(
        &mut self,
        scope: u32,
        tree: &'a Tree,
        statements: impl Iterator<Item = (StatementId, &'a Statement)> + 'a,
    ) {
        for (id, statement) in statements {
            if self.full.is_some() {
                return;
            }
            self.statements += 1;
            if self.statements > bounds::CONFIG_MERGED_MAX {
                let message = alloc::format!("more than {} statements", bounds::CONFIG_MERGED_MAX);
                self.full = Some((tree.place_of(statement), message));
                return;
            }
            match statement.kind {
                Kind::Assign(_) => self.assign(scope, tree, id, statement.name),
                Kind::Scope { instance } => {
                    let inner = self.open(scope, tree, id, statement.name, instance);
                    self.deeper(tree, statement, |merger| merger.body(inner, tree, tree.body(id)));
                }
                Kind::Include { .. } => self.include(scope, tree, id, statement),
            }
        }
    }

    fn include(&mut self, scope: u32, tree: &'a Tree, id: StatementId, statement: &Statement) {
        let texts = self.texts;
        let files = texts.includes.get(&(tree.file(), id)).map_or(&[][..], Vec::as_slice);
        if self.files > bounds::CONFIG_INCLUDE_DEPTH_MAX {
            let message =
                alloc::format!("more than {} files below one another", bounds::CONFIG_INCLUDE_DEPTH_MAX);
            self.full = Some((tree.place_of(statement), message));
            return;
        }
        self.files += 1;
        for file in files {
            if let Some(inner) = texts.tree(*file) {
                self.statements += 1; // an empty file costs too
                self.body(scope, inner, inner.top());
            }
        }
        self.files -= 1;
    }

    fn deeper(&mut self, tree: &'a Tree, statement: &Statement, inside: impl FnOnce(&mut Self)) {
        if self.depth == bounds::CONFIG_DEPTH_MAX {
            let message = alloc::format!("more than {} scopes inside one another", bounds::CONFIG_DEPTH_MAX);
            self.full = Some((tree.place(statement.name), message));
            return;
        }
        self.depth += 1;
        inside(self);
        self.depth -= 1;
    }

    fn assign(&mut self, scope: u32, tree: &'a Tree, statement: StatementId, name: Word) {
        let name = self.scopes.names.add(&fold(&tree.say(name)));
        let number = super::place::offset(self.scopes.assignments.len());
        let shadows = self.scopes.latest.insert((scope, name), number);
        self.scopes.assignments.push(Assignment { file: tree.file(), statement, shadows });
    }

    fn open(
        &mut self,
        parent: u32,
        tree: &'a Tree,
        statement: StatementId,
        name: Word,
        instance: Option<Word>,
    ) -> u32 {
        let said = tree.say(name);
        let folded = fold(&said);
        let name = self.scopes.names.add(&folded);
        let add = |instance| self.scopes.names.add(&fold_instance(&folded, &tree.say(instance)));
        let instance = instance.map_or(NONE, add);
        let fresh = super::place::offset(self.scopes.nodes.len());
        let id = *self.scopes.children.entry((parent, name, instance)).or_insert(fresh);
        if id == fresh {
            self.scopes.nodes.push(Node { parent, name, instance, opened: Vec::new() });
        }
        if let Some(node) = self.scopes.nodes.get_mut(id as usize) {
            node.opened.push((tree.file(), statement));
        }
        id
    }
}

/// Returns a name as it is compared.
fn fold(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// Returns an instance as it is compared: names of the DNS without case. Regular expressions keep theirs, for `\W` is
/// not `\w`.
fn fold_instance<'a>(name: &str, instance: &'a str) -> Cow<'a, str> {
    if index::FOLDED.contains(&name) && Pattern::between_slashes(instance).is_none() {
        fold(instance)
    } else {
        Cow::Borrowed(instance)
    }
}

/// No number: the parent of the outermost scope, the instance of a scope without one.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests;
