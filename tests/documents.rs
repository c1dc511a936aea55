//! The documents. The references of keys and recipe are made from the tables that the program itself reads: `make docs` writes
//! them anew, and without that this test says where they differ. Links, anchors and paths of all documents lead somewhere, and
//! the example of the library runs.

#[path = "../examples/sparse_selection.rs"]
#[expect(dead_code, reason = "its `main`")]
mod sparse_selection;

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use regex::Regex;
use spartui::family::FAMILIES;
use spartui::interface::keys::{Context, Keymap};
use spartui::recipe::{FIELDS, Kind, Recipe};

/// Set to write the documents instead of comparing them.
const UPDATE: &str = "SPARTUI_WRITE_DOCS";

fn check(name: &str, document: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, document).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(document.lines()).position(|(found, wanted)| found != wanted);
    let line = differs.unwrap_or_else(|| found.lines().count().min(document.lines().count())) + 1;
    assert!(
        found == document,
        "docs/{name} differs from the program's table at line {line}; `make docs` writes it anew"
    );
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;")
}

/// Text in the type of a terminal, also where it holds the mark of that.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

#[test]
fn keys() {
    let keymap = Keymap::default();
    let mut text = String::from(
        "# Keys\n\n\
         Made from the program's table of keys by `make docs`; `?` shows the same in the program, and `:` finds an action \
         by a few letters of its name.\n\n\
         `spartui keys` prints the keys in force as a TOML file. Lines of it in `~/.config/spartui/keys.toml` (or in \
         `$XDG_CONFIG_HOME/spartui/`, or in the file that `--keys` or `SPARTUI_KEYS` names) take the place of the built-in \
         keys, and footer, help and palette show them:\n\n\
         ```toml\n[cockpit]\npause = [\"p\", \"ctrl-p\"]\nexport = []          # no key; the palette still does it\n```\n\n\
         A key that would mean two things is refused, and both are named.\n",
    );
    for context in Context::ALL {
        writeln!(text, "\n## `[{}]` {}\n", context.name(), context.heading()).unwrap();
        text.push_str("| keys | actions | what they do |\n|---|---|---|\n");
        for bound in keymap.lines(context) {
            let keys: Vec<String> = bound.keys.iter().map(|(press, _)| code(&press.label(false))).collect();
            let actions: Vec<String> = bound.actions().map(|action| code(action.name())).collect();
            writeln!(text, "| {} | {} | {} |", keys.join(" "), actions.join(" "), cell(bound.line.help)).unwrap();
        }
    }
    check("keys.md", &text);
}

#[test]
fn models() {
    let mut text = String::from(
        "# Models\n\n\
         Made from the program's table of families by `make docs`. The family of a model is `model_type` in its config.json. \
         Checkpoints are examples: others with the same `model_type` run too, unless config.json has a switch that is not \
         implemented, which is refused by name. Groups are what `method.targets` names. Each family is compared with \
         transformers on small random models: [How it is checked](how-it-is-checked.md).\n\n\
         | `model_type` | task | groups | checkpoints |\n|---|---|---|---|\n",
    );
    for family in FAMILIES {
        let task = match (family.causal, family.classifier) {
            (Some(_), Some(_)) => "writes, classifies",
            (Some(_), None) => "writes",
            (None, _) => "classifies",
        };
        let groups: Vec<String> = family.groups.iter().map(|(name, _)| code(name)).collect();
        let link = |name: &&str| format!("[{name}](https://huggingface.co/{name})");
        let checkpoints: Vec<String> = family.checkpoints.iter().map(link).collect();
        let row = [code(family.name), task.into(), groups.join(", "), checkpoints.join(", ")];
        writeln!(text, "| {} |", row.join(" | ")).unwrap();
    }
    check("models.md", &text);
}

