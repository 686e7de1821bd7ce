//! From trees to the merged view, in the order of the text.
use super::{Assignment, Node, Opening, Scopes, index, names::NONE};
use crate::{
    bounds,
    config::{
        diagnostic::{Diagnostic, Diagnostics},
        load::Texts,
        pattern::Pattern,
        place::{FileId, Place, offset},
        tree::{Kind, Statement, StatementId, Tree, Word},
    },
};
use alloc::{format, string::String, sync::Arc, vec::Vec};

/// Merges the files, from the main one on, in the order of their text.
pub(super) fn merge(texts: &Arc<Texts>, diagnostics: &mut Diagnostics) -> Scopes {
    let scopes =
        Scopes { texts: texts.clone(), nodes: alloc::vec![Node::new(NONE, NONE, NONE)], ..Scopes::default() };
    let mut merger = Merger { scopes, texts, files: 0, depth: 0, statements: 0, full: None };
    let after = texts.after.iter().filter_map(|file| texts.tree(*file));
    for tree in texts.tree(FileId::MAIN).into_iter().chain(after) {
        merger.body(0, tree, tree.top());
    }
    if let Some((place, message)) = merger.full {
        diagnostics.push(Diagnostic::error("too-large", message).at(place));
    }
    merger.scopes
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
                let message = format!("more than {} statements", bounds::CONFIG_MERGED_MAX);
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
            let message = format!("more than {} files below one another", bounds::CONFIG_INCLUDE_DEPTH_MAX);
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
            let message = format!("more than {} scopes inside one another", bounds::CONFIG_DEPTH_MAX);
            self.full = Some((tree.place(statement.name), message));
            return;
        }
        self.depth += 1;
        inside(self);
        self.depth -= 1;
    }

    fn assign(&mut self, scope: u32, tree: &'a Tree, statement: StatementId, name: Word) {
        let all = &mut self.scopes;
        let name = all.names.add_folded(&tree.say(name));
        let number = offset(all.assignments.len());
        let shadows = all.put_latest(scope, name, number);
        let file = tree.file();
        let fresh = Assignment { file, statement, scope, name, shadows, next: NONE, in_effect: true };
        all.assignments.push(fresh);
        if let Some(old) = shadows.and_then(|old| all.assignments.get_mut(old as usize)) {
            old.in_effect = false;
        }
        let Some(node) = all.nodes.get_mut(scope as usize) else { return };
        let last = core::mem::replace(&mut node.assignments.1, number);
        match all.assignments.get_mut(last as usize) {
            Some(before) => before.next = number,
            None => node.assignments.0 = number,
        }
    }

    fn open(
        &mut self,
        parent: u32,
        tree: &'a Tree,
        statement: StatementId,
        name: Word,
        instance: Option<Word>,
    ) -> u32 {
        let all = &mut self.scopes;
        let name = all.names.add_folded(&tree.say(name));
        let instance = instance.map_or(NONE, |word| {
            let said = tree.say(word);
            let folds =
                index::FOLDED.contains(&all.names.get(name)) && Pattern::between_slashes(&said).is_none();
            if folds { all.names.add_folded(&said) } else { all.names.add(&said) }
        });
        let id = all.child(parent, name, instance).unwrap_or_else(|| all.add_node(parent, name, instance));
        let number = offset(all.openings.len());
        all.openings.push(Opening { file: tree.file(), statement, next: NONE });
        let Some(node) = all.nodes.get_mut(id as usize) else { return id };
        let last = core::mem::replace(&mut node.openings.1, number);
        match all.openings.get_mut(last as usize) {
            Some(before) => before.next = number,
            None => node.openings.0 = number,
        }
        id
    }
}
