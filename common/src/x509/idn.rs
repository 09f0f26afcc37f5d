//! Internationalised host names (RFC 5890): certificates hold A-labels only.

/// Whether every label that claims to be an A-label is one; `Err` is one sentence for people.
pub fn check(name: &str) -> Result<(), String> {
    for label in name.split('.') {
        let prefix = label.get(..4).map(str::to_ascii_lowercase);
        let Some(prefix) = prefix.filter(|prefix| prefix.ends_with("--")) else {
            continue;
        };
        if prefix != "xn--" {
            // RFC 5890 §2.3.1.
            return Err(format!("the label `{label}` of `{name}` is reserved"));
        }
        let (unicode, decoded) = idna::domain_to_unicode(label);
        let again = idna::domain_to_ascii_strict(&unicode);
        if decoded.is_err() || !again.is_ok_and(|again| again.eq_ignore_ascii_case(label)) {
            return Err(format!("the label `{label}` of `{name}` is no A-label"));
        }
    }
    Ok(())
}

/// How a host name with other letters than those of ASCII is to be written.
pub fn to_a_labels(name: &str) -> Option<String> {
    let foreign = !name.is_ascii();
    foreign
        .then(|| idna::domain_to_ascii_strict(name).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_labels_are_taken_and_what_only_looks_like_one_is_not() {
        for name in ["host.example", "xn--mnchen-3ya.example", "a-b--c.example"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in [
            "xn--.example",
            "xn--a.example",
            "ab--c.example",
            "xn--99999999",
        ] {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_right_spelling_is_known() {
        let spelled = to_a_labels("münchen.example");
        assert_eq!(spelled.as_deref(), Some("xn--mnchen-3ya.example"));
        assert_eq!(to_a_labels("host.example"), None);
    }
}
