//! Appearance and keys of the interface: options of all subcommands that show it.

use std::path::{Path, PathBuf};

mod chosen_theme;

use super::console;
use chosen_theme::ChosenTheme;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;
use spartui_interface::Look;
use spartui_interface::keys::Keymap;
use spartui_interface::terminal::{has_shell, no_color};
use spartui_interface::theme::{DARK, Depth, LIGHT, MONOCHROME, Themes};

/// Appearance and keys of the interface.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Looks {
    /// Theme of the interface: dark, light, high-contrast, colour-blind, monochrome, ember, tide, phosphor, or one of
    /// your own
    #[arg(long, env = "SPARTUI_THEME", value_name = "NAME")]
    theme: Option<String>,
    /// File of keys instead of ~/.config/spartui/keys.toml; `spartui keys` prints one to start from
    #[arg(long, env = "SPARTUI_KEYS", value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Draw the interface in ASCII only, for terminals and fonts without line and dot characters; the default in the
    /// locales C and POSIX, and in all that are not UTF-8. --ascii=false draws lines and dots there too
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
    /// Colours of the terminal: 16, 256 or true; auto: by TERM and COLORTERM
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
    /// The appearance that was asked for, with the themes and keys in the user's folder. Errors in that folder are
    /// shown in the interface.
    ///
    /// # Errors
    /// Refuses an invalid file of keys that was given as an option.
    pub fn look(&self) -> Result<Look> {
        let folder = config_folder().map(|folder| folder.join("themes"));
        let themes = Themes::load(folder.as_deref(), self.depth());
        let light = is_light(std::env::var("COLORFGBG").ok().as_deref());
        let chosen = config_folder().map_or(Ok(None), |folder| ChosenTheme::read(&folder));
        let forced = self.theme.as_deref().or(no_color().then_some(MONOCHROME));
        let look = |theme| Look::new(themes, theme);
        let look = match (forced, chosen.as_ref().ok().and_then(Option::as_ref)) {
            (Some(name), _) => look(Some(name)),
            (None, Some(ChosenTheme::One(name))) => look(Some(name)),
            (None, Some(ChosenTheme::Pair { dark, light: other })) => look(None).of_background([dark, other], light),
            (None, None) => look(None).of_background([DARK, LIGHT], light),
        };
        let mut look = look.in_ascii(self.ascii.unwrap_or_else(|| !console::knows_unicode()));
        look.has_shell = has_shell();
        look.warnings.extend(chosen.err());
        match self.read_user_keys() {
            Ok(keys) => look = look.with_keys(keys),
            Err(error) if self.keys.is_some() => return Err(error),
            Err(error) => look.warnings.push(format!("{}; the built-in keys are used", error.message())),
        }
        Ok(look)
    }

    /// Saves the theme that was chosen in the interface, for the next start. An error is printed on standard error.
    pub fn save_theme(look: &Look) {
        let Some(folder) = config_folder().filter(|_| look.chosen) else { return };
        if let Err(why) = ChosenTheme::write(&folder, &look.theme().name, look.light) {
            eprintln!("spartui: {why}");
        }
    }

    /// The keys.
    ///
    /// # Errors
    /// Refuses an invalid file of keys, also the one in the user's folder.
    pub fn keys(&self) -> Result<Keymap> {
        self.read_user_keys()
    }

    fn read_user_keys(&self) -> Result<Keymap> {
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

/// Whether the terminal's background is light, according to `COLORFGBG`; none if that does not say.
fn is_light(colorfgbg: Option<&str>) -> Option<bool> {
    let background = colorfgbg?.rsplit(';').next()?.parse::<u8>().ok()?;
    (background < 16).then_some(matches!(background, 7 | 9..=15))
}

/// The folder of the user's settings.
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
