//! What is to be emitted: arguments of the command line, files, and lines of standard input.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::thread;

use clap::ArgMatches;
use crossbeam_channel::{Receiver, bounded};
use siot::{ArgList, Binary, Value};

use crate::args::EmitArgs;
use crate::exit::{EarlyEnd, Outcome};
use crate::json;

/// The longest line that is taken, and the largest file. Servers take much less by default.
const MOST_BYTES: u64 = 256 << 20;

/// An event that is to be emitted.
#[derive(Clone, Debug)]
pub(crate) struct EventInput {
    pub(crate) name: String,
    args: Vec<Value>,
}

impl EventInput {
    pub(crate) fn new(name: &str, args: Vec<Value>) -> Self {
        Self { name: name.to_owned(), args }
    }

    pub(crate) fn args(self) -> ArgList {
        ArgList(self.args)
    }

    /// About how much there is to send, in bytes, of binary.
    pub(crate) fn binary_bytes(&self) -> usize {
        self.args.iter().filter_map(Value::as_binary).map(|binary| binary.len()).sum()
    }
}

/// The arguments and files in the order of the command line, of which `order` tells.
pub(crate) fn arguments(emit: &EmitArgs, order: Option<&ArgMatches>) -> Outcome<Vec<Value>> {
    let places = |name: &str| order.and_then(|order| order.indices_of(name)).into_iter().flatten();
    let texts = emit.args.iter().enumerate().map(|(index, text)| {
        argument(text, emit.text)
            .map_err(|failure| failure.about(format_args!("argument {}", index + 1)))
    });
    let files = emit.binary.iter().map(|file| Ok(Value::from(binary(file)?)));
    let mut all: Vec<(usize, Outcome<Value>)> =
        places("args").zip(texts).chain(places("binary").zip(files)).collect();
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, value)| value).collect()
}

fn argument(text: &str, is_text: bool) -> Outcome<Value> {
    if is_text {
        return Ok(Value::from(text));
    }
    json::parse(text).map_err(|error| {
        let quoted = serde_json::Value::from(text);
        let quoted = shortened(&format!("'{quoted}'"));
        let shown = json::printable(&shortened(&format!("'{text}'")));
        EarlyEnd::usage(format!(
            "{shown} is no JSON: {error}. Text needs quotes within quotes, {quoted}, or --text"
        ))
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…'", &text[..end]),
        None => text.to_owned(),
    }
}

fn binary(file: &Path) -> Outcome<Binary> {
    let failed = |error: io::Error| EarlyEnd::local(file.display(), error);
    let mut bytes = Vec::new();
    let length = if file == Path::new("-") {
        io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?
    } else {
        let source = File::open(file).map_err(failed)?;
        source.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?
    };
    if length as u64 > MOST_BYTES {
        return Err(EarlyEnd::local(file.display(), format!("more than {MOST_BYTES} bytes")));
    }
    Ok(bytes.into())
}

/// A line of standard input, without its end.
#[derive(Debug)]
pub(crate) struct InputLine {
    number: u64,
    bytes: Vec<u8>,
}

impl fmt::Display for InputLine {
    /// Which one it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of standard input", self.number)
    }
}

/// Reads standard input on a thread of its own, a line ahead: what waits for a line can also be ended by
/// a signal.
pub(crate) fn lines() -> Outcome<Receiver<Outcome<InputLine>>> {
    let (sender, lines) = bounded(1);
    let read = move || {
        let mut input = io::stdin().lock();
        for number in 1_u64.. {
            let line = line(&mut input, number).transpose();
            let Some(line) = line else { return };
            let is_last = line.is_err();
            if sender.send(line).is_err() || is_last {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("stdin".into())
        .spawn(read)
        .map_err(|error| EarlyEnd::local("standard input", error))?;
    Ok(lines)
}

/// The next line; none at the end.
fn line(input: &mut impl BufRead, number: u64) -> Outcome<Option<InputLine>> {
    let mut line = InputLine { number, bytes: Vec::new() };
    match input.take(MOST_BYTES).read_until(b'\n', &mut line.bytes) {
        Ok(0) => return Ok(None),
        Ok(length) if length as u64 == MOST_BYTES => {
            return Err(EarlyEnd::local(line, format!("more than {MOST_BYTES} bytes")));
        }
        Ok(_) => {}
        Err(error) => return Err(EarlyEnd::local(line, error)),
    }
    if line.bytes.last() == Some(&b'\n') {
        line.bytes.pop();
        // As files of other systems have it.
        if line.bytes.last() == Some(&b'\r') {
            line.bytes.pop();
        }
    }
    Ok(Some(line))
}

/// The event of a line.
pub(crate) fn item(line: &InputLine, emit: &EmitArgs, args: &[Value]) -> Outcome<EventInput> {
    let text = std::str::from_utf8(&line.bytes).map_err(|error| EarlyEnd::local(line, error))?;
    let failed = |error: String| EarlyEnd::usage(format!("{line}: {error}"));
    if let Some(event) = &emit.event {
        let last = if emit.text {
            Value::from(text)
        } else {
            json::parse(text).map_err(|error| {
                failed(format!("no JSON: {error} (text that is none needs --text)"))
            })?
        };
        return Ok(EventInput::new(event, args.iter().cloned().chain([last]).collect()));
    }
    let item = json::parse(text).map_err(failed)?;
    let args = match (item.get("event"), item.get("args")) {
        (Some(Value::String(_)), None | Some(Value::Null)) => Some(&[][..]),
        (Some(Value::String(_)), Some(args)) => args.as_array(),
        _ => None,
    };
    let args = args.ok_or_else(|| failed("no object with `event` and `args`".into()))?;
    Ok(EventInput::new(item["event"].as_str().unwrap_or_default(), args.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_the_end_and_need_no_newline_there() {
        let mut input = "a\n\nc\r\nb\r".as_bytes();
        let mut next = || line(&mut input, 1).unwrap().map(|line| line.bytes);
        assert_eq!(next().as_deref(), Some(&b"a"[..]));
        assert_eq!(next().as_deref(), Some(&b""[..]));
        assert_eq!(next().as_deref(), Some(&b"c"[..]));
        assert_eq!(next().as_deref(), Some(&b"b\r"[..]));
        assert_eq!(next().as_deref(), None);
    }

    #[test]
    fn a_text_that_is_no_json_is_told_how_to_be() {
        let error = argument("it's", false).unwrap_err();
        assert!(error.text.contains("--text"), "{}", error.text);
        assert_eq!(argument("it's", true).unwrap(), Value::from("it's"));
    }
}
