//! How the interface looks and listens: options of every subcommand that shows one.

use std::path::PathBuf;

use crate::interface::Look;
use crate::interface::terminal::no_color;
use crate::interface::theme::{Depth, MONOCHROME, Themes};

/// How the interface looks.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Looks {
    /// Theme of the interface: dark, light, monochrome, colour-blind, or one of your own
    #[arg(long, env = "SPARTUI_THEME", value_name = "NAME")]
    theme: Option<String>,
    /// Draw the interface in ASCII alone, for terminals and fonts that know no lines and dots
    #[arg(long, env = "SPARTUI_ASCII", value_parser = clap::builder::FalseyValueParser::new())]
    ascii: bool,
}

impl Looks {
    /// What was asked for, with the themes of the user's folder.
    pub fn look(&self) -> Look {
        let folder = config_folder().map(|folder| folder.join("themes"));
        let themes = Themes::load(folder.as_deref(), Depth::from_colorterm(std::env::var("COLORTERM").ok().as_deref()));
        let theme = self.theme.as_deref().or(no_color().then_some(MONOCHROME));
        Look::new(themes, theme).in_ascii(self.ascii)
    }
}

/// The user's folder of the program's settings.
fn config_folder() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let config = config.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    config.map(|config| config.join("spartui"))
}
