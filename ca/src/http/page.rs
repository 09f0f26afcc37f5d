//! Pages of lists: `limit`, and opaque cursors over (moment, id).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::http::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

/// Entries of a page when the client does not say.
const DEFAULT: i64 = 50;
/// Most entries of a page.
const MAX: i64 = 1_000;

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Entries of a page, 1 to 1,000 (50).
    pub(super) limit: Option<i64>,
    /// Cursor of the page.
    pub(super) after: Option<String>,
}

/// The number of entries asked for.
pub(super) fn limit(limit: Option<i64>) -> Result<i64, Problem> {
    match limit.unwrap_or(DEFAULT) {
        limit if (1..=MAX).contains(&limit) => Ok(limit),
        _ => Err(Problem::field(
            "limit",
            "range",
            format!("limit is from 1 to {MAX}"),
        )),
    }
}

/// Reads a cursor.
pub(super) fn cursor(text: Option<&str>) -> Result<Option<(i64, Vec<u8>)>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    let wrong = || Problem::field("after", "cursor", "this is no cursor of this list");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
    let (moment, id) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
    match id.is_empty() {
        true => Err(wrong()),
        false => Ok(Some((i64::from_be_bytes(*moment), id.to_vec()))),
    }
}

/// Cuts a list that was read one entry too long to `limit`, with the cursor of the next page.
pub(super) fn cut<T>(
    mut entries: Vec<T>,
    limit: i64,
    place: impl Fn(&T) -> (i64, Vec<u8>),
) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if entries.len() <= limit {
        return (entries, None);
    }
    entries.truncate(limit);
    let next = entries.last().map(|last| {
        let (moment, id) = place(last);
        URL_SAFE_NO_PAD.encode([moment.to_be_bytes().as_slice(), &id].concat())
    });
    (entries, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_list_goes_on_where_it_was_cut() {
        let (page, next) = cut(vec![3, 2, 1], 2, |n| (*n, vec![7]));
        assert_eq!(page, [3, 2]);
        let next = next.expect("there is more");
        assert_eq!(cursor(Some(&next)).ok().flatten(), Some((2, vec![7])));
        assert_eq!(cut(vec![1], 1, |n| (*n, vec![7])).1, None);
        assert!(cursor(Some("AAAA")).is_err());
    }
}
