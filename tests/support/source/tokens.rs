//! A source text as tokens.

/// Identifiers, `::`, and single punctuation characters.
pub(super) fn tokens(source: &str) -> Vec<String> {
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

pub(super) fn is_word(char: char) -> bool {
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

/// Leaves out every item that is for tests, or for them and what fuzzes or measures.
pub(super) fn without_tests(tokens: &[String]) -> Vec<String> {
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

pub(super) fn is_test_attribute(tokens: &[String]) -> bool {
    const FORMS: [&[&str]; 4] = [
        &["#", "[", "cfg", "(", "test", ")"],
        &["#", "[", "cfg", "(", "all", "(", "test"],
        &["#", "[", "cfg", "(", "any", "(", "test", ",", "fuzzing", ")"],
        &["#", "[", "cfg", "(", "any", "(", "test", ",", "measuring", ")"],
    ];
    FORMS.iter().any(|form| tokens.iter().take(form.len()).eq(form.iter()))
}

/// The end of an item: a `;` or the end of a block, whichever comes first outside brackets.
pub(super) fn item_end(tokens: &[String], from: usize) -> usize {
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
