//! The JSON of the `config` family. Documented in docs/configuration/commands.md; fields are added, never renamed.
//!
//! The same shapes come from a daemon and from `convoy config --file`.
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use std::fmt;

/// A command, one line of JSON such as `{"ask":"config get","words":["cluster","nodename"]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", deny_unknown_fields)]
pub enum ConfigRequest {
    /// The value set exactly there.
    #[serde(rename = "config get")]
    Get(Words),
    /// The value in effect there.
    #[serde(rename = "config eval")]
    Eval(Words),
    /// Another value.
    #[serde(rename = "config set")]
    Set(Words),
    /// No value, or no scope.
    #[serde(rename = "config unset")]
    Unset(Words),
    /// What is set in one scope.
    #[serde(rename = "config show")]
    Show(Words),
    /// What is set in a scope and the scopes inside it.
    #[serde(rename = "config showrecurse")]
    ShowRecurse(Words),
    /// Where there are scopes of a name.
    #[serde(rename = "config locate")]
    Locate(Words),
    /// Keep changes aside from now on.
    #[serde(rename = "config begin")]
    Begin {
        /// Whether to begin with an empty configuration.
        #[serde(default)]
        scratch: bool,
        /// Name of the session.
        #[serde(default)]
        session: Option<String>,
    },
    /// Let the kept changes take effect.
    #[serde(rename = "config commit")]
    Commit(Own),
    /// Drop the kept changes.
    #[serde(rename = "config rollback")]
    Rollback(Own),
    /// Make the kept changes once more, on top of the present configuration.
    #[serde(rename = "config replay")]
    Replay(Own),
    /// Read the files anew.
    #[serde(rename = "config reload")]
    Reload(Path),
    /// Save the changes in the files.
    #[serde(rename = "config writeback")]
    Writeback(Path),
}

/// A command's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Scopes, an option, a value: what the command takes.
    #[serde(default)]
    pub words: Vec<String>,
    /// Name of the session, whose transaction is meant if it has one.
    #[serde(default)]
    pub session: Option<String>,
}

/// A command without words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Own {
    /// As above.
    #[serde(default)]
    pub session: Option<String>,
}

/// A command about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// Absolute path, if one is meant.
    #[serde(default)]
    pub path: Option<String>,
    /// As above.
    #[serde(default)]
    pub session: Option<String>,
}

impl ConfigRequest {
    /// Returns the session's name; empty for the one without a name.
    pub fn session(&self) -> &str {
        let session = match self {
            Self::Get(words)
            | Self::Eval(words)
            | Self::Set(words)
            | Self::Unset(words)
            | Self::Show(words)
            | Self::ShowRecurse(words)
            | Self::Locate(words) => &words.session,
            Self::Begin { session, .. } => session,
            Self::Commit(own) | Self::Rollback(own) | Self::Replay(own) => &own.session,
            Self::Reload(path) | Self::Writeback(path) => &path.session,
        };
        session.as_deref().unwrap_or_default()
    }

    /// Returns whether nothing changes, whatever the answer.
    pub fn only_reads(&self) -> bool {
        match self {
            Self::Get(_) | Self::Eval(_) | Self::Show(_) | Self::ShowRecurse(_) | Self::Locate(_) => true,
            Self::Set(_)
            | Self::Unset(_)
            | Self::Begin { .. }
            | Self::Commit(_)
            | Self::Rollback(_)
            | Self::Replay(_)
            | Self::Reload(_)
            | Self::Writeback(_) => false,
        }
    }
}

/// An answer to a [`ConfigRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ConfigAnswer {
    /// To `get`.
    Value(ConfigValue),
    /// To `eval`.
    Effective(ConfigEffective),
    /// To `set` and `unset`.
    Change(ConfigChange),
    /// To `show` and `showrecurse`.
    Show(ConfigShow),
    /// To `locate`.
    Located(ConfigLocated),
    /// To `begin`.
    Begun(ConfigBegun),
    /// To `commit`.
    Committed(ConfigCommitted),
    /// To `rollback`.
    RolledBack(ConfigRolledBack),
    /// To `replay`.
    Replayed(ConfigReplayed),
    /// To `reload`.
    Reloaded(ConfigReloaded),
    /// To `writeback`.
    Written(ConfigWritten),
}

/// A value: a word, an array, or a dictionary whose keys keep their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// One word.
    Word(String),
    /// `( a b )`
    Array(Vec<String>),
    /// `[ a = b ]`
    Dictionary(Pairs<String>),
}

/// A JSON object that keeps its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs<V>(pub Vec<(String, V)>);

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceRow {
    /// Its name, as the operator would write it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Answer to `config get`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigValue {
    /// The scope, such as `cluster::Replicate "inbound_cidr"`; `Global` outside all scopes.
    pub scope: String,
    /// Name of the option.
    pub option: String,
    /// What it is set to; none when it is not set there.
    pub value: Option<Value>,
    /// Where.
    pub place: Option<PlaceRow>,
}

