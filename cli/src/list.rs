//! Lists: filters out, pages in.

use std::num::NonZeroUsize;

use common::api::Page;

use crate::error::Error;
use crate::output;

/// More entries do not come in one page.
const PAGE_MAX: usize = 1_000;

/// A filter and its value, as they stand in the query.
pub(crate) type Term = (String, String);

/// The filters that were given.
pub(crate) fn terms<const N: usize>(given: [(&str, &Option<String>); N]) -> Vec<Term> {
    let term = |(name, value): (&str, &Option<String>)| Some((name.to_owned(), value.clone()?));
    given.into_iter().filter_map(term).collect()
}

/// The first `limit` entries, by as many calls of `page` as it takes.
pub(crate) fn collect<T>(
    mut terms: Vec<Term>,
    limit: NonZeroUsize,
    page: impl Fn(&[Term], usize) -> Result<Page<T>, client::Error>,
) -> Result<Page<T>, Error> {
    let filters = terms.len();
    let mut entries = Vec::new();
    loop {
        let missing = limit.get() - entries.len();
        let found = page(&terms, missing.min(PAGE_MAX))?;
        entries.extend(found.entries);
        let full = entries.len() >= limit.get();
        match found.next {
            Some(next) if !full => {
                terms.truncate(filters);
                terms.push(("after".to_owned(), next));
            }
            next => {
                if next.is_some() {
                    output::warn("note", "there is more; `--limit` shows it");
                }
                return Ok(Page { entries, next });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_up_to_the_limit() {
        let limit = NonZeroUsize::new(1_500).expect("not zero");
        let page = |terms: &[Term], limit: usize| {
            let after = terms.iter().find(|(name, _)| name == "after");
            let start: usize = after.map_or(0, |(_, cursor)| cursor.parse().expect("ours"));
            Ok(Page {
                entries: (start..start + limit).collect(),
                next: Some((start + limit).to_string()),
            })
        };
        let all = collect(terms([("status", &None)]), limit, page).expect("no call fails");
        assert_eq!(all.entries, (0..1_500).collect::<Vec<_>>());
        assert_eq!(all.next.as_deref(), Some("1500"));
    }
}
