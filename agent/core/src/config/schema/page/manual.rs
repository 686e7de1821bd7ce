//! dist/man/convoy.conf.5, in the macros of man(7).
use super::{
    CHAINS, Fallback, Live, PAGES, Row, ScopeRow, departure, fallback, help, instance, kind, own_options,
    places, scope_name,
};
use alloc::{format, string::String, vec, vec::Vec};

/// Returns the manual page.
pub fn manual() -> String {
    let mut text = vec![String::from(HEAD)];
    for page in PAGES {
        text.push(format!(".SH {}\n{}\n", roff(&page.title.to_uppercase()), roff(page.about)));
        for scope in page.scopes() {
            section(scope, &mut text);
        }
    }
    text.push(FALLBACK.into());
    for (chain, what) in CHAINS {
        text.push(format!(
            ".TP\n.B {}\n{}\n.br\n{}\n",
            roff(fallback(chain)),
            roff(&super::chain(chain)),
            roff(what)
        ));
    }
    text.push(TAIL.into());
    text.concat()
}

fn section(scope: &ScopeRow, text: &mut Vec<String>) {
    let (rows, shared) = own_options(scope);
    // An option that stands in many scopes is described once, in the first of them.
    let (rows, elsewhere): (Vec<&Row>, Vec<&Row>) =
        rows.into_iter().partition(|row: &&Row| row.scopes.first() == Some(&scope.path));
    text.push(format!(
        ".SS \"{}{}\"\n{}\n",
        roff(scope_name(scope.path)),
        quoted(&instance(scope)),
        roff(scope.help)
    ));
    if let Some(shared) = shared {
        text.push(format!("{}\n", roff(&shared)));
    }
    if !elsewhere.is_empty() {
        let names: Vec<_> =
            elsewhere.iter().map(|row| format!("{} ({})", row.name, scope_name(row.scopes[0]))).collect();
        text.push(format!("Also, as described elsewhere: {}.\n", roff(&names.join(", "))));
    }
    for row in rows {
        option(row, text);
    }
}

fn option(row: &Row, text: &mut Vec<String>) {
    let default = row.default.map_or_else(|| "unset".into(), |default| format!("default {default}"));
    text.push(format!(
        ".TP\n.BR {} \" ({}; {})\"\n",
        roff(row.name),
        roff(&kind(row).replace('`', "")),
        quoted(&default)
    ));
    text.push(format!("{}\n", roff(&help(row))));
    let change = match row.live {
        Live::Yes => "A change takes effect on reload.",
        Live::Restart => "A change takes effect after a restart.",
        Live::NoEffect => "Nothing in this version acts on it.",
        Live::Mta => "The mail server acts on it.",
    };
    text.push(format!("{change}\n"));
    if row.fallback != Fallback::None {
        text.push(format!("Falls back: {}.\n", fallback(row.fallback)));
    }
    if row.scopes.len() > 1 {
        text.push(format!("In: {}.\n", roff(&places(row).join(", "))));
    }
    if let Some((what, why)) = departure(row) {
        text.push(format!("Departs from the reference: {}, because {}.\n", roff(&what), roff(why)));
    }
}

/// Escapes what roff would take for itself.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('`', "\\(ga").replace('\'', "\\(aq");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

/// The same within a macro's argument in double quotes.
fn quoted(text: &str) -> String {
    roff(text).replace('"', "\\(dq")
}

const HEAD: &str = ".\\\" Generated from the table of options; see docs/configuration/options.md.
.TH convoy.conf 5 \"\" Convoy Convoy
.SH NAME
convoy.conf, ecelerity\\-cluster.conf, eccluster.conf, msgc_server.conf \\- configuration of convoyd
.SH DESCRIPTION
One language for all files:
.BR \"name = value\" ,
arrays in ( ), dictionaries in [ ], scopes in { } that may have an instance,
.BR include ,
and comments after # or between /* and */.
Names are compared without case.
Times are seconds and may have a fraction, sizes are bytes; there are no unit suffixes.
What belongs to the mail server is read, kept and passed over.
.PP
.B convoyd \\-\\-check \\-\\-config
.I FILE
says what is wrong with a file and does nothing else.
";

const FALLBACK: &str = ".SH FALLBACK
An option that is not set is looked up further out.
The first scope that sets it decides, else its default.
";

const TAIL: &str = ".SH SEE ALSO
.BR convoy (1)
";
