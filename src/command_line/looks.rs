//! How the interface looks and listens: options of every subcommand that shows one.

use std::path::{Path, PathBuf};

mod remembered;

use super::console;
use remembered::Chosen;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;
use spartui_interface::Look;
use spartui_interface::keys::Keymap;
use spartui_interface::terminal::{has_shell, no_color};
use spartui_interface::theme::{DARK, Depth, LIGHT, MONOCHROME, Themes};

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
    /// Draw the interface in ASCII alone, for terminals and fonts that know no lines and dots; the default in the
    /// locales C and POSIX, and in those of other characters than UTF-8. --ascii=false draws lines and dots there too
    #[arg(
        long,
        env = "SPARTUI_ASCII",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        hide_possible_values = true,
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    ascii: Option<bool>,
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
        let light = is_light(std::env::var("COLORFGBG").ok().as_deref());
        let remembered = config_folder().map_or(Ok(None), |folder| Chosen::read(&folder));
        let forced = self.theme.as_deref().or(no_color().then_some(MONOCHROME));
        let look = |theme| Look::new(themes, theme);
        let look = match (forced, remembered.as_ref().ok().and_then(Option::as_ref)) {
            (Some(name), _) => look(Some(name)),
            (None, Some(Chosen::One(name))) => look(Some(name)),
            (None, Some(Chosen::Pair { dark, light: other })) => look(None).of_background([dark, other], light),
            (None, None) => look(None).of_background([DARK, LIGHT], light),
        };
        let mut look = look.in_ascii(self.ascii.unwrap_or_else(|| !console::knows_unicode()));
        look.has_shell = has_shell();
        look.warnings.extend(remembered.err());
        match self.users_keys() {
            Ok(keys) => look = look.with_keys(keys),
            Err(error) if self.keys.is_some() => return Err(error),
            Err(error) => look.warnings.push(format!("{}; the built-in keys are used", error.message())),
        }
        Ok(look)
    }

    /// The interface was left: a theme that was chosen in it is the one that the next start begins with. Why it cannot
    /// be remembered is said on standard error.
    pub fn remember(look: &Look) {
        let Some(folder) = config_folder().filter(|_| look.chosen) else { return };
        if let Err(why) = Chosen::write(&folder, &look.theme().name, look.light) {
            eprintln!("spartui: {why}");
        }
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

/// Whether the terminal says of itself, in `COLORFGBG`, that its background is light, or that it is not.
fn is_light(colorfgbg: Option<&str>) -> Option<bool> {
    let background = colorfgbg?.rsplit(';').next()?.parse::<u8>().ok()?;
    (background < 16).then_some(matches!(background, 7 | 9..=15))
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
        assert_eq!([is_light(Some("0;15")), is_light(Some("0;default;7"))], [Some(true); 2]);
        assert_eq!([is_light(Some("15;0")), is_light(Some("7;8"))], [Some(false); 2]);
        assert_eq!([is_light(Some("15;default")), is_light(Some("0;99")), is_light(None)], [None; 3]);
    }
}
