//! Choosing a representation by `Accept` (RFC 9110 §12.5.1).

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;

use super::Problem;

/// The best of `offered` (the first is the default); 406 names them all when none fits.
pub fn choose(request: &HttpRequest, offered: &[&'static str]) -> Result<&'static str, Problem> {
    let header = request.headers().get_all(ACCEPT);
    let wishes: Vec<_> = header
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(wish)
        .collect();
    let Some(default) = offered.first() else {
        return Err(Problem::from_status(StatusCode::NOT_ACCEPTABLE));
    };
    if wishes.is_empty() {
        return Ok(default);
    }
    let mut best = None;
    for media_type in offered {
        let quality = quality(&wishes, media_type);
        if quality > best.map_or(0, |(_, quality)| quality) {
            best = Some((*media_type, quality));
        }
    }
    best.map(|(media_type, _)| media_type).ok_or_else(|| {
        Problem::from_status(StatusCode::NOT_ACCEPTABLE)
            .detail(format!("this resource comes as {}", offered.join(", ")))
    })
}

/// A media range and its quality in thousandths.
fn wish(text: &str) -> (String, u32) {
    let mut parts = text.split(';');
    let range = parts.next().unwrap_or("").trim().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.trim().strip_prefix("q="));
    let quality = quality.map_or(1_000, |text| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction: String = format!("{fraction}000").chars().take(3).collect();
        let thousandths = fraction.parse().unwrap_or(0);
        (whole.parse::<u32>().unwrap_or(0) * 1_000 + thousandths).min(1_000)
    });
    (range, quality)
}

/// The quality of `media_type` by its most specific range.
fn quality(wishes: &[(String, u32)], media_type: &str) -> u32 {
    let family = format!("{}/*", media_type.split('/').next().unwrap_or(""));
    for range in [media_type, &family, "*/*"] {
        if let Some((_, quality)) = wishes.iter().find(|(wished, _)| wished == range) {
            return *quality;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    const OFFERED: [&str; 2] = ["application/json", "application/pkix-cert"];

    fn chosen(accept: &str) -> Option<&'static str> {
        let request = TestRequest::default()
            .insert_header((ACCEPT, accept))
            .to_http_request();
        choose(&request, &OFFERED).ok()
    }

    #[test]
    fn the_most_specific_and_best_wish_wins() {
        assert_eq!(chosen("*/*"), Some("application/json"));
        assert_eq!(
            chosen("application/pkix-cert"),
            Some("application/pkix-cert")
        );
        assert_eq!(
            chosen("application/json;q=0.5, application/*"),
            Some("application/pkix-cert")
        );
        assert_eq!(
            chosen("application/json;q=0, */*"),
            Some("application/pkix-cert")
        );
        assert_eq!(chosen("text/html"), None);
    }
}
