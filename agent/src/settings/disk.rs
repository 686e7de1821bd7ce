//! Configuration files on this host: where they are searched, and how they are read.
//!
//! An absolute path is used as it is. Another one is searched in the directory of the including file, then along the search
//! path; the first match wins. Only regular files are read: a device or a pipe would never end.
//! Source: reference sections 1.7 and 1.8.
use super::{Environment, NodeName};
use convoy_core::{
    bounds,
    config::load::{Found, Missing, Name, Source},
};
use std::{
    collections::BTreeMap,
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

/// The host's file system as a source of configuration.
#[derive(Debug)]
pub struct Disk {
    main: PathBuf,
    search: Vec<PathBuf>,
    /// By identity: the path as it was found.
    paths: BTreeMap<String, PathBuf>,
    read: Vec<PathBuf>,
}

impl Disk {
    /// Returns the source for a main file; touches nothing yet.
    pub fn new(main: &Path, environment: &Environment) -> Self {
        Self {
            main: main.to_owned(),
            search: search_path(environment),
            paths: BTreeMap::new(),
            read: Vec::new(),
        }
    }

    /// Returns the files read so far.
    pub fn files(&self) -> Vec<PathBuf> {
        self.read.clone()
    }

    fn name(&mut self, path: &Path) -> Result<Name, Missing> {
        let canonical = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
        let identity = canonical.to_string_lossy().into_owned();
        self.paths.entry(identity.clone()).or_insert_with(|| path.to_owned());
        Ok(Name { shown: path.to_string_lossy().into_owned(), identity })
    }

    fn found(&mut self, path: &Path, kind: &fs::Metadata) -> Result<Found, Missing> {
        if kind.is_file() {
            return Ok(Found::File(self.name(path)?));
        }
        if !kind.is_dir() {
            let name = path.to_string_lossy().into_owned();
            return Err(Missing::Unreadable { name, reason: "it is neither a file nor a directory".into() });
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
            let entry = entry.map_err(|error| unreadable(path, &error))?;
            let last = entry.file_name().to_string_lossy().into_owned();
            let file = entry.path();
            let hidden = last.starts_with('.');
            if hidden || !fs::metadata(&file).is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            entries.push((last, self.name(&file)?));
            if entries.len() > bounds::CONFIG_DIRECTORY_NAMES_MAX {
                break;
            }
        }
        Ok(Found::Directory(entries))
    }

    /// Returns where to look for `argument`, in order.
    fn candidates(&self, including: Option<&Name>, argument: &str) -> Vec<PathBuf> {
        let Some(including) = including else { return vec![self.main.clone()] };
        if Path::new(argument).is_absolute() {
            return vec![argument.into()];
        }
        let own = self.paths.get(&including.identity).and_then(|path| path.parent());
        own.into_iter()
            .chain(self.search.iter().map(PathBuf::as_path))
            .map(|dir| dir.join(argument))
            .collect()
    }
}

impl Source for Disk {
    fn find(&mut self, including: Option<&Name>, argument: &str) -> Result<Found, Missing> {
        let plain = match including {
            Some(_) => without_scheme(argument)?,
            None => argument,
        };
        let candidates = self.candidates(including, plain);
        for path in &candidates {
            match fs::metadata(path) {
                Ok(kind) => return self.found(path, &kind),
                Err(error) if absent(&error) => {}
                Err(error) => return Err(unreadable(path, &error)),
            }
        }
        let searched = match candidates.as_slice() {
            [_] => Vec::new(),
            many => many.iter().filter_map(|path| path.parent()).map(shown_directory).collect(),
        };
        Err(Missing::Nowhere { argument: argument.into(), searched })
    }

    fn read(&mut self, name: &Name, bytes_max: usize) -> Result<Vec<u8>, Missing> {
        let path = self.paths.get(&name.identity).cloned().unwrap_or_else(|| PathBuf::from(&name.shown));
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        let file = fs::File::open(&path).map_err(|error| unreadable(&path, &error))?;
        file.take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(&path, &error))?;
        self.read.push(path);
        Ok(bytes)
    }

    /// A file is replaced by another one, so it is its directory that must be writable.
    fn writable(&mut self, name: &Name) -> bool {
        let directory = Path::new(&name.identity).parent();
        directory.is_some_and(|dir| rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok())
    }
}

/// Returns the search path with its placeholders filled in; elements whose placeholder has no legal value are left out.
fn search_path(environment: &Environment) -> Vec<PathBuf> {
    let path = environment.search_path.as_deref().unwrap_or(SEARCH_PATH);
    let node = NodeName::parse(environment.default_name().0).ok();
    let subcluster = environment.sub_cluster.as_deref().unwrap_or("default");
    let fill = |element: &str| {
        let element = element.replace("{SUBCLUSTER}", subcluster);
        match (&node, element.contains("{NODENAME}")) {
            (Some(node), true) => Some(element.replace("{NODENAME}", node)),
            (None, true) => None,
            (_, false) => Some(element),
        }
    };
    path.split(':').filter(|element| !element.is_empty()).filter_map(fill).map(PathBuf::from).collect()
}

fn without_scheme(argument: &str) -> Result<&str, Missing> {
    if let Some(path) = argument.strip_prefix("file://").or_else(|| argument.strip_prefix("file:")) {
        return Ok(path);
    }
    match argument.split_once(':') {
        Some((scheme, _)) if scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Err(Missing::Scheme { argument: argument.into(), scheme: scheme.into() })
        }
        _ => Ok(argument),
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unreadable(path: &Path, error: &io::Error) -> Missing {
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default().to_lowercase();
    Missing::Unreadable { name: path.to_string_lossy().into_owned(), reason }
}

fn shown_directory(directory: &Path) -> String {
    let text = directory.to_string_lossy();
    if text.is_empty() { ".".into() } else { text.into_owned() }
}

/// Source: reference section 1.8, the cluster's default.
const SEARCH_PATH: &str = "/opt/msys/ecelerity/etc:/opt/msys/ecelerity/etc/conf/global:\
/opt/msys/ecelerity/etc/conf/{NODENAME}:/opt/msys/ecelerity/etc/conf/default";
