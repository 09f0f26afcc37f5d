//! What people read: tables for many, listings for one; and JSON for programs.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};

use serde::Serialize;

use crate::error::Error;

/// Prints `value` as JSON, or in `words`.
pub(crate) fn show<T, W>(json: bool, value: &T, words: impl FnOnce(&T) -> W) -> Result<(), Error>
where
    T: Serialize,
    W: Display,
{
    let text = match json {
        true => {
            let text = serde_json::to_string_pretty(value).map_err(io::Error::from);
            text.map_err(Error::Output)? + "\n"
        }
        false => words(value).to_string(),
    };
    print(text.as_bytes())
}

/// Writes to standard output. That the reader has seen enough and left (`| head`) is no error.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes one line to standard error; when nobody listens there, nobody is told.
pub(crate) fn warn(kind: &str, text: &str) {
    let _ = writeln!(io::stderr(), "{kind}: {}", clean(text));
}

/// Text with its control characters made visible. Much of what we print was written by strangers,
/// and must neither move a terminal's cursor nor turn its text around.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        // Unicode Bidirectional Algorithm (UAX #9 §2): marks, embeddings, overrides, isolates.
        let turns = matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        match turns || character.is_control() {
            true => out.extend(character.escape_default()),
            false => out.push(character),
        }
    }
    out
}

/// Rows under headings, aligned.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table of `rows` under `headings`.
    pub(crate) fn new(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Self {
        let rows = rows.into_iter().map(|row| row.map(|cell| clean(&cell)));
        let headings = std::iter::once(headings.map(str::to_owned));
        Self {
            rows: headings.chain(rows).collect(),
        }
    }
}

impl<const N: usize> Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                write!(line, "{cell:width$}  ")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Names and values of one object, aligned, with sections indented.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    lines: Vec<(String, String)>,
}

impl Listing {
    /// Adds a value.
    pub(crate) fn line(mut self, name: &str, value: impl Display) -> Self {
        self.lines.push((clean(name), clean(&value.to_string())));
        self
    }

    /// Adds a value if it is there.
    pub(crate) fn maybe(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.line(name, value),
            None => self,
        }
    }

    /// Adds values one below the other.
    pub(crate) fn all(self, name: &str, values: impl IntoIterator<Item = impl Display>) -> Self {
        let values = values.into_iter().enumerate();
        values.fold(self, |listing, (index, value)| {
            listing.line(if index == 0 { name } else { "" }, value)
        })
    }

    /// Adds what belongs together under a title; nothing if there is nothing.
    pub(crate) fn section(mut self, title: &str, section: Self) -> Self {
        if !section.lines.is_empty() {
            self.lines.push((title.to_owned(), String::new()));
        }
        let indented = section.lines.into_iter();
        self.lines
            .extend(indented.map(|(name, value)| (format!("  {name}"), value)));
        self
    }
}

impl Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.lines.iter().filter(|(_, value)| !value.is_empty());
        let width = names
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        for (name, value) in &self.lines {
            writeln!(f, "{}", format!("{name:width$}  {value}").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let table = Table::new(["ID", "NAME"], [row("1", "ä"), row("1000", "")]);
        assert_eq!(table.to_string(), "ID    NAME\n1     ä\n1000\n");
    }

    #[test]
    fn sections_are_indented_and_aligned_with_the_rest() {
        let listing = Listing::default()
            .line("id", 7)
            .maybe("note", None::<&str>)
            .section("draft", Listing::default().all("names", ["dns:a", "dns:b"]))
            .section("empty", Listing::default());
        assert_eq!(
            listing.to_string(),
            "id       7\ndraft\n  names  dns:a\n         dns:b\n"
        );
    }

    #[test]
    fn strangers_cannot_move_the_cursor_or_forge_a_line() {
        let listing = Listing::default().line("name", "a\u{1b}[2K\nstatus  approved\u{202e}");
        assert_eq!(
            listing.to_string(),
            "name  a\\u{1b}[2K\\nstatus  approved\\u{202e}\n"
        );
    }
}
