//! The theme that the user chose in the interface, stored for the next start.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use toml::{Table, Value};

use spartui_run::follow_links;

/// The file, in the user's folder.
const FILE: &str = "chosen.toml";

/// The theme that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChosenTheme {
    /// One theme.
    One(String),
    /// A theme for dark backgrounds, and one for light ones.
    Pair {
        /// Name of the theme for dark backgrounds.
        dark: String,
        /// Name of the theme for light backgrounds.
        light: String,
    },
}

impl ChosenTheme {
    /// Reads the theme that was chosen last; none if none ever was.
    ///
    /// # Errors
    /// One sentence that says what is wrong with the file.
    pub fn read(folder: &Path) -> Result<Option<Self>, String> {
        let file = folder.join(FILE);
        let wrong =
            |why: String| format!("{}: {why}; it is ignored, and written again when a theme is chosen", file.display());
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let table: Table = text.parse().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
        let name = |value: Option<&Value>| value.and_then(Value::as_str).map(ToOwned::to_owned);
        let chosen = match table.get("theme") {
            None => return Ok(None),
            Some(Value::Table(pair)) => {
                name(pair.get("dark")).zip(name(pair.get("light"))).map(|(dark, light)| Self::Pair { dark, light })
            }
            theme => name(theme).map(Self::One),
        };
        let takes = "theme takes the name of a theme, or { dark = \"NAME\", light = \"NAME\" }";
        chosen.map(Some).ok_or_else(|| wrong(takes.into()))
    }

    /// Stores this theme for the next start; of a pair of themes, it replaces the one for the current background. The
    /// file is replaced at once.
    ///
    /// # Errors
    /// One sentence that says why it could not be written.
    pub fn write(folder: &Path, theme: &str, on_light: Option<bool>) -> Result<(), String> {
        let file = folder.join(FILE);
        let text = |name: &str| Value::String(name.to_owned());
        let value = match (Self::read(folder), on_light) {
            (Ok(Some(Self::Pair { dark, light })), Some(on_light)) => {
                let (dark, light) = if on_light { (dark.as_str(), theme) } else { (theme, light.as_str()) };
                Value::Table(Table::from_iter([("dark".to_owned(), text(dark)), ("light".to_owned(), text(light))]))
            }
            _ => text(theme),
        };
        let written = || {
            fs::create_dir_all(folder)?;
            // A link to a file elsewhere stays a link.
            let file = follow_links(&file)?;
            let mut part = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(folder))?;
            let table = Table::from_iter([("theme".to_owned(), value)]);
            write!(part, "# Chosen on the screen; --theme and SPARTUI_THEME override it.\n{table}")?;
            part.persist(&file)?;
            Ok(())
        };
        written().map_err(|error: std::io::Error| format!("the theme cannot be saved in {}: {error}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config/spartui");
        assert_eq!(ChosenTheme::read(&config), Ok(None));
        for name in ["tide", "my \"own\"\n"] {
            ChosenTheme::write(&config, name, Some(false)).expect("written");
            assert_eq!(ChosenTheme::read(&config), Ok(Some(ChosenTheme::One(name.to_owned()))));
        }
        assert_eq!(fs::read_dir(&config).expect("a folder").count(), 1, "nothing else is left there");
    }

    #[test]
    fn of_a_pair_the_theme_of_the_background_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), "theme = { dark = \"tide\", light = \"light\" }").expect("written");
        let pair = |dark: &str, light: &str| Ok(Some(ChosenTheme::Pair { dark: dark.into(), light: light.into() }));
        assert_eq!(ChosenTheme::read(folder.path()), pair("tide", "light"));
        ChosenTheme::write(folder.path(), "ember", Some(false)).expect("written");
        assert_eq!(ChosenTheme::read(folder.path()), pair("ember", "light"));
        ChosenTheme::write(folder.path(), "mine", Some(true)).expect("written");
        assert_eq!(ChosenTheme::read(folder.path()), pair("ember", "mine"));
        ChosenTheme::write(folder.path(), "tide", None).expect("written");
        assert_eq!(ChosenTheme::read(folder.path()), Ok(Some(ChosenTheme::One("tide".into()))));
    }

    #[test]
    fn an_invalid_file_is_reported_and_does_no_harm() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in ["theme = 3", "theme =", "\u{0}", "theme = { dark = \"tide\" }"] {
            fs::write(folder.path().join(FILE), text).expect("written");
            assert!(ChosenTheme::read(folder.path()).is_err_and(|why| why.contains("chosen.toml")), "{text}");
        }
        fs::write(folder.path().join(FILE), "# nothing\n").expect("written");
        assert_eq!(ChosenTheme::read(folder.path()), Ok(None));
    }

    #[test]
    fn where_nothing_can_be_written_that_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("file"), "").expect("written");
        let written = ChosenTheme::write(&folder.path().join("file/config"), "tide", None);
        assert!(written.is_err_and(|why| why.contains("saved")));
    }
}
