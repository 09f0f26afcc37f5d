//! Texts with holes: `CN=$request.req_subject_name.cn$,O=Example`.

/// A text in which `$request.NAME$` stands for what the request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `$request.NAME$`.
    Request(String),
    /// `$server.source$`: what the server makes, a random UUID.
    Server,
}

/// A hole that the request does not fill.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing(pub String);

impl Pattern {
    /// Reads a pattern. `$$request.NAME$$`, as in templates of templates, means the same.
    pub(super) fn read(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find('$') {
            let (before, hole) = rest.split_at(start);
            let inner = hole.trim_start_matches('$');
            let found = inner.split_once('$').and_then(|(name, after)| {
                let part = match name.strip_prefix("request.") {
                    Some(name) => Part::Request(name.to_owned()),
                    None if name.starts_with("server.") => Part::Server,
                    None => return None,
                };
                let doubled = hole.starts_with("$$");
                let after = after.strip_prefix('$').filter(|_| doubled).unwrap_or(after);
                Some((part, after))
            });
            match found {
                Some((part, after)) => {
                    push_text(&mut parts, before);
                    parts.push(part);
                    rest = after;
                }
                None => {
                    push_text(&mut parts, &rest[..=start]);
                    rest = &rest[start + 1..];
                }
            }
        }
        push_text(&mut parts, rest);
        Self(parts)
    }

    /// Fills the holes; `escape` guards the text around them against what stands in the values.
    pub(super) fn fill(
        &self,
        value: impl Fn(&str) -> Option<String>,
        escape: impl Fn(&str) -> String,
    ) -> Result<String, Missing> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Server => out.push_str(&common::entropy::uuid().to_string()),
                Part::Request(name) => {
                    let found = value(name).filter(|value| !value.is_empty());
                    let found = found.ok_or_else(|| Missing(format!("$request.{name}$")))?;
                    out.push_str(&escape(&found));
                }
            }
        }
        Ok(out)
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(before)) => before.push_str(text),
        Some(Part::Request(_) | Part::Server) | None => parts.push(Part::Text(text.to_owned())),
    }
}

/// A value as part of an RFC 4514 name: nothing in it ends the value or begins another.
pub(super) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let edge =
            (character == ' ' && (index == 0 || index == last)) || (character == '#' && index == 0);
        if edge || matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> Option<String> {
        (name == "who").then(|| "Doe, Jane".to_owned())
    }

    #[test]
    fn holes_are_filled_and_values_cannot_break_out() {
        for text in ["CN=$request.who$,O=A", "CN=$$request.who$$,O=A"] {
            let filled = Pattern::read(text).fill(value, escaped);
            assert_eq!(filled.as_deref(), Ok("CN=Doe\\, Jane,O=A"));
        }
        let missing = Pattern::read("x$request.else$y").fill(value, escaped);
        assert_eq!(missing, Err(Missing("$request.else$".into())));
    }

    #[test]
    fn a_lonely_dollar_means_itself() {
        let plain = Pattern::read("US$ 5, $other$").fill(value, escaped);
        assert_eq!(plain.as_deref(), Ok("US$ 5, $other$"));
    }
}
