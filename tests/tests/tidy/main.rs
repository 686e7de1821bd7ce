//! House rules as tests: each reads the tracked files and names the place and the remedy.
//!
//! Every rule is a function from a [`tree::Tree`] to a list of complaints, run on the repository and on a bad
//! sample, so that a rule which stopped seeing anything fails too. What a compiler or clippy can say is left
//! to them. Rules that hold except for a few old places read them from `ratchet.txt`, which only shrinks.
#![cfg(test)]

mod floors;
mod length;
mod licences;
mod links;
mod manifests;
mod marks;
mod reach;
mod scan;
mod text;
mod tree;
mod unsafety;

/// Fails with every complaint of a rule on the repository, one a line.
#[track_caller]
fn clean(rule: fn(&tree::Tree) -> Vec<String>) {
    let tree = tree::Tree::of_repository();
    assert!(tree.files.len() > 10, "the list of tracked files is wrong: {:?}", tree.paths());
    let complaints = rule(&tree);
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// Fails unless the rule complains exactly about these places (prefixes of its complaints) in a sample.
#[track_caller]
fn complains(rule: fn(&tree::Tree) -> Vec<String>, sample: &[(&str, &str)], expected: &[&str]) {
    let complaints = rule(&tree::Tree::of_sample(sample));
    let met = complaints.len() == expected.len()
        && complaints.iter().zip(expected).all(|(complaint, prefix)| complaint.starts_with(prefix));
    assert!(met, "expected complaints that start with {expected:#?}, got {complaints:#?}");
}
