//! Answers as XML: the same names and values as in JSON.
//!
//! ```text
//! <response command="cluster nodename">
//!   <nodename>mx1</nodename>                 a value; none is an empty element
//!   <members><item>...</item></members>      a list: an item for each
//! </response>
//! ```
use super::super::Failed;
use crate::host::control::client::ClientError;
use serde_json::Value;
use std::io::{self, Write};

/// Writes the daemon's line `answer` to `command`.
pub(super) fn write(command: &str, answer: &str, to: &mut impl Write) -> Result<(), Failed> {
    let value = serde_json::from_str(answer).map_err(ClientError::Unreadable)?;
    writeln!(to, "<response command=\"{}\">", escaped(command))?;
    children(&value, 1, to)?;
    writeln!(to, "</response>")?;
    Ok(())
}

fn children(value: &Value, depth: usize, to: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| element(name, value, depth, to)),
        Value::Array(items) => items.iter().try_for_each(|item| element("item", item, depth, to)),
        value => writeln!(to, "{:depth$}{}", "", scalar(value), depth = depth * 2),
    }
}

fn element(name: &str, value: &Value, depth: usize, to: &mut impl Write) -> io::Result<()> {
    let (indent, name) = (depth * 2, element_name(name));
    match value {
        Value::Object(_) | Value::Array(_) => {
            writeln!(to, "{:indent$}<{name}>", "")?;
            children(value, depth + 1, to)?;
            writeln!(to, "{:indent$}</{name}>", "")
        }
        value => writeln!(to, "{:indent$}<{name}>{}</{name}>", "", scalar(value)),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escaped(text),
        value => value.to_string(),
    }
}

/// Names of options and members may hold what names of elements may not.
fn element_name(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { name } else { format!("_{name}") }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            // XML 1.0 has no way to write the other control characters.
            letter if letter.is_control() && !matches!(letter, '\n' | '\t') => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn names_and_values_are_those_of_the_json() {
        let mut text = Vec::new();
        let answer = r#"{"name":"a<b","none":null,"list":[1,{"4 x":true}]}"#;
        write("xml \"x\"", answer, &mut text).unwrap();
        let expected = "<response command=\"xml &quot;x&quot;\">\n  <list>\n    <item>1</item>\n    <item>\n      \
                        <_4_x>true</_4_x>\n    </item>\n  </list>\n  <name>a&lt;b</name>\n  <none></none>\n</response>\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
