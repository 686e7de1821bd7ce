//! Diagnostics, places and values as the rows of an answer.
use crate::host::control::shape::config::{DiagnosticRow, NoteRow, Pairs, PlaceRow, ScopeRow, Spot, Value};
use convoy_core::config::{
    diagnostic::Diagnostic,
    draft::Literal,
    place::{Files, Place},
    session::show::View,
};

pub(crate) fn diagnostic(files: &Files, fault: &Diagnostic) -> DiagnosticRow {
    let at = fault.place.and_then(|place| files.position(place));
    let end = fault.place.and_then(|place| files.position(Place { start: place.end, ..place }));
    let note = |(at, text): &(Place, String)| Some(NoteRow { place: place(files, *at)?, text: text.clone() });
    DiagnosticRow {
        severity: fault.severity.word().into(),
        code: fault.code.into(),
        file: fault.place.and_then(|place| files.get(place.file)).map(|file| file.name.to_string()),
        line: at.map(|at| at.line),
        column: at.map(|at| at.column),
        end: end.map(|at| Spot { line: at.line, column: at.column }),
        message: fault.message.clone(),
        expected: fault.expected.clone(),
        help: fault.help.clone(),
        notes: fault.notes.iter().filter_map(note).collect(),
        included_from: fault
            .place
            .into_iter()
            .flat_map(|at| files.chain(at))
            .filter_map(|at| place(files, at))
            .collect(),
    }
}

pub(crate) fn place(files: &Files, place: Place) -> Option<PlaceRow> {
    let at = files.position(place)?;
    Some(PlaceRow { file: files.get(place.file)?.name.to_string(), line: at.line, column: at.column })
}

pub(crate) fn value(literal: &Literal) -> Value {
    match literal {
        Literal::Scalar(word) => Value::Word(word.clone()),
        Literal::Array(words) => Value::Array(words.clone()),
        Literal::Dictionary(pairs) => Value::Dictionary(Pairs(pairs.clone())),
    }
}

/// Returns a value as the core has it.
pub(crate) fn literal(value: &Value) -> Literal {
    match value {
        Value::Word(word) => Literal::Scalar(word.clone()),
        Value::Array(words) => Literal::Array(words.clone()),
        Value::Dictionary(pairs) => Literal::Dictionary(pairs.0.clone()),
    }
}

pub(crate) fn scope(view: &View) -> ScopeRow {
    let options = view.options.iter().map(|(name, literal)| (name.clone(), value(literal)));
    ScopeRow {
        name: view.step.as_ref().map(|step| step.name.clone()),
        instance: view.step.as_ref().and_then(|step| step.instance.clone()),
        options: (!view.closed).then(|| Pairs(options.collect())),
        scopes: (!view.closed).then(|| view.scopes.iter().map(scope).collect()),
    }
}
