//! The paths in a source text that lead to modules of its crate.

use super::tokens::{tokens, without_tests};

/// A path from the crate's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    /// `crate::net::dial` is `["net", "dial"]`.
    pub(crate) path: Vec<String>,
    /// By which name the module has it from here on, if it is of a `use`.
    pub(crate) name: Option<String>,
}

/// The paths that a source text names outside comments, strings and tests: those that begin with
/// `crate`, `super` or `self`, and those that begin with a module which is declared here.
///
/// `module` is the path of the file's module: `["net", "dial"]` for `src/net/dial.rs`.
pub(crate) fn named_paths(source: &str, module: &[&str]) -> Vec<NamedPath> {
    let tokens = without_tests(&tokens(source));
    let mut path: Vec<String> = module.iter().map(ToString::to_string).collect();
    let mut walker = Walker {
        children: children(&tokens),
        tokens: &tokens,
        at: 0,
        in_use: false,
        depth: path.len(),
        paths: Vec::new(),
    };
    walker.module(&mut path);
    walker.paths
}

/// The paths alone.
pub(crate) fn crate_paths(source: &str, module: &[&str]) -> Vec<Vec<String>> {
    named_paths(source, module).into_iter().map(|named| named.path).collect()
}

/// The modules that a file declares, in files of their own or here.
fn children(tokens: &[String]) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "mod" if depth == 0 => names.extend(tokens.get(at + 1).cloned()),
            _ => {}
        }
    }
    names
}

struct Walker<'a> {
    tokens: &'a [String],
    at: usize,
    /// The modules that the file itself declares, and how long its path is.
    children: Vec<String>,
    depth: usize,
    /// Within a `use`.
    in_use: bool,
    paths: Vec<NamedPath>,
}

impl Walker<'_> {
    fn peek(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", String::as_str)
    }

    /// Walks through the body of the module at `path`, until its closing brace.
    fn module(&mut self, path: &mut Vec<String>) {
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "mod" if self.peek(2) == "{" => {
                    path.push(self.peek(1).to_owned());
                    self.at += 3;
                    self.module(path);
                    path.pop();
                    continue;
                }
                // A restriction of visibility imports nothing.
                "pub" if self.peek(1) == "(" => {
                    while self.at < self.tokens.len() && self.peek(0) != ")" {
                        self.at += 1;
                    }
                }
                "use" if !self.stays_inside() => {
                    while self.at < self.tokens.len() && self.peek(0) != ";" {
                        self.at += 1;
                    }
                }
                "use" => self.in_use = true,
                ";" => self.in_use = false,
                "crate" => {
                    self.at += 1;
                    self.tree(Vec::new());
                    continue;
                }
                "super" => {
                    let up = self.supers();
                    self.tree(path[..path.len().saturating_sub(up)].to_vec());
                    continue;
                }
                "self" if self.peek(1) == "::" => {
                    self.at += 1;
                    self.tree(path.clone());
                    continue;
                }
                name if path.len() == self.depth && self.is_child(name) => {
                    let mut base = path.clone();
                    base.push(name.to_owned());
                    self.at += 1;
                    self.tree(base);
                    continue;
                }
                "{" => depth += 1,
                "}" if depth == 0 => {
                    self.at += 1;
                    return;
                }
                "}" => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Whether the `use` that begins here is of something in the crate.
    fn stays_inside(&self) -> bool {
        let root = self.peek(1);
        ["crate", "super", "self"].contains(&root) || self.children.iter().any(|name| name == root)
    }

    /// Whether a path begins here with a module that the file declares.
    fn is_child(&self, name: &str) -> bool {
        let before = self.at.checked_sub(1).map_or("", |at| &self.tokens[at]);
        let is_path = before == "use" || before != "::" && self.peek(1) == "::";
        is_path && self.children.iter().any(|child| child == name)
    }

    /// Passes over `super::super` and counts them.
    fn supers(&mut self) -> usize {
        let mut count = 1;
        self.at += 1;
        while self.peek(0) == "::" && self.peek(1) == "super" {
            count += 1;
            self.at += 2;
        }
        count
    }

    /// Notes every path that begins with `base` and goes on with `::` here.
    fn tree(&mut self, mut base: Vec<String>) {
        while self.peek(0) == "::" {
            self.at += 1;
            if self.peek(0) == "{" {
                self.at += 1;
                self.group(&base);
                return;
            }
            // `Vec::<u8>::new`: types are no paths of modules.
            if self.peek(0) == "<" {
                break;
            }
            base.push(self.peek(0).to_owned());
            self.at += 1;
        }
        self.note(base);
    }

    /// `{a, b::c, self}` after `base`.
    fn group(&mut self, base: &[String]) {
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "}" => {
                    self.at += 1;
                    return;
                }
                "," => self.at += 1,
                "self" => {
                    self.at += 1;
                    self.note(base.to_vec());
                }
                name => {
                    let mut path = base.to_vec();
                    path.push(name.to_owned());
                    self.at += 1;
                    self.tree(path);
                }
            }
        }
    }

    /// Notes a path that ends here, with the name that it gets.
    fn note(&mut self, path: Vec<String>) {
        let mut name = path.last().cloned().filter(|_| self.in_use);
        if self.in_use && self.peek(0) == "as" {
            name = Some(self.peek(1).to_owned());
            self.at += 2;
        }
        self.paths.push(NamedPath { path, name });
    }
}
