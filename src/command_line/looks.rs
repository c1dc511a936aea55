//! How the interface looks and listens: options of every subcommand that shows one.

use std::path::{Path, PathBuf};

use crate::data::place;
use crate::error::{Error, Result};
use crate::interface::Look;
use crate::interface::keys::Keymap;
use crate::interface::terminal::no_color;
use crate::interface::theme::{Depth, LIGHT, MONOCHROME, Themes};

/// How the interface looks, and which keys it has.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Looks {
    /// Theme of the interface: dark, light, high-contrast, colour-blind, monochrome, ember, tide, phosphor, or one of
    /// your own
    #[arg(long, env = "SPARTUI_THEME", value_name = "NAME")]
    theme: Option<String>,
    /// File of keys in place of ~/.config/spartui/keys.toml; `spartui keys` prints one to begin with
    #[arg(long, env = "SPARTUI_KEYS", value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Draw the interface in ASCII alone, for terminals and fonts that know no lines and dots
    #[arg(long, env = "SPARTUI_ASCII", value_parser = clap::builder::FalseyValueParser::new())]
    ascii: bool,
    /// Colours of the terminal: 16, 256 or true; auto: as TERM and COLORTERM say
    #[arg(long, env = "SPARTUI_COLOURS", value_name = "N", default_value = "auto")]
    colours: Colours,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Colours {
    #[default]
    Auto,
    #[value(name = "16")]
    Sixteen,
    #[value(name = "256")]
    Indexed,
    True,
}

impl Looks {
    /// What was asked for, with themes and keys of the user's folder. What is wrong there is told on the screen.
    ///
    /// # Errors
    /// Where the file of keys that was asked for is none.
    pub fn look(&self) -> Result<Look> {
        let folder = config_folder().map(|folder| folder.join("themes"));
        let themes = Themes::load(folder.as_deref(), self.depth());
        let fitting = if is_light(std::env::var("COLORFGBG").ok().as_deref()) { Some(LIGHT) } else { None };
        let theme = self.theme.as_deref().or(if no_color() { Some(MONOCHROME) } else { fitting });
        let mut look = Look::new(themes, theme).in_ascii(self.ascii);
        match self.users_keys() {
            Ok(keys) => look = look.with_keys(keys),
            Err(error) if self.keys.is_some() => return Err(error),
            Err(error) => look.warnings.push(format!("{}; the built-in keys are used", error.message())),
        }
        Ok(look)
    }

    /// The keys.
    ///
    /// # Errors
    /// Where the file of keys, also the one in the user's folder, is none.
    pub fn keys(&self) -> Result<Keymap> {
        self.users_keys()
    }

    fn users_keys(&self) -> Result<Keymap> {
        match (&self.keys, config_folder().map(|folder| folder.join("keys.toml"))) {
            (Some(file), _) => read_keys(file),
            (None, Some(file)) if file.exists() => read_keys(&file),
            _ => Ok(Keymap::default()),
        }
    }

    fn depth(&self) -> Depth {
        let variable = |name: &str| std::env::var(name).ok();
        match self.colours {
            Colours::Sixteen => Depth::Sixteen,
            Colours::Indexed => Depth::Indexed,
            Colours::True => Depth::True,
            Colours::Auto => Depth::of_terminal(variable("COLORTERM").as_deref(), variable("TERM").as_deref()),
        }
    }
}

fn read_keys(file: &Path) -> Result<Keymap> {
    let refuse = |why: String| Error::refused(format!("keys {}: {why}", place(file)));
    let text = std::fs::read_to_string(file)
        .map_err(|error| refuse(format!("{error}; give a file of keys, such as `spartui keys` prints")))?;
    Keymap::read(&text).map_err(refuse)
}

/// Whether the terminal says of itself, in `COLORFGBG`, that its background is light. It is not asked: terminals that do
/// not answer would make the program wait, and those that answer late would type the answer.
fn is_light(colorfgbg: Option<&str>) -> bool {
    let background = colorfgbg.and_then(|colors| colors.rsplit(';').next()?.parse::<u8>().ok());
    matches!(background, Some(7 | 9..=15))
}

/// The user's folder of the program's settings.
fn config_folder() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let config = config.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    config.map(|config| config.join("spartui"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_light_background_is_known_by_its_name_alone() {
        assert!(is_light(Some("0;15")) && is_light(Some("0;default;7")));
        assert!(!is_light(Some("15;0")) && !is_light(Some("7;8")) && !is_light(Some("15;default")) && !is_light(None));
    }
}
