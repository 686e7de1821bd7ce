//! docs/configuration: a page an area, and an index of all options.
use super::{
    CHAINS, Instance, OPTIONS, PAGES, Page, Row, ScopeRow, chain, departure, fallback, form, help, instance,
    kind, live, own_options, places, scope_name,
};
use alloc::{format, string::String, vec, vec::Vec};

/// Returns file name and text of every page.
pub fn pages() -> Vec<(String, String)> {
    let index = (String::from("options.md"), index_page());
    let areas = PAGES.iter().map(|page| (format!("{}.md", page.file), area(page)));
    core::iter::once(index).chain(areas).collect()
}

fn area(page: &Page) -> String {
    let head = format!(
        "# {}\n\n{}\n\nGenerated from the table of options; see [options.md](options.md) for the words used here.\n",
        page.title, page.about
    );
    if page.merged {
        return format!("{head}{}{}", scopes_table(page), merged_table(page));
    }
    page.scopes().map(section).fold(head, |text, section| text + &section)
}

/// A section for one scope.
fn section(scope: &ScopeRow) -> String {
    let (rows, shared) = own_options(scope);
    let mut text = vec![format!("\n## `{}{}`\n\n{}\n", scope.path, instance(scope), scope.help)];
    if let Some(form) = form(scope) {
        text.push(format!("The instance is {form}.\n"));
    }
    if let Some(shared) = shared {
        text.push(format!("\n{shared}\n"));
    }
    if rows.is_empty() {
        return text.concat();
    }
    text.push("\n| option | type | default | change | meaning |\n|---|---|---|---|---|\n".into());
    for row in &rows {
        text.push(format!(
            "| `{}` | {} | {} | {} | {} |\n",
            row.name,
            kind(row),
            default(row),
            live(row),
            help(row)
        ));
    }
    text.push(departures(&rows));
    text.concat()
}

fn scopes_table(page: &Page) -> String {
    let head = "\n## Scopes\n\n| scope | instance | what it is |\n|---|---|---|\n";
    page.scopes().fold(head.into(), |text, scope| {
        let what = form(scope).unwrap_or(if scope.instance == Instance::None { "none" } else { "a name" });
        text + &format!("| `{}` | {what} | {} |\n", scope_name(scope.path), scope.help)
    })
}

fn merged_table(page: &Page) -> String {
    let on_page = |row: &&Row| row.scopes.iter().any(|path| page.holds(path));
    let rows: Vec<_> = OPTIONS.iter().filter(on_page).collect();
    let mut text = vec![String::from(
        "\n## Options\n\n\
         *In* says in which scopes an option may stand: a name stands for the scope wherever it is nested. *Falls back* names \
         the chain of [options.md](options.md) along which an unset option is looked up.\n\n\
         | option | type | default | in | falls back | change | meaning |\n|---|---|---|---|---|---|---|\n",
    )];
    for row in &rows {
        let places: Vec<_> = places(row).into_iter().map(|place| format!("`{place}`")).collect();
        text.push(format!(
            "| `{}` | {} | {} | {} | {} | {} | {} |\n",
            row.name,
            kind(row),
            default(row),
            places.join(" "),
            fallback(row.fallback),
            live(row),
            help(row)
        ));
    }
    text.push(departures(&rows));
    text.concat()
}

fn departures(rows: &[&Row]) -> String {
    let lines: String = rows
        .iter()
        .filter_map(|row| {
            departure(row).map(|(what, why)| format!("* `{}`: {what}. Why: {why}.\n", row.name))
        })
        .collect();
    if lines.is_empty() { lines } else { format!("\nWhere Convoy departs from the reference:\n\n{lines}") }
}

fn default(row: &Row) -> String {
    row.default.map_or_else(|| "unset".into(), |default| format!("`{default}`"))
}

fn index_page() -> String {
    let mut text = vec![String::from(HEAD)];
    for page in PAGES {
        text.push(format!("| [{}]({}.md) | {} |\n", page.title, page.file, page.about));
    }
    text.push(CHAINS_HEAD.into());
    for (along, what) in CHAINS {
        text.push(format!("| {} | {} | {what} |\n", fallback(along), chain(along)));
    }
    text.push(INDEX_HEAD.into());
    let mut rows: Vec<_> = OPTIONS.iter().collect();
    rows.sort_by_key(|row| row.name.to_ascii_lowercase());
    for row in rows {
        let places: Vec<_> = places(row).into_iter().map(|place| format!("`{place}`")).collect();
        let Some(page) = Page::of(row) else { continue };
        text.push(format!(
            "| `{}` | {} | [{}]({}.md) |\n",
            row.name,
            places.join(" "),
            page.title,
            page.file
        ));
    }
    text.concat()
}

const HEAD: &str = "\
# Options

Generated from the files in `agent/core/src/config/schema/table`; a test compares. To write the pages again:

```
CONVOY_WRITE=1 cargo test -p convoy-core --test options_page
```

The language itself is described in [README.md](README.md). Times are seconds and may have a fraction, sizes are bytes;
there are no unit suffixes. *Change* says when a new value takes effect:

| change | meaning |
|---|---|
| reload | at once, on `reload` (SIGHUP) |
| restart | after a restart of `convoyd`; a reload warns |
| no effect yet | never: it is read and checked, but nothing in this version acts on it. A value other than the default is warned of |
| mail server's | it is the mail server that acts on it; Convoy reads and checks it, because the same files serve both |

| page | about |
|---|---|
";

const CHAINS_HEAD: &str = "
## Where a value comes from

An option that is not set in a scope is looked up further out; the first scope that sets it decides, and if none does, its
default. *Unset* is not the same as zero or empty. Options without a chain have their default.

| chain | scopes, most specific first | for |
|---|---|---|
";

const INDEX_HEAD: &str = "
## All options

| option | in | page |
|---|---|---|
";
