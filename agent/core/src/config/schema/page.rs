//! docs/configuration/options.md, written from the table.
use super::{
    Instance, Kind, Level, Live, OPTIONS, Origin, Row, SCOPES, ScopeRow, Shape,
    read::{ranges_text, seconds_text},
};
use alloc::{format, string::String, vec::Vec};

/// Returns the whole page as Markdown.
pub fn page() -> String {
    SCOPES.iter().map(section).fold(HEAD.into(), |page: String, section| page + &section)
}

fn section(scope: &ScopeRow) -> String {
    let instance = match scope.instance {
        Instance::None => String::new(),
        Instance::Named(what) => format!(" \"{what}\""),
    };
    let head = format!("\n## `{}{instance}`\n\n{}\n", scope.path, scope.help);
    let rows: Vec<_> = OPTIONS.iter().filter(|row| row.is_in(scope.path)).collect();
    if rows.is_empty() {
        return head;
    }
    if let Some(outer) = rows.iter().find_map(|row| row.scopes.first().filter(|outer| **outer != scope.path))
    {
        return format!("{head}\nThe options of `{outer}`; what is not set here is taken from there.\n");
    }
    let lines: String = rows.iter().map(|row| line(row)).collect();
    let changed: String = rows.iter().filter_map(|row| departure(row)).collect();
    let table =
        format!("{head}\n| option | type | default | change | meaning |\n|---|---|---|---|---|\n{lines}");
    if changed.is_empty() {
        table
    } else {
        format!("{table}\nWhere Convoy departs from the reference:\n\n{changed}")
    }
}

fn line(row: &Row) -> String {
    let default = row.default.map_or_else(|| "unset".into(), |default| format!("`{default}`"));
    let ours = if row.origin == Origin::Ours { " (Convoy's own option.)" } else { "" };
    let live = match row.live {
        Live::Yes => "reload",
        Live::Restart => "restart",
        Live::NoEffect => "no effect yet",
        Live::Mta => "by the mail server",
    };
    format!("| `{}` | {} | {default} | {live} | {}{ours} |\n", row.name, kind(row), row.help)
}

fn departure(row: &Row) -> Option<String> {
    let Origin::Changed { reference, why } = row.origin else { return None };
    Some(format!(
        "* `{}`: {} instead of {reference}. Why: {why}.\n",
        row.name,
        row.default.unwrap_or("unset")
    ))
}

fn kind(row: &Row) -> String {
    let one = match row.kind {
        Kind::Text => "text".into(),
        Kind::Name => format!("text, 1 to {} bytes", crate::bounds::NAME_BYTES_MAX),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::Bool => "boolean".into(),
        Kind::Int(ranges) => format!("whole number, {}", ranges_text(ranges)),
        Kind::Seconds(min, max) => format!("time, {}", seconds_text(min, max)),
        Kind::Permissions => "file mode".into(),
        Kind::Ip => "IP address".into(),
        Kind::Endpoint => "address and port".into(),
        Kind::Level => format!("debug level, {}", Level::ALL.map(|(_, name)| name).join(", ")),
        Kind::List => "words separated by `;`".into(),
    };
    match row.shape {
        Shape::One => one,
        Shape::Array => format!("array: {one}"),
        Shape::Dictionary => format!("dictionary: name to {one}"),
    }
}

const HEAD: &str = "\
# Options

Generated from `agent/core/src/config/schema/table.rs`; a test compares. To write it again:

```
CONVOY_WRITE=1 cargo test -p convoy-core --test options_page
```

The language itself is described in [README.md](README.md). *Change* says when a new value takes effect: on `reload`
(SIGHUP), after a `restart`, or never because nothing in this version acts on the option. Times are seconds and may have a
fraction, sizes are bytes; there are no unit suffixes.
";