#[test]
fn recipe() {
    let defaults = Recipe::default();
    let mut text = String::from(
        "# Recipe\n\n\
         Made from the program's table of fields by `make docs`; `spartui train --help` shows the same. A recipe is a TOML \
         file with a table for each section; what it leaves out has its default. `--set SECTION.FIELD=VALUE` changes a \
         field for one run. Fields marked *live* can be changed while the run trains, in the cockpit by their row in the \
         settings or as `:set FIELD VALUE`.\n",
    );
    let mut section = "";
    for field in FIELDS {
        let (table, name) = field.name.split_once('.').unwrap();
        if table != section {
            section = table;
            write!(text, "\n## `[{table}]`\n\n| field | meaning | takes | default |\n|---|---|---|---|\n").unwrap();
        }
        let default = defaults.get(field.name).map_or_else(String::new, |value| code(&value.to_string()));
        let live = if field.live { " *live*" } else { "" };
        let takes = if matches!(field.kind, Kind::Text) { "a text".to_owned() } else { field.kind.describe() };
        writeln!(text, "| `{name}`{live} | {} | {} | {default} |", cell(field.help), cell(&takes)).unwrap();
    }
    check("recipe.md", &text);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown files below these folders, and those beside this project's README.
fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut folders: Vec<PathBuf> = ["docs", "benches", "examples"].map(|name| root().join(name)).into();
    let files =
        |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    found.extend(files(root()));
    while let Some(folder) = folders.pop() {
        // The runs of the study, the parts that its report is made of, and what is not of the project.
        if folder.ends_with("work")
            || folder.ends_with("chapters")
            || folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
        {
            continue;
        }
        let (inner, beside): (Vec<_>, Vec<_>) = files(&folder).into_iter().partition(|path| path.is_dir());
        folders.extend(inner);
        found.extend(beside);
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found.sort();
    found
}

/// Without the changelog and the history of measurements, which tell of the past.
fn current_documents() -> Vec<PathBuf> {
    let is_past = |path: &PathBuf| path.ends_with("CHANGELOG.md") || path.ends_with("HISTORY.md");
    documents().into_iter().filter(|path| !is_past(path)).collect()
}

/// A document without its blocks of code, in which nothing is a link or a heading.
fn prose(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(path: &Path) -> Vec<String> {
    let mut count: HashMap<String, usize> = HashMap::new();
    let headings = prose(path);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>()
    };
    let mut all = Vec::new();
    for anchor in headings.map(anchor) {
        let earlier = count.entry(anchor.clone()).or_default();
        all.push(if *earlier == 0 { anchor } else { format!("{anchor}-{earlier}") });
        *earlier += 1;
    }
    all
}

#[test]
fn every_link_leads_to_a_file_and_an_anchor() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut broken = Vec::new();
    for document in documents() {
        let text = prose(&document);
        for link in link.captures_iter(&text).map(|found| found[1].to_owned()).filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            if !target.exists() || !(anchor.is_empty() || anchors(&target).iter().any(|known| known == anchor)) {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

/// What stands in backticks and begins with a folder of the project is a file or a folder of it.
#[test]
fn every_path_that_is_named_exists() {
    let path = Regex::new(r"`((?:src|crates|tests|docs|benches|examples|scripts|themes)/[^`\s]*)`").unwrap();
    let mut missing = Vec::new();
    for document in current_documents() {
        let text = prose(&document);
        let named = path.captures_iter(&text).map(|found| found[1].to_owned());
        missing.extend(
            named.filter(|path| !root().join(path).exists()).map(|path| format!("{}: {path}", document.display())),
        );
    }
    assert!(missing.is_empty(), "paths that do not exist:\n{}", missing.join("\n"));
}

/// The table of the path of a change through the code: the functions of a row occur in the files of that row.
#[test]
fn functions_of_the_architecture_are_where_it_says() {
    let text = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let code = Regex::new(r"`([^`]+)`").unwrap();
    let (mut rows, mut wrong) = (0, Vec::new());
    for row in text.lines().filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit()) {
        let cells: Vec<&str> = row.split('|').collect();
        let [_, _, _, functions, files, _] = cells[..] else { panic!("{row}") };
        let in_code = |cell: &str| code.captures_iter(cell).map(|found| found[1].to_owned()).collect::<Vec<_>>();
        let source: String = in_code(files).iter().map(|path| source_of(&root().join(path))).collect();
        for function in in_code(functions) {
            let name = function.rsplit("::").next().unwrap_or_default();
            if !Regex::new(&format!(r"\b{name}\b")).unwrap().is_match(&source) {
                wrong.push(format!("{function} in {files}"));
            }
        }
        rows += 1;
    }
    assert!(rows > 10 && wrong.is_empty(), "functions that are elsewhere:\n{}", wrong.join("\n"));
}

/// "`name` in `file`": there it is.
#[test]
fn what_a_page_places_in_a_file_is_there() {
    let placed = Regex::new(r"`([A-Za-z_][\w:]*)`\s+in\s+`((?:crates|src|tests)/[^`]+)`").unwrap();
    let (mut found, mut wrong) = (0, Vec::new());
    for document in current_documents() {
        for place in placed.captures_iter(&prose(&document)) {
            let name = place[1].rsplit("::").next().unwrap_or_default();
            if !Regex::new(&format!(r"\b{name}\b")).unwrap().is_match(&source_of(&root().join(&place[2]))) {
                wrong.push(format!("{}: {}", document.display(), &place[0]));
            }
            found += 1;
        }
    }
    assert!(found > 20 && wrong.is_empty(), "{found} found; elsewhere:\n{}", wrong.join("\n"));
}

/// A file, or all files of a folder.
fn source_of(path: &Path) -> String {
    if path.is_file() {
        return std::fs::read_to_string(path).unwrap();
    }
    std::fs::read_dir(path).unwrap().map(|entry| source_of(&entry.unwrap().path())).collect()
}

#[test]
fn the_readme_is_short_and_every_page_is_in_the_list() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 150, "README.md has {} lines; 150 is the most", readme.lines().count());
    let list = std::fs::read_to_string(root().join("docs/README.md")).unwrap();
    let pages = documents().into_iter().filter(|path| path.parent() == Some(root().join("docs").as_path()));
    let names = pages.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    let left_out: Vec<String> =
        names.filter(|name| name != "README.md" && !list.contains(&format!("]({name})"))).collect();
    assert!(left_out.is_empty(), "docs/README.md does not link to {left_out:?}");
}

#[test]
fn the_example_of_the_library_runs() {
    let mut written = Vec::new();
    sparse_selection::show(&mut written).unwrap();
    let written = String::from_utf8(written).unwrap();
    for expected in [
        "95 % sparsity: 102 of 2048 scalars train",
        "99 % sparsity: 20 scalars train; a subset of those at 95 %: true",
        "scalars that differ from the base weight: 102",
        "raised to 99 %: 82 scalars left, 0 weights changed",
        "taken out: 0 scalars differ from the base weight",
    ] {
        assert!(written.contains(expected), "{expected} is missing in:\n{written}");
    }
}
