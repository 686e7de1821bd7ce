//! `Local_Changes_File`: loaded after everything else, whoever names it; it need not exist.
//!
//! Source: reference section 1.14. Its path is absolute, or found like an include of the main file; where it does not exist it
//! belongs beside the main file.
use super::{Fault, Found, Loader, LocalChanges, Missing, Name};
use crate::config::{
    place::{FileId, Place},
    tree::{Kind, Statement, StatementId, Tree, Value},
};
use alloc::{
    format,
    string::{String, ToString as _},
};

/// Name of the option.
pub(crate) const LOCAL_CHANGES_FILE: &str = "Local_Changes_File";

impl Loader<'_> {
    pub(super) fn local_changes(&mut self) {
        let mut steps = crate::bounds::CONFIG_MERGED_MAX;
        let Some(main) = self.texts.tree(FileId::MAIN) else { return };
        let Some((place, argument)) = self.named(main, main.top(), &mut steps) else { return };
        if argument.is_empty() {
            return;
        }
        let Some(main) = self.main.clone() else { return };
        let name = match self.source.find(Some(&main), &argument) {
            Ok(Found::File(name)) => name,
            Ok(Found::Directory(_)) => {
                self.refuse(Fault::LocalDirectory { name: argument }.into_diagnostic(), Some(place));
                return;
            }
            Err(Missing::Nowhere { .. }) => {
                let name = beside(&main, &argument);
                self.texts.local_changes = Some(LocalChanges { argument, name, file: None });
                return;
            }
            Err(missing) => {
                self.refuse(missing.into_diagnostic(), Some(place));
                return;
            }
        };
        if self.known.contains_key(&name.identity) {
            self.refuse(Fault::LocalIncluded { name: name.shown }.into_diagnostic(), Some(place));
            return;
        }
        let file = self.file(name.clone(), Some(place), false);
        self.texts.after.extend(file);
        self.texts.local_changes = Some(LocalChanges { argument, name, file });
    }

    /// Returns the option's last setting outside all scopes, by a walk through the files in the order of their text.
    fn named<'a>(
        &self,
        tree: &Tree,
        top: impl Iterator<Item = (StatementId, &'a Statement)>,
        steps: &mut usize,
    ) -> Option<(Place, String)> {
        let mut found = None;
        for (id, statement) in top {
            *steps = steps.checked_sub(1)?;
            match statement.kind {
                Kind::Assign(Value::Scalar(word))
                    if tree.say(statement.name).eq_ignore_ascii_case(LOCAL_CHANGES_FILE) =>
                {
                    found = Some((tree.place(word), tree.say(word).into_owned()));
                }
                Kind::Include { .. } => {
                    let files = self.texts.includes.get(&(tree.file(), id)).into_iter().flatten();
                    for inner in files.filter_map(|file| self.texts.tree(*file)) {
                        found = self.named(inner, inner.top(), steps).or(found);
                    }
                }
                Kind::Assign(_) | Kind::Scope { .. } => {}
            }
        }
        found
    }
}

fn beside(main: &Name, argument: &str) -> Name {
    let in_dir = |path: &str| match path.rsplit_once('/') {
        Some((dir, _)) if !argument.starts_with('/') => format!("{dir}/{argument}"),
        _ => argument.to_string(),
    };
    Name { shown: in_dir(&main.shown), identity: in_dir(&main.identity) }
}
