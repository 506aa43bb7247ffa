//! Imports follow the request, never the answer: the layers of STYLE.md, checked over every `crate::` path in the source.

use std::fs;
use std::path::{Path, PathBuf};

/// Low to high; a module may use those of its own rank and of lower ranks.
const LAYERS: &[&[&str]] = &[
    &["error"],
    &["time", "lru"],
    &["column", "codec"],
    &["window", "aggregate", "sketch", "group", "behavior", "anomaly"],
    &["wire"],
    &["store"],
    &["ingest"],
    &["scan"],
    &["query"],
    &["live"],
    &["engine"],
    &["py"],
];

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// Modules that a source names after `crate::`, groups in braces among them.
fn uses(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let word = |text: &str| {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.push(word(item.trim()));
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(c);
            }
            found.push(word(item.trim()));
        } else {
            found.push(word(rest));
        }
    }
    found
}

fn violations(module: &str, source: &str) -> Vec<String> {
    let own = rank(module).unwrap_or_else(|| panic!("module {module} has no layer: add it to LAYERS"));
    uses(source)
        .into_iter()
        .filter_map(|used| match rank(&used) {
            Some(rank) if rank > own => Some(format!("{module} uses {used}")),
            Some(_) => None,
            None => Some(format!("{module} uses {used}, which has no layer")),
        })
        .collect()
}

#[test]
fn modules_use_lower_layers_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut broken = Vec::new();
    for file in &files {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if module != "lib" {
            broken.extend(violations(module, &fs::read_to_string(file).unwrap()));
        }
    }
    assert!(files.len() > 10, "only {} sources found", files.len());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn an_upward_import_is_noticed() {
    let planted = "use crate::{error::Error, query::{plan, run}, time};\nfn f() -> crate::ingest::Ingest {}";
    assert_eq!(violations("store", planted), ["store uses query", "store uses ingest"]);
    assert_eq!(violations("query", planted), [] as [String; 0]);
}

#[test]
fn only_store_names_heed_and_only_py_names_pyo3() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let inside = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let source = fs::read_to_string(&file).unwrap();
        for (library, room) in [("heed::", "store"), ("pyo3::", "py")] {
            assert!(
                !source.contains(library) || inside.starts_with(room),
                "{inside} names {library}"
            );
        }
    }
}
