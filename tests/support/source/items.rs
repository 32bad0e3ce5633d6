//! The items of a source text: modules, types, and what they have methods of.

use super::tokens::{is_test_attribute, is_word, item_end, tokens, without_tests};

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

/// The names of the types that a source text defines outside tests: structs, enums, traits and
/// aliases, also those within functions; not the associated types of traits.
pub(crate) fn defined_types(source: &str) -> Vec<String> {
    let tokens = without_tests(&tokens(source));
    let mut names = Vec::new();
    // For each block that is open: whether it is that of a trait or an implementation.
    let mut blocks = Vec::new();
    let mut is_of_trait = false;
    for (at, token) in tokens.iter().enumerate() {
        let is_item = begins_item(&tokens, at);
        match token.as_str() {
            "impl" if is_item => is_of_trait = true,
            "struct" | "enum" | "trait" if is_item => {
                is_of_trait = token == "trait";
                names.extend(tokens.get(at + 1).cloned());
            }
            "type" if is_item && blocks.last() != Some(&true) => {
                names.extend(tokens.get(at + 1).cloned());
            }
            ";" => is_of_trait = false,
            "{" => blocks.push(std::mem::take(&mut is_of_trait)),
            "}" => drop(blocks.pop()),
            _ => {}
        }
    }
    names
}

/// The names of the types that a source text has methods of outside tests, its own or those of a
/// trait.
pub(crate) fn implemented_types(source: &str) -> Vec<String> {
    let tokens = without_tests(&tokens(source));
    let starts = (0..tokens.len()).filter(|&at| tokens[at] == "impl" && begins_item(&tokens, at));
    starts.filter_map(|at| implemented(&tokens[at + 1..])).collect()
}

/// Whether an item may begin with this token, after its attributes and its visibility.
fn begins_item(tokens: &[String], at: usize) -> bool {
    let before = at.checked_sub(1).map_or(";", |at| &tokens[at]);
    // The end of another item, of an attribute, and of `pub(…)`.
    ["}", ";", "{", "]", ")", "pub", "unsafe"].contains(&before)
}

/// The name of the type in the head of an implementation.
fn implemented(tokens: &[String]) -> Option<String> {
    let mut depth = 0_usize;
    let mut name = None;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "<" => depth += 1,
            // Not that of an arrow.
            ">" if at > 0 && tokens[at - 1] != "-" => depth = depth.saturating_sub(1),
            "{" | "where" if depth == 0 => return name,
            "for" if depth == 0 => name = None,
            word if depth == 0 && word.chars().all(is_word) => name = Some(word.to_owned()),
            _ => {}
        }
    }
    name
}
