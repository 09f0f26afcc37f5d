//! Slicing DER without copying: for bytes that must be kept as they came.

/// One element of DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its tag.
    pub tag: u8,
    /// The whole element, tag and length included.
    pub der: &'a [u8],
    /// Its content.
    pub content: &'a [u8],
}

/// The first element of `input`, and what follows it. Definite lengths below 2^32 in minimal form
/// only, single-octet tags only; `None` for anything else.
pub fn split(input: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, after_tag) = input.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, after_first) = after_tag.split_first()?;
    let (length, after_length) = match first {
        0..=0x7f => (usize::from(first), after_first),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let (bytes, rest) = after_first.split_at_checked(count)?;
            let length = bytes
                .iter()
                .fold(0usize, |sum, b| sum << 8 | usize::from(*b));
            let minimal = bytes.first() != Some(&0) && length > 0x7f;
            if !minimal {
                return None;
            }
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = after_length.split_at_checked(length)?;
    let der = &input[..input.len() - rest.len()];
    Some((Element { tag, der, content }, rest))
}

/// Like [`split`] for an element that must have `tag`: `(content, rest)`.
pub fn expect(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (element, rest) = split(input)?;
    (element.tag == tag).then_some((element.content, rest))
}

/// The first element inside an outer SEQUENCE, as it was encoded: what a signature covers in
/// certificates, CRLs, PKCS#10 and OCSP alike.
pub fn signed_part(der: &[u8]) -> Option<&[u8]> {
    let (content, rest) = expect(0x30, der)?;
    let (element, _) = split(content)?;
    rest.is_empty().then_some(element.der)
}

/// Appends one element to `out`.
pub fn push(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    push_header(out, tag, content.len());
    out.extend_from_slice(content);
}

/// Appends tag and length of an element whose content follows.
pub fn push_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap_or_default());
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|b| **b == 0).count();
        out.push(0x80 | u8::try_from(bytes.len() - skip).unwrap_or_default());
        out.extend_from_slice(&bytes[skip..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_is_split_again() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let mut out = Vec::new();
            push(&mut out, 0x04, &vec![9; length]);
            out.push(0xff);
            let (element, rest) = split(&out).expect("splits");
            assert_eq!(
                (element.tag, element.content.len(), rest),
                (4, length, &[0xff][..])
            );
            assert_eq!(element.der.len() + 1, out.len());
        }
    }

    #[test]
    fn padded_lengths_are_refused() {
        assert!(split(&[0x30, 0x81, 0x01, 0x00]).is_none());
        assert!(split(&[0x30, 0x82, 0x00, 0x81]).is_none());
        assert!(split(&[0x30, 0x80, 0x00, 0x00]).is_none());
    }
}
