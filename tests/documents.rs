//! The reference documents, made from the tables that the program itself reads: `make docs` writes them anew, and
//! without that this test says where they differ.

use std::fmt::Write;
use std::path::Path;

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
