//! Private keys in PKCS#8 (RFC 5208), the only form that the platform's library takes.

use rustls_pki_types::PrivateKeyDer;

use crate::error::{Error, ErrorKind, Result};

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// `[0]`: the parameters of a key in SEC1 (RFC 5915).
const PARAMETERS: u8 = 0xa0;

/// `INTEGER 0`, the version.
const VERSION: [u8; 3] = [INTEGER, 1, 0];

/// `OBJECT IDENTIFIER rsaEncryption, NULL`.
const RSA: [u8; 13] =
    [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// `OBJECT IDENTIFIER ecPublicKey`.
const EC: [u8; 9] = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// The key as PKCS#8, whatever form it has.
pub(super) fn from_any(key: &PrivateKeyDer<'_>) -> Result<Vec<u8>> {
    match key {
        PrivateKeyDer::Pkcs8(key) => Ok(key.secret_pkcs8_der().to_vec()),
        PrivateKeyDer::Pkcs1(key) => Ok(wrap(&RSA, key.secret_pkcs1_der())),
        PrivateKeyDer::Sec1(key) => {
            let der = key.secret_sec1_der();
            let curve = curve(der).ok_or_else(|| {
                Error::new(ErrorKind::InvalidOption, "the client key names no curve")
                    .with_hint("convert it: openssl pkcs8 -topk8 -nocrypt")
            })?;
            Ok(wrap(&[&EC, curve].concat(), der))
        }
        _ => Err(Error::new(ErrorKind::Unsupported, "the client key is of an unknown form")),
    }
}

fn wrap(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let content = [&VERSION[..], &item(SEQUENCE, algorithm), &item(OCTET_STRING, key)].concat();
    item(SEQUENCE, &content)
}

/// One item of DER.
fn item(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut item = vec![tag];
    let length = content.len().to_be_bytes();
    let used = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    match used {
        [] => item.push(0),
        [short] if *short < 0x80 => item.push(*short),
        long => {
            // At most eight bytes of length.
            item.push(0x80 | u8::try_from(long.len()).unwrap_or(0));
            item.extend_from_slice(long);
        }
    }
    item.extend_from_slice(content);
    item
}

/// The object identifier of the curve in a SEC1 key.
fn curve(der: &[u8]) -> Option<&[u8]> {
    let (tag, mut rest, _) = split(der)?;
    if tag != SEQUENCE {
        return None;
    }
    while !rest.is_empty() {
        let (tag, content, after) = split(rest)?;
        if tag == PARAMETERS {
            return Some(content);
        }
        rest = after;
    }
    None
}

/// The first item of DER: its tag, its content, and what follows.
fn split(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let mut length = 0_usize;
        for digit in digits {
            length = length.checked_mul(256)?.checked_add(usize::from(*digit))?;
        }
        (length, rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_keys_are_told() {
        let whole = item(SEQUENCE, &[&VERSION[..], &item(PARAMETERS, &[6, 1, 42])].concat());
        assert_eq!(curve(&whole), Some(&[6, 1, 42][..]));
        for end in 0..whole.len() {
            assert_eq!(curve(&whole[..end]), None, "{end}");
        }
        for der in [&[][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0xff, 1], &[2, 0]] {
            assert_eq!(curve(der), None, "{der:?}");
        }
    }

    #[test]
    fn lengths_are_written_the_short_way() {
        for (length, head) in
            [(0, &[4, 0][..]), (127, &[4, 127]), (128, &[4, 0x81, 128]), (256, &[4, 0x82, 1, 0])]
        {
            let item = item(OCTET_STRING, &vec![0; length]);
            assert_eq!(&item[..item.len() - length], head);
            assert_eq!(split(&item).unwrap().1.len(), length);
        }
    }
}
