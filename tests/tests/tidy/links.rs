//! Relative links of Markdown files lead to tracked files.
use crate::tree::Tree;

fn relative_links_resolve(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.has_extension("md")) {
        for (line, target) in links(&file.text) {
            let path = target.split('#').next().unwrap_or_default();
            let outside = path.contains("://") || path.starts_with("mailto:");
            if !outside && !resolve(file.dir(), path).is_some_and(|path| tree.holds(&path)) {
                complaints.push(format!("{}:{line}: link to {target} leads nowhere", file.path));
            }
        }
    }
    complaints
}

/// Line and target of every `](target)` outside code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Odd pieces between backticks are code.
        for piece in line.split('`').step_by(2) {
            let targets = piece.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            found.extend(targets.filter(|target| !target.is_empty()).map(|target| (index + 1, target)));
        }
    }
    found
}

/// Joins a directory and a relative path; `None` when it climbs out of the repository.
fn resolve(dir: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    if path.is_empty() {
        return Some(dir.to_owned());
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[test]
fn links_in_markdown_lead_somewhere() {
    crate::clean(relative_links_resolve);
    crate::complains(
        relative_links_resolve,
        &[
            (
                "README.md",
                "[a](docs/a.md#x) [b](docs/gone.md) `[c](gone)` [d](#here)\n```\n[e](gone)\n```\n[f](../x)",
            ),
            ("docs/a.md", "[up](../README.md) [dir](..) [web](https://example.org/gone) [g](b.md)"),
        ],
        &["README.md:1: link to docs/gone.md", "README.md:5: link to ../x", "docs/a.md:1: link to b.md"],
    );
}
