//! The tokens of JSON: white space, strings, numbers and literals.

use super::outline::SyntaxError;

/// A place in a JSON text, moved forward token by token.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The offset of the next byte.
    pub(super) at: usize,
    /// Whether a token was met that JavaScript takes and `serde_json` refuses.
    pub(super) needs_repair: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, needs_repair: false }
    }

    /// The next byte, if there is one.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The text from an earlier offset to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The error that the next byte does not fit.
    #[cold]
    pub(super) fn error(&self) -> SyntaxError {
        SyntaxError { at: self.at.min(self.bytes.len()) }
    }

    /// Passes over white space and gives the byte behind it.
    #[inline]
    pub(super) fn skip_space(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                next => return next,
            }
        }
    }

    /// Passes over a string, from quote to quote.
    #[inline]
    pub(super) fn string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            match self.skip_plain() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(self.error()),
            }
        }
    }

    /// Passes over the bytes of a string that mean themselves, eight at a time; gives the one behind them.
    #[inline]
    fn skip_plain(&mut self) -> Option<u8> {
        while let Some(word) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_le_bytes(*word);
            let special = special_bytes(word);
            if special != 0 {
                // The mark is the highest bit of its byte: at most 63, so that it fits any integer.
                let mark = special.trailing_zeros();
                self.at += (mark / 8) as usize;
                return Some((word >> (mark & 0x38)).to_le_bytes()[0]);
            }
            self.at += 8;
        }
        while let Some(b' '..=b'!' | b'#'..=b'[' | b']'..) = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    /// Passes over an escape sequence, or over the two that make a surrogate pair.
    fn escape(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                self.unicode_escape()
            }
            _ => Err(self.error()),
        }
    }

    fn unicode_escape(&mut self) -> Result<(), SyntaxError> {
        let unit = self.hex_digits()?;
        match unit {
            0xD800..=0xDBFF if low_surrogate(self.bytes, self.at) => self.at += 6,
            0xD800..=0xDFFF => self.needs_repair = true,
            _ => {}
        }
        Ok(())
    }

    fn hex_digits(&mut self) -> Result<u16, SyntaxError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(hex_value).ok_or_else(|| self.error())?;
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    /// Passes over a number.
    #[inline]
    pub(super) fn number(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let mut exponent = 0;
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            let before = self.at;
            self.digits()?;
            exponent = self.at - before;
        }
        // The largest f64 has 309 digits: 200 characters and an exponent below 100 stay below it.
        if exponent > 2 || self.at - start > 200 {
            self.needs_repair |= overflows(self.since(start));
        }
        Ok(())
    }

    /// Passes over one digit or more.
    #[inline]
    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.error()) } else { Ok(()) }
    }

    /// Passes over `true`, `false` or `null`, as given.
    #[inline]
    pub(super) fn literal(&mut self, word: &str) -> Result<(), SyntaxError> {
        for byte in word.bytes() {
            if self.peek() != Some(byte) {
                return Err(self.error());
            }
            self.at += 1;
        }
        Ok(())
    }
}

/// Marks the bytes of `word` that a string cannot hold as they are: quote, backslash, controls.
///
/// The lowest mark is always right; a borrow may set marks above it.
#[inline]
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let quote = below(word ^ (ONES * 0x22), 1);
    let backslash = below(word ^ (ONES * 0x5C), 1);
    (quote | backslash | below(word, 0x20)) & HIGH
}

/// The value of a hexadecimal digit.
pub(super) fn hex_value(digit: u8) -> Option<u16> {
    char::from(digit).to_digit(16).and_then(|value| u16::try_from(value).ok())
}

/// Whether the escape of a low surrogate stands at an offset.
pub(super) fn low_surrogate(bytes: &[u8], at: usize) -> bool {
    matches!(unicode_escape(bytes, at), Some(0xDC00..=0xDFFF))
}

/// The code unit of the `\uXXXX` at an offset.
pub(super) fn unicode_escape(bytes: &[u8], at: usize) -> Option<u16> {
    let (head, digits) = bytes.get(at..at.checked_add(6)?)?.split_at(2);
    if head != b"\\u" {
        return None;
    }
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | hex_value(digit)?))
}

/// Whether a number is infinite for JavaScript or refused by `serde_json`, which rounds a little
/// differently at the edge.
pub(super) fn overflows(number: &str) -> bool {
    let infinite = number.parse().is_ok_and(f64::is_infinite);
    infinite || serde_json::from_str::<f64>(number).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_found_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut word = [b'x'; 8];
                word[place] = byte;
                let marks = special_bytes(u64::from_le_bytes(word));
                if byte < 0x20 || byte == b'"' || byte == b'\\' {
                    assert_eq!(marks.trailing_zeros() as usize / 8, place, "{byte:#x}");
                } else {
                    assert_eq!(marks, 0, "{byte:#x}");
                }
            }
        }
    }

    #[test]
    fn the_largest_number_of_javascript_does_not_overflow() {
        assert!(!overflows("1.7976931348623157e+308"));
        assert!(!overflows("-1.7976931348623157e308"));
        assert!(!overflows("0e99999999999999999999"));
        assert!(!overflows("1e-99999999999999999999"));
        assert!(overflows("1.8e308"));
        assert!(overflows("-1e309"));
        assert!(overflows(&"9".repeat(310)));
    }
}
