//! The commands that only look: `get`, `eval`, `show`, `showrecurse` and `locate`.
use crate::{
    host::control::shape::{
        Failure,
        config::{
            ConfigAnswer, ConfigEffective, ConfigLocated, ConfigRequest, ConfigShow, ConfigValue, LocatedRow,
            Words,
        },
    },
    settings::rows,
};
use convoy_core::config::{
    draft::{Item, Literal},
    effective::{self, From},
    load::Config,
    parser,
    pattern::Pattern,
    place::FileId,
    schema,
    scopes::{Scope, Setting},
    session::{
        address::{self, Address, Step},
        change,
        show::{self, View},
    },
};

/// Answers a question about a configuration.
pub(super) fn answer(config: &Config, request: &ConfigRequest) -> Result<ConfigAnswer, Failure> {
    match request {
        ConfigRequest::Get(words) => get(config, words).map(ConfigAnswer::Value),
        ConfigRequest::Eval(words) => eval(config, words).map(ConfigAnswer::Effective),
        ConfigRequest::Show(words) => show(config, words, false).map(ConfigAnswer::Show),
        ConfigRequest::ShowRecurse(words) => show(config, words, true).map(ConfigAnswer::Show),
        ConfigRequest::Locate(words) => locate(config, words).map(ConfigAnswer::Located),
        ConfigRequest::Set(_)
        | ConfigRequest::Unset(_)
        | ConfigRequest::Begin { .. }
        | ConfigRequest::Commit(_)
        | ConfigRequest::Rollback(_)
        | ConfigRequest::Replay(_)
        | ConfigRequest::Reload(_)
        | ConfigRequest::Writeback(_) => Err(Failure::new("this command changes something")),
    }
}

fn get(config: &Config, words: &Words) -> Result<ConfigValue, Failure> {
    let (scope, option) =
        Address::option(&words.words, &config.scopes).map_err(|bad| Failure::new(bad.to_string()))?;
    let setting = change::setting(config, &scope, &option);
    Ok(ConfigValue {
        scope: address::name(&scope),
        option: canonical(&scope, option),
        value: setting.map(|setting| rows::value(&change::literal(setting))),
        place: setting.and_then(|setting| rows::place(&config.texts.files, setting.place())),
    })
}

fn eval(config: &Config, words: &Words) -> Result<ConfigEffective, Failure> {
    let (scope, option) =
        Address::option(&words.words, &config.scopes).map_err(|bad| Failure::new(bad.to_string()))?;
    let found = effective::evaluate(&config.scopes, &scope, &option);
    let mut answer = ConfigEffective {
        scope: address::name(&scope),
        option: canonical(&scope, option),
        value: None,
        from: "unset".into(),
        set_in: None,
        shared: found.shared.map(|scope| full_name(config, scope)),
        place: None,
    };
    match found.from {
        From::Set { scope, setting } => {
            answer.from = "set".into();
            answer.value = Some(rows::value(&change::literal(setting)));
            answer.set_in = Some(full_name(config, scope));
            answer.place = rows::place(&config.texts.files, setting.place());
        }
        From::Default(text) => {
            answer.from = "default".into();
            answer.value = default_value(text).as_ref().map(rows::value);
        }
        From::Unset => {}
    }
    Ok(answer)
}

fn show(config: &Config, words: &Words, recursive: bool) -> Result<ConfigShow, Failure> {
    let (address, option) =
        Address::scope(&words.words, &config.scopes).map_err(|bad| Failure::new(bad.to_string()))?;
    let name = address::name(&address.scope);
    let found = address::find(&config.scopes, &address.scope);
    if let Some(every) = &address.every {
        let scopes: Vec<_> = found.into_iter().flat_map(|scope| scope.instances(every)).collect();
        let rows = scopes.into_iter().map(|scope| rows::scope(&show::view(scope, &config.scopes, recursive)));
        let inside = if address.scope.is_empty() { every.clone() } else { format!("{name}::{every}") };
        return Ok(ConfigShow { scope: inside, scopes: rows.collect() });
    }
    let Some(scope) = found else {
        let known = schema::scope(&address::path(&address.scope)).is_some();
        let what = if known { "is nowhere in the configuration" } else { "is unknown" };
        return Err(Failure::new(format!("scope '{name}' {what}; see: convoy config show")));
    };
    let mut view = show::view(scope, &config.scopes, recursive);
    if let Some(option) = option {
        view = only(view, &option).ok_or_else(|| not_set(config, &address.scope, &option))?;
    }
    Ok(ConfigShow { scope: name, scopes: vec![rows::scope(&view)] })
}

/// Returns the view with one option and nothing else.
fn only(mut view: View, option: &str) -> Option<View> {
    view.options.retain(|(name, _)| name.eq_ignore_ascii_case(option));
    view.scopes.clear();
    (!view.options.is_empty()).then_some(view)
}

fn locate(config: &Config, words: &Words) -> Result<ConfigLocated, Failure> {
    let (name, pattern) = match words.words.as_slice() {
        [name] => (name, None),
        [name, pattern] => (name, Some(pattern)),
        _ => {
            return Err(Failure::new(
                "name a scope, and an expression for its instance if you like: locate Listen '^127'",
            ));
        }
    };
    let pattern = pattern.map(String::as_str).map(compile).transpose()?;
    let mut matches = |instance: &str| pattern.as_ref().is_none_or(|pattern| pattern.matches(instance));
    let found = show::locate(&config.scopes, name, &mut matches);
    let row = |(path, scope): (String, Scope<'_>)| LocatedRow {
        path,
        place: scope.place().and_then(|place| rows::place(&config.texts.files, place)),
    };
    Ok(ConfigLocated { scope: name.clone(), paths: found.into_iter().map(row).collect() })
}

fn compile(text: &str) -> Result<Pattern, Failure> {
    Pattern::new(text).map_err(|error| Failure::new(error.to_string()))
}

/// The documented words for an option that is not there, and what was probably meant.
fn not_set(config: &Config, scope: &[Step], option: &str) -> Failure {
    let not_set = format!("Option '{option}' is not set in scope '{}'.", address::name(scope));
    let path = address::path(scope);
    let known = schema::OPTIONS.iter().filter(|row| row.is_in(&path)).map(|row| row.name);
    let inside = address::find(&config.scopes, scope);
    let set: Vec<_> = inside.into_iter().flat_map(Scope::options).map(Setting::name).collect();
    let nearest = match schema::option(&path, option) {
        Some(_) => None,
        None => schema::nearest(option, known.chain(set.iter().map(AsRef::as_ref))),
    };
    Failure::new(nearest.map_or(not_set.clone(), |nearest| format!("{not_set} Did you mean '{nearest}'?")))
}

fn canonical(scope: &[Step], option: String) -> String {
    schema::option(&address::path(scope), &option).map_or(option, |row| row.name.into())
}

fn full_name(config: &Config, scope: Scope<'_>) -> String {
    let steps = std::iter::successors(Some(scope), |scope| scope.parent())
        .filter(|scope| scope.parent().is_some())
        .map(|scope| Step {
            name: address::written_name(scope, &config.scopes),
            instance: scope.instance().map(String::from),
        });
    let mut steps: Vec<_> = steps.collect();
    steps.reverse();
    address::name(&steps)
}

/// Reads a default as it is written in the table.
fn default_value(text: &str) -> Option<Literal> {
    let (tree, _) = parser::parse(FileId::MAIN, &format!("default = {text}").as_str().into());
    match tree.items().pop()? {
        Item::Assign { value, .. } => Some(value),
        Item::Scope { .. } | Item::Include { .. } => None,
    }
}
