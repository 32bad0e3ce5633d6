//! Rust source as far as the tests of the floors need it: which modules of its crate it names.

/// The paths from the crate's root that a source text names outside comments, strings and tests, as
/// their first segment and what follows it: `crate::net::dial` is `["net", "dial"]`.
///
/// `module` is the path of the file's module: `["net", "dial"]` for `src/net/dial.rs`.
pub(crate) fn crate_paths(source: &str, module: &[&str]) -> Vec<Vec<String>> {
    let tokens = without_tests(&tokens(source));
    let mut walker = Walker { tokens: &tokens, at: 0, paths: Vec::new() };
    let mut path: Vec<String> = module.iter().map(ToString::to_string).collect();
    walker.module(&mut path);
    walker.paths
}

/// The identifiers of a source text outside comments, strings and tests.
pub(crate) fn identifiers(source: &str) -> Vec<String> {
    let mut tokens = without_tests(&tokens(source)).clone();
    tokens.retain(|token| token.chars().all(is_word));
    tokens
}

/// Identifiers, `::`, and single punctuation characters.
fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        let end = match first {
            '/' if next == Some('/') => find(&chars, at, |rest| rest[0] == '\n'),
            '/' if next == Some('*') => block_comment(&chars, at),
            '"' => string(&chars, at),
            '\'' => quote(&chars, at),
            'r' | 'b' | 'c' if literal_prefix(&chars, at).is_some() => {
                literal_prefix(&chars, at).unwrap_or(at + 1)
            }
            ':' if next == Some(':') => at + 2,
            _ if is_word(first) => find(&chars, at, |rest| !is_word(rest[0])),
            _ => at + 1,
        };
        if is_word(first) && is_word(chars[end - 1]) || !(is_word(first) || "/\"'".contains(first))
        {
            let text: String = chars[at..end].iter().collect();
            if !text.trim().is_empty() {
                tokens.push(text);
            }
        }
        at = end;
    }
    tokens
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn find(chars: &[char], from: usize, stop: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|&at| stop(&chars[at..])).unwrap_or(chars.len())
}

/// The end of a block comment, which may hold others.
fn block_comment(chars: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at < chars.len() {
        if chars[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if chars[at..].starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The end of a string that begins with a quote at `from`.
fn string(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of a character literal, or of the quote of a lifetime.
fn quote(chars: &[char], from: usize) -> usize {
    match (chars.get(from + 1), chars.get(from + 2)) {
        (Some('\\'), _) => find(chars, from + 3, |rest| rest[0] == '\'') + 1,
        (Some(_), Some('\'')) => from + 3,
        _ => from + 1,
    }
}

/// The end of `b"…"`, `r#"…"#`, `b'…'` and their kin, if one begins here.
fn literal_prefix(chars: &[char], from: usize) -> Option<usize> {
    let letters = find(chars, from, |rest| !matches!(rest[0], 'r' | 'b' | 'c'));
    let quoted = find(chars, letters, |rest| rest[0] != '#');
    let raw = chars[from..letters].contains(&'r');
    match chars.get(quoted)? {
        '"' if raw => {
            let hashes = quoted - letters;
            let closes = |rest: &[char]| {
                rest[0] == '"'
                    && rest.len() > hashes
                    && rest[1..=hashes].iter().all(|&char| char == '#')
            };
            Some(find(chars, quoted + 1, closes) + 1 + hashes)
        }
        '"' if quoted == letters => Some(string(chars, quoted)),
        '\'' if quoted == letters && letters == from + 1 && chars[from] == 'b' => {
            Some(quote(chars, quoted))
        }
        _ => None,
    }
}

/// Leaves out every item that stands under `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_attribute(&tokens[at..]) {
            at = item_end(tokens, at + 1);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

fn is_test_attribute(tokens: &[String]) -> bool {
    const FORMS: [&[&str]; 2] =
        [&["#", "[", "cfg", "(", "test", ")"], &["#", "[", "cfg", "(", "all", "(", "test"]];
    FORMS.iter().any(|form| tokens.iter().take(form.len()).eq(form.iter()))
}

/// The modules in files of their own that the source declares for tests only.
pub(crate) fn test_modules(source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let mut names = Vec::new();
    for at in (0..tokens.len()).filter(|&at| is_test_attribute(&tokens[at..])) {
        let item = &tokens[at..item_end(&tokens, at + 1)];
        if let [.., keyword, name, end] = item {
            if keyword == "mod" && end == ";" {
                names.push(name.clone());
            }
        }
    }
    names
}

/// The end of an item: a `;` or the end of a block, whichever comes first outside brackets.
fn item_end(tokens: &[String], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" if depth <= 1 => return at + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

struct Walker<'a> {
    tokens: &'a [String],
    at: usize,
    paths: Vec<Vec<String>>,
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
            base.push(self.peek(0).to_owned());
            self.at += 1;
        }
        self.paths.push(base);
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
                "as" => self.at += 2,
                "self" => {
                    self.at += 1;
                    self.paths.push(base.to_vec());
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
}
