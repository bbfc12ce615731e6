//! The modules of this crate import each other one way, so that each can be read without those above it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What a name stands in: letters, digits and underscores.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// All Rust files below a folder, or the file itself.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|entry| files(&entry))
        .filter(|file| file.extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// The modules of a folder, by name.
fn modules(folder: &Path) -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.is_dir() || path.extension().is_some_and(|e| e == "rs"))
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), path))
        .filter(|(name, _)| !["mod", "lib", "main", "tests"].contains(&name.as_str()))
        .collect()
}

/// The names that follow `prefix`, also those of a list in braces, in code without comments and unit tests.
fn names_after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let after =
        lines.flat_map(|line| line.match_indices(prefix).map(move |(at, _)| &line[at + prefix.len()..]));
    after
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list.split(", ").collect(),
            None => vec![rest],
        })
        .filter_map(|name| name.split(|c| !is_word(c)).next())
        .collect()
}

/// A way from `from` back to `to`, if there is any.
fn way<'g>(graph: &'g BTreeMap<String, BTreeSet<String>>, from: &'g str, to: &str) -> Option<Vec<&'g str>> {
    let (mut open, mut seen) = (vec![vec![from]], BTreeSet::new());
    while let Some(path) = open.pop() {
        for next in graph.get(*path.last()?)? {
            let path = [&path[..], &[next.as_str()]].concat();
            if next == to {
                return Some(path);
            }
            if seen.insert(next) {
                open.push(path);
            }
        }
    }
    None
}

/// Checks the modules of `folder`, whose path in the crate is `path`, and those of the folders in it.
fn check(folder: &Path, path: &str, circles: &mut Vec<String>) {
    let modules = modules(folder);
    let mut graph = BTreeMap::new();
    for (name, place) in &modules {
        let mut used = BTreeSet::new();
        for file in files(place) {
            let code = fs::read_to_string(&file).expect("a source file");
            let direct = file == *place || file == place.join("mod.rs");
            let near = if direct { names_after(&code, "super::") } else { Vec::new() };
            let names = names_after(&code, path).into_iter().chain(near);
            used.extend(names.filter(|used| *used != name && modules.contains_key(*used)).map(str::to_owned));
        }
        graph.insert(name.clone(), used);
    }
    for name in modules.keys() {
        circles.extend(way(&graph, name, name).map(|way| format!("{path}{}", way.join(" -> "))));
    }
    for (name, place) in modules.iter().filter(|(_, place)| place.is_dir()) {
        check(place, &format!("{path}{name}::"), circles);
    }
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "crate::", &mut circles);
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn a_circle_would_be_found() {
    let root = tempfile::tempdir().expect("a folder");
    for (file, code) in [
        ("a.rs", "use crate::inner::c;"),
        ("b.rs", "// use crate::a;\nuse super::{Name, a::f};"),
        ("inner/mod.rs", "mod c;\nmod d;"),
        ("inner/c.rs", "use crate::{b, x};"),
        ("inner/d.rs", "use super::c::f;"),
    ] {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, code).expect("a file");
    }
    let mut circles = Vec::new();
    check(root.path(), "crate::", &mut circles);
    let expected = ["a -> inner -> b -> a", "b -> a -> inner -> b", "inner -> b -> a -> inner"];
    assert_eq!(circles, expected.map(|way| format!("crate::{way}")));
}
