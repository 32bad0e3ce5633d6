//! `MessagePack` to JSON with attachments.

use bytes::Bytes;
use serde::Serialize;

use super::date;
use super::errors::{too_long, unexpected};
use super::token::{Token, Tokens};
use crate::error::Result;
use crate::payload::placeholder;
use crate::proto::parser::excerpt;

/// Writes JSON as `JSON.stringify` would; only that binary becomes attachments.
pub(super) struct JsonWriter {
    out: Vec<u8>,
    attachments: Vec<Bytes>,
    max_bytes: usize,
}

/// The start of the JSON of one value, for a log.
pub(super) fn start(tokens: &mut Tokens<'_>) -> String {
    let mut json = JsonWriter::new(excerpt::DATA);
    // What cannot be read is only missing.
    let _ = json.write(tokens);
    excerpt::start(&String::from_utf8_lossy(&json.out))
}

/// An array or a map that is not complete.
struct Level {
    is_map: bool,
    /// How many values are to come, keys among them.
    left: u64,
    /// Whether anything was written inside.
    has_some: bool,
    /// Where the last member begins, with its comma.
    member: usize,
    /// What `has_some` was before it.
    had_some: bool,
}

impl Level {
    fn new(is_map: bool, length: u32) -> Self {
        let left = u64::from(length) * if is_map { 2 } else { 1 };
        Self { is_map, left, has_some: false, member: 0, had_some: false }
    }

    fn expects_key(&self) -> bool {
        self.is_map && self.left % 2 == 0
    }
}

impl JsonWriter {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { out: Vec::new(), attachments: Vec::new(), max_bytes }
    }

    pub(super) fn into_attachments(self) -> Vec<Bytes> {
        self.attachments
    }

    /// Reads one value; gives its JSON, or nothing for `undefined`.
    pub(super) fn value(&mut self, tokens: &mut Tokens<'_>) -> Result<String> {
        self.write(tokens)?;
        if self.out.len() > self.max_bytes {
            return Err(too_long(self.out.len(), self.max_bytes));
        }
        let json = std::mem::take(&mut self.out);
        String::from_utf8(json).map_err(|error| unexpected("text", &[]).with_source(error))
    }

    /// Writes one value, or its start, which is then longer than the limit.
    fn write(&mut self, tokens: &mut Tokens<'_>) -> Result<()> {
        self.out.clear();
        self.attachments.clear();
        let mut open: Vec<Level> = Vec::new();
        loop {
            let token = tokens.next()?;
            match open.last_mut() {
                None => self.element(&token, &mut open, true),
                Some(level) if level.expects_key() => {
                    level.left -= 1;
                    self.key(&token, level)?;
                }
                Some(level) => {
                    level.left -= 1;
                    let in_map = level.is_map;
                    self.separate(level, &token);
                    self.element(&token, &mut open, in_map);
                }
            }
            if self.out.len() > self.max_bytes {
                return Ok(());
            }
            while open.last().is_some_and(|level| level.left == 0) {
                let is_map = open.pop().is_some_and(|level| level.is_map);
                self.out.push(if is_map { b'}' } else { b']' });
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    /// Writes what stands before a value. A member whose value is `undefined` is none.
    fn separate(&mut self, level: &mut Level, token: &Token<'_>) {
        if !level.is_map {
            if level.has_some {
                self.out.push(b',');
            }
            level.has_some = true;
        } else if *token == Token::Undefined {
            self.out.truncate(level.member);
            level.has_some = level.had_some;
        } else {
            self.out.push(b':');
        }
    }

    fn key(&mut self, token: &Token<'_>, level: &mut Level) -> Result<()> {
        level.member = self.out.len();
        level.had_some = level.has_some;
        if level.has_some {
            self.out.push(b',');
        }
        level.has_some = true;
        match token {
            Token::Str(key) => self.json(key),
            Token::Nil => self.json("null"),
            Token::Undefined => self.json("undefined"),
            Token::Bool(key) => self.json(&key.to_string()),
            Token::Unsigned(key) => self.json(&key.to_string()),
            Token::Signed(key) => self.json(&key.to_string()),
            Token::Float(key) => self.json(&key.to_string()),
            Token::Date(millis) => self.json(&date::iso(*millis).unwrap_or_default()),
            Token::Bin(_) | Token::Other(..) | Token::Array(_) | Token::Map(_) => {
                return Err(unexpected("a key", &[]));
            }
        }
        Ok(())
    }

    fn element(&mut self, token: &Token<'_>, open: &mut Vec<Level>, may_miss: bool) {
        match token {
            Token::Undefined if may_miss => {}
            Token::Nil | Token::Undefined => self.json(&()),
            Token::Bool(value) => self.json(value),
            Token::Unsigned(number) => self.json(number),
            Token::Signed(number) => self.json(number),
            Token::Float(number) => self.json(number),
            Token::Str(text) => self.json(text),
            Token::Date(millis) => self.json(&date::iso(*millis)),
            Token::Bin(bytes) => self.attach(bytes),
            Token::Other(kind, bytes) => {
                // A type that nobody here knows: an array of its number and its bytes.
                self.out.push(b'[');
                self.json(kind);
                self.out.push(b',');
                self.attach(bytes);
                self.out.push(b']');
            }
            Token::Array(length) => {
                self.out.push(b'[');
                open.push(Level::new(false, *length));
            }
            Token::Map(length) => {
                self.out.push(b'{');
                open.push(Level::new(true, *length));
            }
        }
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Writing to memory cannot fail, and what is given here can be JSON.
        let _ = serde_json::to_writer(&mut self.out, value);
    }

    fn attach(&mut self, bytes: &Bytes) {
        let number = self.attachments.len();
        self.attachments.push(bytes.clone());
        // Writing to memory cannot fail.
        let _ = placeholder::write(&mut self.out, number);
    }
}
