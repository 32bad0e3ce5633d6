//! The command line of an example: the URL of a server, options with values, and `--help`.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::exit;
use std::str::FromStr;

use siot::Builder;

/// What an example was called with.
///
/// What is wrong with it ends the program, with a sentence on the standard error and the exit code 2.
pub struct Arguments {
    /// The example's name, to begin sentences with.
    program: String,
    url: Option<String>,
    options: HashMap<&'static str, String>,
}

impl Arguments {
    /// Reads the command line: a URL, and options that each have a value.
    ///
    /// `--help` prints the beginning of the example's source, its documentation, and ends the program.
    pub fn read(source: &str, options: &[&'static str]) -> Self {
        let mut words = env::args_os();
        let program = words.next().map(PathBuf::from).unwrap_or_default();
        let program = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut arguments = Self { program, url: None, options: HashMap::new() };
        while let Some(word) = words.next() {
            let word = arguments.text(word);
            if word == "--help" || word == "-h" {
                println!("{}", documentation(source));
                exit(0);
            }
            if let Some(option) = options.iter().find(|option| **option == word) {
                let Some(value) = words.next() else {
                    arguments.fail(format_args!("{word} needs a value"))
                };
                let value = arguments.text(value);
                arguments.options.insert(*option, value);
            } else if word.starts_with('-') {
                arguments.fail(format_args!("{word:?} is nothing that --help knows of"));
            } else if let Some(url) = &arguments.url {
                arguments.fail(format_args!("{word:?} is one too many: the URL is {url:?}"));
            } else {
                arguments.take_url(word);
            }
        }
        arguments
    }

    /// The URL of the user's server.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The value of an option.
    pub fn option<T: FromStr<Err: Display>>(&self, name: &str) -> Option<T> {
        let value = self.options.get(name)?;
        match value.parse() {
            Ok(value) => Some(value),
            Err(error) => self.fail(format_args!("{name} {value:?}: {error}")),
        }
    }

    /// Ends the program for what was asked for.
    pub fn fail(&self, sentence: impl Display) -> ! {
        eprintln!("{}: {sentence}", self.program);
        exit(2);
    }

    fn take_url(&mut self, url: String) {
        if let Err(error) = Builder::new(&url).auto_connect(false).manager() {
            self.fail(format_args!("{url:?} is no URL of a server: {error}"));
        }
        self.url = Some(url);
    }

    fn text(&self, word: OsString) -> String {
        word.into_string().unwrap_or_else(|word| self.fail(format_args!("{word:?} is no UTF-8")))
    }
}

/// The lines of documentation that a source begins with, as a terminal shows them.
fn documentation(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.filter(|line| !line.starts_with("```")).collect::<Vec<_>>().join("\n")
}
