//! How the body of a response is compressed, where its client takes that (RFC 9110 §12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// A way of compressing a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
}

/// The weight of a coding, in thousandths.
const WHOLE: u16 = 1000;

impl Coding {
    /// The one that a client likes best; none where the library has none.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        if !cfg!(feature = "http-compression") {
            return None;
        }
        let weight = |coding: Self| weight(headers, coding.name());
        let best =
            if weight(Self::Deflate) > weight(Self::Gzip) { Self::Deflate } else { Self::Gzip };
        (weight(best) > 0).then_some(best)
    }

    /// Its name in headers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// A body so compressed; `None` where that makes it no shorter.
    #[cfg_attr(not(feature = "http-compression"), allow(clippy::unused_self))]
    pub(super) fn compress(self, body: &[u8]) -> Option<Vec<u8>> {
        #[cfg(feature = "http-compression")]
        let compressed = self.encode(body).ok();
        #[cfg(not(feature = "http-compression"))]
        let compressed = None::<Vec<u8>>;
        compressed.filter(|compressed| compressed.len() < body.len())
    }

    #[cfg(feature = "http-compression")]
    fn encode(self, body: &[u8]) -> std::io::Result<Vec<u8>> {
        use std::io::Write;

        use flate2::Compression;
        use flate2::write::{GzEncoder, ZlibEncoder};

        // It is done between other clients' turns: a better ratio would cost three times as long.
        let level = Compression::fast();
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), level);
                encoder.write_all(body)?;
                encoder.finish()
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(body)?;
                encoder.finish()
            }
        }
    }
}

/// How much a client likes a coding: what is named counts before the star. What cannot be read is not there.
fn weight(headers: &HeaderMap, coding: &str) -> u16 {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let members = values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    let (mut named, mut any) = (None, None);
    for member in members {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let mut parameters = parts.filter_map(|part| part.split_once('='));
        let quality = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        let weight = match quality {
            Some((_, value)) => thousandths(value.trim()),
            None => Some(WHOLE),
        };
        if name.eq_ignore_ascii_case(coding) {
            named = weight;
        } else if name == "*" {
            any = weight;
        }
    }
    named.or(any).unwrap_or(0)
}

/// A weight such as `0.5`, in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let weight = text.parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight))?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some((weight * f32::from(WHOLE)).round() as u16)
}

#[cfg(all(test, feature = "http-compression"))]
mod tests {
    use std::io::Read;

    use super::*;

    fn accepted(values: &[&'static str]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, http::HeaderValue::from_static(value));
        }
        Coding::accepted(&headers)
    }

    #[test]
    fn the_coding_is_one_that_the_client_takes() {
        use Coding::{Deflate, Gzip};
        for (values, expected) in [
            (&[][..], None),
            (&["gzip, deflate, br"], Some(Gzip)),
            (&["br", "DEFLATE"], Some(Deflate)),
            (&["gzip;q=0, deflate"], Some(Deflate)),
            (&["gzip;q=0"], None),
            (&["gzip; q=0.000 , *"], Some(Deflate)),
            (&["*;q=0"], None),
            (&["*"], Some(Gzip)),
            (&["gzip;q=0.2,deflate;q=0.8"], Some(Deflate)),
            (&["gzip;Q=1;x=y"], Some(Gzip)),
            (&["gzip;q=much"], None),
            (&["gzip;q=-1, deflate;q=2"], None),
            (&["identity", "compress"], None),
            (&["gzipped, x-gzip"], None),
            (&[";;=,,q=1"], None),
        ] {
            assert_eq!(accepted(values), expected, "{values:?}");
        }
    }

    #[test]
    fn what_was_compressed_is_the_same_again() {
        let body = "a reading ".repeat(1000);
        let mut text = String::new();
        let gzip = Coding::Gzip.compress(body.as_bytes()).unwrap();
        flate2::read::GzDecoder::new(&*gzip).read_to_string(&mut text).unwrap();
        let deflate = Coding::Deflate.compress(body.as_bytes()).unwrap();
        flate2::read::ZlibDecoder::new(&*deflate).read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("{body}{body}"));
        assert!(gzip.len() < 200 && deflate.len() < 200);
        assert_eq!(Coding::Gzip.compress(b"short"), None);
        // What would be as long as before is not worth it.
        for (length, coding) in (0..100).flat_map(|n| [(n, Coding::Gzip), (n, Coding::Deflate)]) {
            let compressed = coding.compress(&vec![b'a'; length]);
            assert!(compressed.is_none_or(|compressed| compressed.len() < length), "{length}");
        }
    }
}
