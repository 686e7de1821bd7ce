//! `config writeback`: the files in use onto the disk.
use super::{Console, denied};
use crate::{
    host::control::shape::{
        Failure,
        config::{ConfigAnswer, ConfigWritten},
    },
    settings::write,
};
use convoy_core::{
    config::session::{Session, show},
    time::Instant,
};
use std::path::Path;

impl Console {
    /// Saves every file that differs; with a path, everything in one file instead.
    pub(super) fn writeback(
        &mut self,
        path: Option<&str>,
        session: &Session,
        now: Instant,
    ) -> Result<ConfigAnswer, Failure> {
        match path {
            Some(path) => self.save_as(path, session, now),
            None => self.save(session, now),
        }
    }

    fn save(&mut self, session: &Session, now: Instant) -> Result<ConfigAnswer, Failure> {
        self.sessions.outside(session, now).map_err(denied)?;
        let mut files = Vec::new();
        for unsaved in self.sessions.unsaved() {
            let written =
                write::replace(Path::new(&unsaved.identity), unsaved.before.as_deref(), &unsaved.text);
            if let Err(error) = written {
                let so_far = match files.as_slice() {
                    [] => "nothing was written".to_owned(),
                    files => format!("written before that: {}", files.join(", ")),
                };
                return Err(Failure::new(format!("{error}; {so_far}")));
            }
            self.sessions.saved(&unsaved);
            files.push(unsaved.shown);
        }
        let unsaved = self.sessions.current().snapshot.homeless().map(ToString::to_string);
        Ok(ConfigAnswer::Written(ConfigWritten { files, unsaved }))
    }

    /// Writes what the session sees.
    fn save_as(&mut self, path: &str, session: &Session, now: Instant) -> Result<ConfigAnswer, Failure> {
        if !Path::new(path).is_absolute() {
            return Err(Failure::new(format!("{path} is not an absolute path")));
        }
        let (seen, _) = self.sessions.view(session, now).map_err(denied)?;
        let text = show::flattened(&seen.config.scopes).map_err(|error| Failure::new(error.to_string()))?;
        let mine = seen.config.texts.files.iter().any(|(_, file)| *file.name == *path);
        if mine {
            let why =
                "is part of the configuration in use; `convoy config writeback` without a path saves it";
            return Err(Failure::new(format!("{path} {why}")));
        }
        write::put(Path::new(path), &text).map_err(|error| {
            Failure::new(format!("cannot write {path}: {error}; name a directory that can be written"))
        })?;
        Ok(ConfigAnswer::Written(ConfigWritten { files: vec![path.into()], unsaved: None }))
    }
}
