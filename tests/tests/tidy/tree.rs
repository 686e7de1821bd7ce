//! The tracked files of the repository, or a made-up handful of them for a rule's own test.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// One tracked text file. Binary files are not here.
#[derive(Debug)]
pub(crate) struct File {
    /// Path from the root of the repository, with forward slashes.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
    /// Whether its owner may execute it.
    pub(crate) executable: bool,
}

impl File {
    /// Whether this is Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    /// Whether the name ends in a dot and `extension`.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        has_extension(&self.path, extension)
    }

    /// Returns the directory the file is in, empty for the root.
    pub(crate) fn dir(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(dir, _)| dir)
    }

    /// Whether the file holds nothing but tests: a `tests.rs`, or anything below a directory `tests`.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.split('/').any(|part| part == "tests")
    }
}

/// All tracked text files, ordered by path.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The files, ordered by path.
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads the repository this test was built from: what git tracks or would, else every file below the root.
    pub(crate) fn of_repository() -> Self {
        let root = root();
        let mut paths = tracked(&root).unwrap_or_else(|| walked(&root));
        paths.sort();
        paths.dedup();
        let files = paths.into_iter().filter_map(|path| read(&root, path)).collect();
        Self { files }
    }

    /// Returns a tree of the given paths and texts. Files that start with `#!` are executable.
    pub(crate) fn of_sample(sample: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File {
            path: path.to_owned(),
            text: text.to_owned(),
            executable: text.starts_with("#!/"),
        };
        Self { files: sample.iter().map(file).collect() }
    }

    /// Returns the file at `path`.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether `path` is a tracked file or a directory with one.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let dir = format!("{path}/");
        path.is_empty() || self.files.iter().any(|file| file.path == path || file.path.starts_with(&dir))
    }

    /// Returns all Rust sources.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// Returns every path, for messages.
    pub(crate) fn paths(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.path.as_str()).collect()
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the tests are a member below the root").to_owned()
}

/// What git tracks, and what it would track if it were added; `None` without git or outside a work tree.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let list = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()?;
    let text = String::from_utf8(list.stdout).ok()?;
    let paths: Vec<_> = text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    (list.status.success() && !paths.is_empty()).then_some(paths)
}

/// Every file below the root except build output and version control.
fn walked(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("a directory of the tree is readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                if !matches!(entry.file_name().to_str(), Some("target" | ".git")) {
                    dirs.push(path);
                }
            } else if let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str) {
                paths.push(path.to_owned());
            }
        }
    }
    paths
}

/// Reads one file; `None` when it is gone, a link, or not text.
fn read(root: &Path, path: String) -> Option<File> {
    use std::os::unix::fs::PermissionsExt as _;
    let full = root.join(&path);
    let metadata = fs::symlink_metadata(&full).ok().filter(fs::Metadata::is_file)?;
    let text = String::from_utf8(fs::read(full).ok()?).ok()?;
    Some(File { path, text, executable: metadata.permissions().mode() & 0o100 != 0 })
}

#[test]
fn walking_finds_the_same_sources_as_git() {
    let root = root();
    let Some(tracked) = tracked(&root) else {
        eprintln!("SKIP tidy: no git here, nothing to compare the walk with");
        return;
    };
    let walked = walked(&root);
    let rust = |path: &&String| has_extension(path, "rs") && root.join(path.as_str()).is_file();
    let unwalked: Vec<_> = tracked.iter().filter(rust).filter(|path| !walked.contains(path)).collect();
    assert!(unwalked.is_empty(), "git knows of {unwalked:?}");
}
