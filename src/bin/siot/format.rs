//! Events and answers as lines of standard output.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use siot::{AckReply, ArgList, Binary, Event, Value};

use crate::args::Format;
use crate::exit::{EarlyEnd, Outcome};
use crate::json;
use crate::messages::is_colorful;

/// Makes the lines.
pub(crate) struct Lines {
    format: Format,
    color: bool,
    /// The folder for binary, if it is to be in files, and how many there are.
    save: Option<PathBuf>,
    saved: u64,
}

impl Lines {
    pub(crate) fn new(format: Format, save: Option<PathBuf>) -> Outcome<Self> {
        if let Some(folder) = &save {
            fs::create_dir_all(folder).map_err(|error| EarlyEnd::local(folder.display(), error))?;
        }
        let color = !format.json && is_colorful(io::stdout().is_terminal());
        Ok(Self { format, color, save, saved: 0 })
    }

    pub(crate) fn event(&mut self, event: &Event) -> Outcome<String> {
        let name = serde_json::Value::from(event.name()).to_string();
        let name = json::printable(&name);
        let args = self.args(event.json(), 1, || event.args())?;
        if !self.format.json {
            let bare = name.trim_matches('"');
            let is_word = bare == event.name() && !bare.is_empty() && !bare.contains([' ', '"']);
            let name = if is_word { bare } else { &name };
            let name = if self.color { format!("\x1b[1m{name}\x1b[0m") } else { name.to_owned() };
            return Ok([&[name], &args?[..]].concat().join(" "));
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let args = members(&args);
        let ack = if event.wants_ack() { r#","ack":true"# } else { "" };
        Ok(format!(r#"{{"time":{:.3},"event":{name},{args}{ack}}}"#, time.as_secs_f64()))
    }

    pub(crate) fn reply(&mut self, reply: &AckReply) -> Outcome<String> {
        let args = self.args(reply.json(), 0, || reply.args())?;
        if self.format.json { Ok(format!("{{{}}}", members(&args))) } else { Ok(args?.join(" ")) }
    }

    /// The arguments of an event or an answer, behind the first ones. What was sent as it stands is copied, so
    /// that it stays as it is; binary needs to be decoded.
    fn args(
        &mut self,
        json: &str,
        skip: usize,
        decode: impl FnOnce() -> siot::Result<ArgList>,
    ) -> Outcome<Result<Vec<String>, Undecodable>> {
        let copied = if json.contains("_placeholder") { None } else { json::elements(json) };
        let args: Vec<String> = match copied {
            Some(elements) => elements.into_iter().skip(skip).collect(),
            None => match decode() {
                Ok(list) => list
                    .into_iter()
                    .map(|value| {
                        let value =
                            json::without_binary(value, &mut |binary| self.stand_in(binary))?;
                        Ok(json::printable(&value.to_string()))
                    })
                    .collect::<Outcome<_>>()?,
                Err(error) => {
                    return Ok(Err(Undecodable {
                        json: json.to_owned(),
                        error: error.to_string(),
                    }));
                }
            },
        };
        Ok(Ok(if self.format.raw { args.iter().map(|arg| unquoted(arg)).collect() } else { args }))
    }

    /// What is written where binary stood.
    fn stand_in(&mut self, binary: &Binary) -> Outcome<Value> {
        let Some(folder) = &self.save else {
            return Ok(if self.format.json {
                json::base64(binary)
            } else {
                Value::from(format!("<{} bytes>", binary.len()))
            });
        };
        self.saved += 1;
        let file = folder.join(format!("{:06}.bin", self.saved));
        // One that is there already stays: it may be of an earlier run.
        let written =
            fs::File::create_new(&file).and_then(|mut new| io::Write::write_all(&mut new, binary));
        written.map_err(|error| EarlyEnd::local(file.display(), error))?;
        let name = file.display().to_string();
        Ok([("$file", Value::from(name))].into_iter().collect())
    }
}

/// Arguments that are no JSON, or nested too deep.
struct Undecodable {
    json: String,
    error: String,
}

impl From<Undecodable> for EarlyEnd {
    fn from(Undecodable { error, .. }: Undecodable) -> Self {
        Self::new(crate::exit::Exit::Failed, error)
    }
}

fn members(args: &Result<Vec<String>, Undecodable>) -> String {
    match args {
        Ok(args) => format!(r#""args":[{}]"#, args.join(",")),
        Err(Undecodable { json, error }) => {
            let text = |text: &str| json::printable(&serde_json::Value::from(text).to_string());
            format!(r#""error":{},"json":{}"#, text(error), text(json))
        }
    }
}

/// A text without its quotes; other JSON as it is.
fn unquoted(json: &str) -> String {
    serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
}
