//! Rules of Cargo.toml files: every member is one, inherits what the workspace decides, and knows its floor.
use crate::tree::{File, Tree};

/// Keys of `[package]` that the workspace decides for every member.
const INHERITED: [&str; 5] = ["version", "edition", "license", "publish", "rust-version"];

/// What a crate may depend on among our own, and what it must not have at all: (member, ours, never).
const FLOORS: [(&str, &[&str], &[&str]); 3] = [
    ("common", &[], &["aya", "libc", "rustix", "tokio", "tokio-uring", "tracing", "anyhow"]),
    (
        "agent/core",
        &["convoy-common"],
        &["aya", "libc", "rustix", "tokio", "tokio-uring", "tracing", "anyhow", "rand"],
    ),
    ("agent", &["convoy-common", "convoy-core"], &[]),
];

/// Every member exists and every manifest is a member or excluded by name.
fn members_and_manifests_agree(tree: &Tree) -> Vec<String> {
    let Some(root) = tree.file("Cargo.toml") else {
        return vec!["Cargo.toml: there is none".to_owned()];
    };
    let (members, excluded) = (list(&root.text, "members"), list(&root.text, "exclude"));
    let manifest = |member: &String| format!("{member}/Cargo.toml");
    let gone = members
        .iter()
        .filter(|member| tree.file(&manifest(member)).is_none())
        .map(|member| format!("Cargo.toml: member {member} has no manifest"));
    let strays = manifests(tree)
        .filter(|file| !members.iter().chain(&excluded).any(|known| known == file.dir()))
        .map(|file| format!("{}: neither a member of the workspace nor excluded from it", file.path));
    gone.chain(strays).collect()
}

/// Every member takes lints, version, edition, licence and compiler from the workspace.
fn members_inherit_what_the_workspace_decides(tree: &Tree) -> Vec<String> {
    let members = tree.file("Cargo.toml").map_or_else(Vec::new, |root| list(&root.text, "members"));
    let mut complaints = Vec::new();
    for file in manifests(tree).filter(|file| members.iter().any(|member| member == file.dir())) {
        if !section(&file.text, "lints").any(|line| line == "workspace = true") {
            complaints.push(format!("{}: lacks `[lints] workspace = true`", file.path));
        }
        for key in INHERITED {
            let inherited = format!("{key}.workspace = true");
            if !section(&file.text, "package").any(|line| line == inherited) {
                complaints.push(format!("{}: lacks `{inherited}` in [package]", file.path));
            }
        }
    }
    complaints
}

/// Crates of a low floor depend on nothing from a higher one and on nothing that does I/O.
fn crates_depend_on_lower_floors_only(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (member, ours, never) in FLOORS {
        let path = format!("{member}/Cargo.toml");
        let Some(file) = tree.file(&path) else { continue };
        for line in section(&file.text, "dependencies") {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if name.starts_with("convoy-") && !ours.contains(&name) {
                complaints.push(format!("{path}: depends on {name}, which is not below it"));
            }
            if never.contains(&name) {
                complaints.push(format!("{path}: depends on {name}, which does not belong on its floor"));
            }
        }
    }
    complaints
}

/// Manifests below the root.
fn manifests(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml"))
}

/// Strings of the array `key = [ ... ]`, which may span lines and carry comments.
pub(crate) fn list(text: &str, key: &str) -> Vec<String> {
    let start = format!("{key} = [");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&start)).peekable();
    let mut strings = Vec::new();
    while let Some(line) = lines.next() {
        let line = line.split('#').next().unwrap_or_default();
        strings.extend(line.split('"').skip(1).step_by(2).map(str::to_owned));
        if line.contains(']') || lines.peek().is_none() {
            break;
        }
    }
    strings
}

/// Lines of `[name]`, trimmed, without comments and blank ones.
fn section<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let head = format!("[{name}]");
    text.lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
        .skip_while(move |line| *line != head)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clean, complains};

    const ROOT: (&str, &str) =
        ("Cargo.toml", "[workspace]\nmembers = [\n    \"agent/core\", # floor\n]\nexclude = [\"ebpf\"]\n");
    const GOOD: &str = "[package]\nversion.workspace = true\nedition.workspace = true\nlicense.workspace = true\n\
        publish.workspace = true\nrust-version.workspace = true\n[dependencies]\nconvoy-common.workspace = true\n\
        [dev-dependencies]\nanyhow = \"1\"\n[lints]\nworkspace = true\n";

    #[test]
    fn every_member_exists_and_every_manifest_is_a_member() {
        clean(members_and_manifests_agree);
        complains(
            members_and_manifests_agree,
            &[ROOT, ("agent/core/Cargo.toml", GOOD), ("ebpf/Cargo.toml", "")],
            &[],
        );
        complains(
            members_and_manifests_agree,
            &[ROOT, ("stray/Cargo.toml", GOOD)],
            &["Cargo.toml: member agent/core", "stray/"],
        );
    }

    #[test]
    fn every_member_inherits_lints_and_package_keys() {
        clean(members_inherit_what_the_workspace_decides);
        complains(members_inherit_what_the_workspace_decides, &[ROOT, ("agent/core/Cargo.toml", GOOD)], &[]);
        let bad = GOOD
            .replace("[lints]\nworkspace = true", "")
            .replace("license.workspace = true", "license = \"X\"");
        complains(
            members_inherit_what_the_workspace_decides,
            &[ROOT, ("agent/core/Cargo.toml", &bad)],
            &["agent/core/Cargo.toml: lacks `[lints]", "agent/core/Cargo.toml: lacks `license."],
        );
    }

    #[test]
    fn no_crate_depends_on_a_higher_floor() {
        clean(crates_depend_on_lower_floors_only);
        let bad =
            GOOD.replace("[dependencies]", "[dependencies]\nconvoy-agent.workspace = true\ntokio = \"1\"");
        complains(
            crates_depend_on_lower_floors_only,
            &[("agent/core/Cargo.toml", &bad)],
            &["agent/core/Cargo.toml: depends on convoy-agent", "agent/core/Cargo.toml: depends on tokio"],
        );
    }
}
