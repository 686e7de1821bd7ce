//! Any bytes either load or give errors with places inside the file, and never panic; and whatever loaded can be asked what
//! is in effect anywhere, also through the regular expressions it holds, in bounded time.
#![no_main]
use convoy_core::config::{
    boot, draft,
    effective::{From, Lookup, Step, evaluate},
    load::{Found, Missing, Name, Source, load},
    parser,
    place::FileId,
    report::{Colour, Layout},
    schema::check,
    scopes::{Scope, Scopes, Setting},
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
        if faults.is_empty()
            && let Ok(written) = draft::print(&tree.items())
        {
            let (tree, faults) = parser::parse(FileId::MAIN, &written.as_str().into());
            assert!(faults.is_empty());
            assert_eq!(tree.items(), again.items());
        }
    }
    for name in [&b"x.example.com"[..], bytes] {
        ask(&config.scopes, &String::from_utf8_lossy(name));
    }
    let (_, faults) = boot::parse(FileId::MAIN, &String::from_utf8_lossy(bytes));
    let text = String::from_utf8_lossy(bytes);
    assert!(faults.iter().all(|fault| text.get(fault.place.expect("it has one").range()).is_some()));
});

/// Asks every scope for each of its options, and the same for a name that an expression may stand for.
fn ask(scopes: &Scopes, name: &str) {
    let mut path = Vec::new();
    let mut left = ASKED_MAX;
    below(scopes, scopes.root(), &mut path, name, &mut left);
}

fn below(scopes: &Scopes, scope: Scope<'_>, path: &mut Vec<Step>, name: &str, left: &mut usize) {
    for option in scope.options().map(|setting| setting.name().into_owned()).chain(["nodename".into()]) {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let answer = evaluate(scopes, path, &option);
        if let From::Set { scope, setting } = answer.from {
            assert_eq!(scope.option(&option).map(Setting::place), Some(setting.place()));
        }
        for kind in ["Domain", "Host", "Peer"] {
            let at: Vec<_> = path.iter().map(|step| (step.name.as_str(), step.instance.as_deref())).collect();
            let at: Vec<_> = at.into_iter().chain([(kind, Some(name))]).collect();
            let _answer = Lookup::new(scopes, &option).at(&at);
        }
    }
    for inner in scope.scopes() {
        path.push(Step { name: inner.name().into(), instance: inner.instance().map(Into::into) });
        below(scopes, inner, path, name, left);
        path.pop();
    }
}

/// Questions about one input; the time of one is what is bounded.
const ASKED_MAX: usize = 200;
