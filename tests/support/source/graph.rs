//! Which file of a library needs which other one, and what goes in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, NamedPath, defined_types, implemented_types, named_paths};

/// All files, by the paths of their modules.
pub(crate) struct Library {
    files: Vec<File>,
    by_module: BTreeMap<Vec<String>, usize>,
    /// For each file, the paths that it names.
    paths: Vec<Vec<NamedPath>>,
}

/// How far a name is followed through modules that only pass it on.
const FOLLOWED: usize = 8;

impl Library {
    pub(crate) fn new(files: Vec<File>) -> Self {
        let by_module =
            files.iter().enumerate().map(|(at, file)| (file.module.clone(), at)).collect();
        let paths = files
            .iter()
            .map(|file| {
                let module: Vec<&str> = file.module.iter().map(String::as_str).collect();
                named_paths(&file.text, &module)
            })
            .collect();
        Self { files, by_module, paths }
    }

    /// For each file, those that it needs: where what it names is defined, as far as that is
    /// simple, or else the file of the module that it names it by. Nobody needs the root, which
    /// passes everything on, and the root needs nobody.
    pub(crate) fn needs(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (at, file) in self.files.iter().enumerate().filter(|(_, file)| !file.module.is_empty())
        {
            let needed = self.paths[at].iter().filter_map(|named| self.defining(&named.path));
            let others = needed.filter(|&other| other != at).map(|other| &self.files[other]);
            let names = others.filter(|other| !other.module.is_empty());
            all.insert(&file.name, names.map(|other| other.name.as_str()).collect());
        }
        all
    }

    /// The file in which this is defined.
    fn defining(&self, path: &[String]) -> Option<usize> {
        let mut path = path.to_vec();
        for _ in 0..FOLLOWED {
            let length =
                (0..=path.len()).rev().find(|&n| self.by_module.contains_key(&path[..n]))?;
            let file = self.by_module[&path[..length]];
            let Some(name) = path.get(length) else { return Some(file) };
            let passed_on = self.paths[file].iter().find(|named| named.name.as_ref() == Some(name));
            match passed_on {
                // It is passed on by another name of itself only.
                Some(named) if named.path != path[..=length] => {
                    path = [named.path.as_slice(), &path[length + 1..]].concat();
                }
                _ => return Some(file),
            }
        }
        None
    }

    /// The circles of files that no type holds together: none has methods in each of them.
    pub(crate) fn loose_circles(&self) -> Vec<Vec<String>> {
        let mut found = circles(&self.needs());
        found.retain(|circle| self.shared_types(circle).is_empty());
        found
    }

    /// The files in which each type is defined that is defined in several.
    pub(crate) fn ambiguous_types(&self) -> BTreeMap<String, Vec<&str>> {
        let mut all: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for file in &self.files {
            let types: BTreeSet<String> = defined_types(&file.text).into_iter().collect();
            for name in types {
                all.entry(name).or_default().push(&file.name);
            }
        }
        all.retain(|_, files| files.len() > 1);
        all
    }

    /// The types that have methods in each of these files.
    fn shared_types(&self, names: &[String]) -> BTreeSet<String> {
        let files = self.files.iter().filter(|file| names.contains(&file.name));
        let types = files.map(|file| implemented_types(&file.text).into_iter().collect());
        let shared = types.reduce(|one: BTreeSet<String>, other| &one & &other);
        let defined = self.files.iter().flat_map(|file| defined_types(&file.text)).collect();
        &shared.unwrap_or_default() & &defined
    }
}

/// What goes in a circle: groups of which each member needs each other one, maybe by way of others.
pub(crate) fn circles(needs: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<Vec<String>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        needs.keys().map(|&name| (name, reached(needs, name))).collect();
    let mut found = BTreeSet::new();
    for (name, others) in &reached {
        let back = |other: &&&str| reached.get(**other).is_some_and(|back| back.contains(name));
        let circle: Vec<String> = others.iter().filter(back).map(ToString::to_string).collect();
        if !circle.is_empty() {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// All that something needs, directly or by way of others.
fn reached<'a>(needs: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut to_do: Vec<&str> = needs.get(start).into_iter().flatten().copied().collect();
    while let Some(name) = to_do.pop() {
        if seen.insert(name) {
            to_do.extend(needs.get(name).into_iter().flatten());
        }
    }
    seen
}