/// Answer to `config eval`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigEffective {
    /// As asked.
    pub scope: String,
    /// Name of the option.
    pub option: String,
    /// The value in effect; none when no scope sets it and it has no default.
    pub value: Option<Value>,
    /// `set`, `default` or `unset`.
    pub from: String,
    /// The scope that sets it.
    pub set_in: Option<String>,
    /// The scope whose counter the limit is held against, where it is one that scopes share.
    pub shared: Option<String>,
    /// Where it is set.
    pub place: Option<PlaceRow>,
}

/// Answer to `config set` and `config unset`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// The scope.
    pub scope: String,
    /// Name of the option; none when the scope went as a whole.
    pub option: Option<String>,
    /// The value before, if it was set.
    pub before: Option<Value>,
    /// The value now, if it is set.
    pub value: Option<Value>,
    /// The files it belongs into; empty when it can be saved in none.
    pub files: Vec<String>,
    /// Number of the configuration in use; none while the change is kept in a transaction.
    pub generation: Option<u64>,
    /// Changes of the session's transaction, if it has one.
    pub transaction: Option<usize>,
    /// What takes effect after a restart only.
    pub restart: Vec<String>,
    /// What is doubtful and was not before.
    pub warnings: Vec<DiagnosticRow>,
}

/// Answer to `config show` and `config showrecurse`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigShow {
    /// As asked.
    pub scope: String,
    /// The scope; several when a name without an instance was asked for.
    pub scopes: Vec<ScopeRow>,
}

/// A scope and what is set in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeRow {
    /// Its name; none for the outermost.
    pub name: Option<String>,
    /// Its instance, if it has one.
    pub instance: Option<String>,
    /// Values by option; none where the scope is only named.
    pub options: Option<Pairs<Value>>,
    /// The scopes inside; none where the scope is only named.
    pub scopes: Option<Vec<ScopeRow>>,
}

/// Answer to `config locate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigLocated {
    /// Name of the scope.
    pub scope: String,
    /// Where there are such scopes.
    pub paths: Vec<LocatedRow>,
}

/// One scope that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocatedRow {
    /// Names and instances from the outermost scope, a `:` after each; colons in instances are escaped.
    pub path: String,
    /// Where it is opened first.
    pub place: Option<PlaceRow>,
}

/// Answer to `config begin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigBegun {
    /// Name of the session.
    pub session: String,
    /// The configuration it begins with.
    pub generation: u64,
    /// Whether it begins with an empty one.
    pub scratch: bool,
    /// Seconds without a command after which it is dropped.
    pub idle_s: u64,
}

/// Answer to `config commit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigCommitted {
    /// The configuration in use.
    pub generation: u64,
    /// Changes that took effect.
    pub changes: usize,
    /// As above.
    pub restart: Vec<String>,
    /// As above.
    pub warnings: Vec<DiagnosticRow>,
}

/// Answer to `config rollback`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRolledBack {
    /// Changes that were dropped.
    pub changes: usize,
}

/// Answer to `config replay`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReplayed {
    /// The configuration that the changes are on top of now.
    pub generation: u64,
    /// Their number.
    pub changes: usize,
}

/// Answer to `config reload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReloaded {
    /// The configuration in use.
    pub generation: u64,
    /// Its main file.
    pub file: String,
    /// Number of files.
    pub files: usize,
    /// Files whose unsaved changes were dropped.
    pub dropped: Vec<String>,
    /// As above.
    pub restart: Vec<String>,
    /// As above.
    pub warnings: Vec<DiagnosticRow>,
}

/// Answer to `config writeback`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigWritten {
    /// Files that were written.
    pub files: Vec<String>,
    /// What could be saved in no file, as it would stand in one.
    pub unsaved: Option<String>,
}

/// A fault of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosticRow {
    /// `error` or `warning`.
    pub severity: String,
    /// Stable name of the kind of fault.
    pub code: String,
    /// The file, as the operator would write it; none for a fault in no file.
    pub file: Option<String>,
    /// Line of the first character, from 1.
    pub line: Option<usize>,
    /// Its column, from 1.
    pub column: Option<usize>,
    /// The character after the last one.
    pub end: Option<Spot>,
    /// What is wrong.
    pub message: String,
    /// What was expected there.
    pub expected: Option<String>,
    /// What to do.
    pub help: Option<String>,
    /// Other places that explain it.
    pub notes: Vec<NoteRow>,
    /// The includes that brought the file, innermost first.
    pub included_from: Vec<PlaceRow>,
}

/// A line and a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

/// Another place that explains a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteRow {
    /// Where.
    #[serde(flatten)]
    pub place: PlaceRow,
    /// What is there.
    pub text: String,
}

/// What `convoy config check` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChecked {
    /// One for each file of the command line.
    pub files: Vec<CheckedRow>,
}

/// One checked configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedRow {
    /// Its main file.
    pub file: String,
    /// Whether it can be used.
    pub valid: bool,
    /// Number of errors.
    pub errors: usize,
    /// Number of warnings.
    pub warnings: usize,
    /// What was found; at most 64 errors and 128 warnings.
    pub diagnostics: Vec<DiagnosticRow>,
}

impl<V: Serialize> Serialize for Pairs<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader(std::marker::PhantomData))
    }
}

struct Reader<V>(std::marker::PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
    type Value = Pairs<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}
