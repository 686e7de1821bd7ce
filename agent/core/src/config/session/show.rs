//! The configuration as it is, without layout: what `show`, `showrecurse` and `locate` print.
use super::address::{Step, written_name};
use crate::config::{
    draft::{self, Indent, Item, Literal},
    schema,
    scopes::{Scope, Scopes, Setting},
};
use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

/// A scope and what is set in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Which one; `None` is the outermost.
    pub step: Option<Step>,
    /// Options set here, in the order of the text.
    pub options: Vec<(String, Literal)>,
    /// Scopes directly inside, in the order in which they are opened first.
    pub scopes: Vec<View>,
    /// What is inside is not shown.
    pub closed: bool,
}

/// Returns what is set in a scope; of the scopes inside it only which there are, unless `recursive`.
pub fn view(scope: Scope<'_>, scopes: &Scopes, recursive: bool) -> View {
    let inner = |inner: Scope<'_>| {
        if recursive {
            return view(inner, scopes, true);
        }
        View { step: step(inner, scopes), options: Vec::new(), scopes: Vec::new(), closed: true }
    };
    View {
        step: step(scope, scopes),
        options: scope.options().map(|setting| option(scope, setting)).collect(),
        scopes: scope.scopes().map(inner).collect(),
        closed: false,
    }
}

/// Returns a setting with the name the table gives the option.
pub fn option(scope: Scope<'_>, setting: Setting<'_>) -> (String, Literal) {
    let name = setting.name();
    let name = match schema::option(&schema::path(scope), &name) {
        Some(row) => row.name.to_string(),
        None => name.into_owned(),
    };
    (name, setting.tree().literal(setting.value()))
}

impl View {
    /// Returns the text for people: as it would stand in a file, `{ ... }` for what is not shown.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    /// Returns the statements; a closed scope is an empty one.
    pub fn items(&self) -> Vec<Item> {
        let options = self
            .options
            .iter()
            .map(|(name, value)| Item::Assign { name: name.clone(), value: value.clone() });
        options.chain(self.scopes.iter().filter_map(Self::item)).collect()
    }

    fn item(&self) -> Option<Item> {
        let Step { name, instance } = self.step.clone()?;
        Some(Item::Scope { name, instance, body: self.items() })
    }

    fn write(&self, out: &mut String, depth: usize) {
        let indent = |out: &mut String, depth: usize| (0..depth).for_each(|_| out.push_str("  "));
        let inner = match &self.step {
            None => depth,
            Some(step) => {
                indent(out, depth);
                out.push_str(&head(step));
                match (self.closed, self.options.is_empty() && self.scopes.is_empty()) {
                    (true, _) => return out.push_str(" { ... }\n"),
                    (false, true) => return out.push_str(" { }\n"),
                    (false, false) => out.push_str(" {\n"),
                }
                depth + 1
            }
        };
        for (name, value) in &self.options {
            indent(out, inner);
            *out += name;
            out.push_str(" = ");
            out.push_str(&value_text(value));
            out.push('\n');
        }
        self.scopes.iter().for_each(|scope| scope.write(out, inner));
        if self.step.is_some() {
            indent(out, depth);
            out.push_str("}\n");
        }
    }
}

/// Returns a value as it would stand in a file.
pub fn value_text(value: &Literal) -> String {
    draft::print_value(value).unwrap_or_else(|unwritable| format!("({unwritable})"))
}

/// Returns the whole configuration as one file without includes.
///
/// # Errors
/// [`draft::Unwritable`]; nothing that was read from a file is.
pub fn flattened(scopes: &Scopes) -> Result<String, draft::Unwritable> {
    draft::print_with(&view(scopes.root(), scopes, true).items(), Indent::default())
}

/// Returns the paths of every scope of that name whose instance `matches`; without an instance it is "".
pub fn locate<'a>(
    scopes: &'a Scopes,
    name: &str,
    matches: &mut dyn FnMut(&str) -> bool,
) -> Vec<(String, Scope<'a>)> {
    let mut found = Vec::new();
    search(scopes, scopes.root(), "", name, matches, &mut found);
    found
}

fn search<'a>(
    scopes: &'a Scopes,
    within: Scope<'a>,
    path: &str,
    name: &str,
    matches: &mut dyn FnMut(&str) -> bool,
    found: &mut Vec<(String, Scope<'a>)>,
) {
    for scope in within.scopes() {
        let instance = scope.instance().unwrap_or_default();
        let path = format!("{path}{}:{}:", written_name(scope, scopes), escape(instance));
        if scope.name().eq_ignore_ascii_case(name) && matches(instance) {
            found.push((path.clone(), scope));
        }
        search(scopes, scope, &path, name, matches, found);
    }
}

/// Escapes what ends an instance in a path.
fn escape(instance: &str) -> String {
    instance.replace('\\', "\\\\").replace(':', "\\:")
}

fn step(scope: Scope<'_>, scopes: &Scopes) -> Option<Step> {
    scope.parent()?;
    Some(Step { name: written_name(scope, scopes), instance: scope.instance().map(String::from) })
}

fn head(step: &Step) -> String {
    match step.instance.as_deref() {
        Some(instance) => format!("{} \"{}\"", step.name, instance.replace('"', "\\\"")),
        None => step.name.clone(),
    }
}

#[cfg(test)]
mod tests;
