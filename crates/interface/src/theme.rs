//! Themes: TOML files that define the style of each meaning.

use std::path::Path;

use ratatui::style::{Color, Modifier, Style};
use toml::{Table, Value};

mod contrast;
mod depth;
pub(super) mod indexed;
mod meaning;

pub use depth::Depth;
pub use meaning::Meaning;

const EMBEDDED: [&str; 8] = [
    include_str!("../../../themes/dark.toml"),
    include_str!("../../../themes/light.toml"),
    include_str!("../../../themes/high-contrast.toml"),
    include_str!("../../../themes/colour-blind.toml"),
    include_str!("../../../themes/monochrome.toml"),
    include_str!("../../../themes/ember.toml"),
    include_str!("../../../themes/tide.toml"),
    include_str!("../../../themes/phosphor.toml"),
];

/// The name of the theme for dark backgrounds.
pub const DARK: &str = "dark";

/// The name of the theme for light backgrounds.
pub const LIGHT: &str = "light";

/// The name of the theme without colours.
pub const MONOCHROME: &str = "monochrome";

/// A style for each meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    /// Its name.
    pub name: String,
    styles: [Style; Meaning::ALL.len()],
    background: Option<Color>,
}

/// The available themes, and what was wrong with unusable ones.
#[derive(Debug, Clone)]
pub struct Themes {
    /// Never empty.
    pub list: Vec<Theme>,
    /// One sentence for each theme that cannot be used.
    pub warnings: Vec<String>,
}

impl Theme {
    /// The style of a meaning.
    #[must_use]
    pub fn style(&self, meaning: Meaning) -> Style {
        self.styles[meaning as usize]
    }

    /// The style of the screen's background.
    #[must_use]
    pub fn ground(&self) -> Style {
        let style = self.style(Meaning::Text);
        self.background.map_or(style, |color| style.bg(color))
    }

    /// Parses a theme over `base`; a meaning that neither defines has its parent's style.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    fn parse(table: &Table) -> Result<Self, String> {
        if let Some(unknown) =
            table.keys().find(|key| !["name", "palette", "meaning", "background"].contains(&key.as_str()))
        {
            return Err(format!("\"{unknown}\" is not name, background, [palette] or [meaning]"));
        }
        let empty = Table::new();
        let section =
            |name: &str| table.get(name).map_or(Some(&empty), Value::as_table).ok_or(format!("{name} is not a table"));
        let (palette, meanings) = (section("palette")?, section("meaning")?);
        if let Some(unknown) = meanings.keys().find(|key| Meaning::from_name(key).is_none()) {
            return Err(format!("\"{unknown}\" is not a meaning; there are {}", Meaning::names()));
        }
        let mut styles = [Style::new(); Meaning::ALL.len()];
        // Parents come before their children in the list.
        for meaning in Meaning::ALL {
            let inherited = meaning.parent().map_or_else(Style::new, |parent| styles[parent as usize]);
            styles[meaning as usize] = match meanings.get(meaning.name()) {
                Some(value) => style(value, palette).map_err(|error| format!("{}: {error}", meaning.name()))?,
                None => inherited,
            };
        }
        let background = table.get("background").map(|value| color(value, palette)).transpose()?;
        let name = table.get("name").and_then(Value::as_str).ok_or("it has no name")?.to_owned();
        Ok(Self { name, styles, background })
    }
}

impl Themes {
    /// The embedded themes, and those of the user's folder, if given. A user's theme with the name of an embedded one
    /// overrides only the meanings that it defines.
    #[must_use]
    pub fn load(folder: Option<&Path>, depth: Depth) -> Self {
        let mut tables: Vec<Table> = EMBEDDED.iter().filter_map(|text| text.parse().ok()).collect();
        let mut warnings = Vec::new();
        for path in folder.map(theme_files).unwrap_or_default() {
            let read = std::fs::read_to_string(&path)
                .map_err(|error| error.to_string())
                .and_then(|text| text.parse::<Table>().map_err(|error| error.message().to_owned()))
                .and_then(|mut table| {
                    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                    table.entry("name").or_insert(Value::String(stem));
                    let known = tables.iter().position(|known| known.get("name") == table.get("name"));
                    let merged = known.map_or_else(Table::new, |index| tables[index].clone());
                    let merged = overlay(merged, table);
                    Theme::parse(&merged)?;
                    match known {
                        Some(index) => tables[index] = merged,
                        None => tables.push(merged),
                    }
                    Ok(())
                });
            if let Err(error) = read {
                warnings.push(format!("theme {}: {error}; it is left out", path.display()));
            }
        }
        let list = tables.iter().filter_map(|table| Theme::parse(table).ok()).map(|theme| depth.limit(theme)).collect();
        Self { list, warnings }
    }

    /// The index of the theme with this name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|theme| theme.name == name)
    }
}

fn theme_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

/// Merges `over` into `base`, table by table.
fn overlay(mut base: Table, over: Table) -> Table {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(table)) => *inner = overlay(std::mem::take(inner), table),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
    base
}

fn style(value: &Value, palette: &Table) -> Result<Style, String> {
    let Value::Table(table) = value else {
        return Ok(Style::new().fg(color(value, palette)?));
    };
    let mut style = Style::new();
    for (key, value) in table {
        let modifier = match key.as_str() {
            "fg" => {
                style = style.fg(color(value, palette)?);
                continue;
            }
            "bg" => {
                style = style.bg(color(value, palette)?);
                continue;
            }
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underline" => Modifier::UNDERLINED,
            "reverse" => Modifier::REVERSED,
            _ => return Err(format!("\"{key}\" is not fg, bg, bold, dim, italic, underline or reverse")),
        };
        if value.as_bool().ok_or(format!("{key} takes true or false"))? {
            style = style.add_modifier(modifier);
        }
    }
    Ok(style)
}

fn color(value: &Value, palette: &Table) -> Result<Color, String> {
    let name = value.as_str().ok_or("a colour is a text")?;
    let text = palette.get(name).and_then(Value::as_str).unwrap_or(name);
    text.parse().map_err(|_| {
        format!("\"{name}\" is neither in the palette nor a colour such as \"#7dcfdf\", \"red\" or \"81\"")
    })
}

#[cfg(test)]
mod tests;
