//! Any bytes either load or give errors with places inside the file, and never panic.
#![no_main]
use convoy_core::config::{
    draft,
    load::{Found, Missing, Name, Source, load},
    parser,
    place::FileId,
    report::{Colour, Layout},
    schema::check,
};
use libfuzzer_sys::fuzz_target;

/// The bytes up to the first NUL are the main file, the next ones are `a`, `b` and `c`.
struct Files<'a>(Vec<&'a [u8]>);

impl Source for Files<'_> {
    fn find(&mut self, including: Option<&Name>, argument: &str) -> Result<Found, Missing> {
        let known = ["main", "a", "b", "c"].into_iter().take(self.0.len());
        match known.into_iter().find(|name| *name == argument || (including.is_none() && *name == "main")) {
            Some(name) => Ok(Found::File(Name { shown: name.into(), identity: name.into() })),
            None => Err(Missing::Nowhere { argument: argument.into(), searched: Vec::new() }),
        }
    }

    fn read(&mut self, name: &Name, bytes_max: usize) -> Result<Vec<u8>, Missing> {
        let index = ["main", "a", "b", "c"].iter().position(|known| *known == name.identity).unwrap_or(0);
        Ok(self.0[index].iter().copied().take(bytes_max + 1).collect())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut source = Files(bytes.splitn(4, |byte| *byte == 0).collect());
    let (config, mut diagnostics) = load(&mut source, "main");
    check(&config.scopes, &mut diagnostics);
    for diagnostic in &diagnostics {
        for place in diagnostic.place.into_iter().chain(diagnostic.notes.iter().map(|(place, _)| *place)) {
            let file = config.texts.files.get(place.file).expect("the file was loaded");
            assert!(file.text.get(place.range()).is_some());
        }
    }
    let layout = Layout { files: &config.texts.files, diagnostics: &diagnostics, colour: Colour::Never };
    assert!(!layout.to_string().contains('\x1b'));
    for (id, file) in config.texts.files.iter() {
        let tree = config.texts.tree(id).expect("every file has a tree");
        assert_eq!(tree.to_string(), *file.text);
        let (again, faults) = parser::parse(id, &file.text);
        assert_eq!(again.items(), tree.items());
        if faults.is_empty() && let Ok(written) = draft::print(&tree.items()) {
            let (tree, faults) = parser::parse(FileId::MAIN, &written.as_str().into());
            assert!(faults.is_empty());
            assert_eq!(tree.items(), again.items());
        }
    }
});
