//! The body of a request, as it comes.

use http::StatusCode;

use super::HttpRefusal;
use super::growth::grow;
use super::request::BodyLength;

/// The longest line that says the size of a chunk, in bytes, with what else may be in it.
const MOST_IN_SIZE_LINE: usize = 256;

/// How much of what is neither content nor needed may come in all: extensions of chunks, and trailers.
const MOST_IGNORED: usize = 16 * 1024;

/// Reads a body of a length that is known, or of chunks. Memory is taken as bytes come, not as they
/// are announced.
#[derive(Debug)]
pub(crate) struct BodyReader {
    content: Vec<u8>,
    max: usize,
    ignored: usize,
    part: Part,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// So many bytes of content, and then nothing.
    Content(u64),
    /// The line with the size of a chunk, of which so much has come.
    Size {
        size: u64,
        at: SizeLine,
        length: usize,
    },
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The end of the line behind a chunk.
    ChunkEnd {
        cr: bool,
    },
    /// A line behind the last chunk; an empty one is the end. `cr`: its end has begun.
    Trailer {
        is_empty: bool,
        cr: bool,
    },
    Done,
}

/// Where in the line with the size of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SizeLine {
    Digits,
    Extension,
    End,
}

impl BodyReader {
    /// For a body of at most so many bytes; one that is announced to be longer is refused at once.
    pub(crate) fn new(length: BodyLength, max: usize) -> Result<Self, HttpRefusal> {
        let part = match length {
            BodyLength::Known(length) if length > max as u64 => return Err(too_large()),
            BodyLength::Known(0) => Part::Done,
            BodyLength::Known(length) => Part::Content(length),
            BodyLength::Chunked => Part::size(),
        };
        Ok(Self { content: Vec::new(), max, ignored: 0, part })
    }

    /// Takes bytes off the front of `bytes`; the body once it is whole. What is left in `bytes` then is behind
    /// it. Nothing is to be read after that, or behind an error.
    pub(crate) fn take_in(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, HttpRefusal> {
        loop {
            match self.part {
                Part::Done => return Ok(Some(std::mem::take(&mut self.content))),
                _ if bytes.is_empty() => return Ok(None),
                Part::Content(left) => {
                    let all = usize::try_from(left).unwrap_or(usize::MAX);
                    grow(&mut self.content, bytes.len().min(all), all);
                    let left = self.take_content(left, bytes);
                    self.part = if left == 0 { Part::Done } else { Part::Content(left) };
                }
                Part::Chunk(left) => {
                    let left = self.take_content(left, bytes);
                    self.part =
                        if left == 0 { Part::ChunkEnd { cr: false } } else { Part::Chunk(left) };
                }
                framing => {
                    let Some((byte, rest)) = bytes.split_first() else { return Ok(None) };
                    *bytes = rest;
                    self.part = self.pass(framing, *byte)?;
                }
            }
        }
    }

    /// How many bytes have come.
    #[cfg(any(test, fuzzing))]
    pub(super) fn kept(&self) -> usize {
        self.content.len()
    }

    /// Takes content; how much of these many bytes is still to come.
    fn take_content(&mut self, left: u64, bytes: &mut &[u8]) -> u64 {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let (content, rest) = bytes.split_at(most.min(bytes.len()));
        *bytes = rest;
        self.content.extend_from_slice(content);
        left - content.len() as u64
    }

    /// What comes behind one byte of what stands around chunks.
    fn pass(&mut self, part: Part, byte: u8) -> Result<Part, HttpRefusal> {
        match (part, byte) {
            (Part::Size { size, at, length }, _) => self.pass_size(size, at, length, byte),
            (Part::ChunkEnd { cr: false }, b'\r') => Ok(Part::ChunkEnd { cr: true }),
            (Part::ChunkEnd { cr: true }, b'\n') => Ok(Part::size()),
            (Part::Trailer { is_empty, cr: true }, b'\n') => {
                Ok(if is_empty { Part::Done } else { Part::Trailer { is_empty: true, cr: false } })
            }
            (Part::Trailer { is_empty, cr: false }, b'\r') => {
                Ok(Part::Trailer { is_empty, cr: true })
            }
            (Part::Trailer { cr: false, .. }, byte) if !is_strange(byte) => {
                self.ignore()?;
                Ok(Part::Trailer { is_empty: false, cr: false })
            }
            _ => Err(malformed()),
        }
    }

    fn pass_size(
        &mut self,
        size: u64,
        at: SizeLine,
        length: usize,
        byte: u8,
    ) -> Result<Part, HttpRefusal> {
        if length == MOST_IN_SIZE_LINE {
            return Err(malformed());
        }
        let part = |size, at| Ok(Part::Size { size, at, length: length + 1 });
        match (at, byte) {
            (SizeLine::Digits, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let size = size.checked_mul(16).map(|size| size | digit);
                let most = (self.max - self.content.len()) as u64;
                part(size.filter(|size| *size <= most).ok_or_else(too_large)?, at)
            }
            (SizeLine::Digits, b';') if length > 0 => part(size, SizeLine::Extension),
            (SizeLine::Extension, _) if !is_strange(byte) => {
                self.ignore()?;
                part(size, at)
            }
            (SizeLine::Digits | SizeLine::Extension, b'\r') if length > 0 => {
                part(size, SizeLine::End)
            }
            (SizeLine::End, b'\n') if size == 0 => Ok(Part::Trailer { is_empty: true, cr: false }),
            (SizeLine::End, b'\n') => Ok(Part::Chunk(size)),
            _ => Err(malformed()),
        }
    }

    fn ignore(&mut self) -> Result<(), HttpRefusal> {
        self.ignored += 1;
        if self.ignored > MOST_IGNORED { Err(malformed()) } else { Ok(()) }
    }
}

impl Part {
    fn size() -> Self {
        Self::Size { size: 0, at: SizeLine::Digits, length: 0 }
    }
}

/// Whether it is a control character other than a tabulator.
fn is_strange(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

fn too_large() -> HttpRefusal {
    HttpRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
}

fn malformed() -> HttpRefusal {
    HttpRefusal::bad("a malformed chunk")
}

#[cfg(test)]
mod tests;
