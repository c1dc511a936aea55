//! How every screen looks and listens.

use ratatui::buffer::Buffer;

use super::keys::Keymap;
use super::pen::Pen;
use super::theme::{Theme, Themes};

/// How every screen looks and listens: the user's, whatever is shown.
#[derive(Debug, Clone)]
pub struct Look {
    /// The themes to choose from.
    pub themes: Themes,
    /// The chosen one.
    pub theme: usize,
    /// The keys.
    pub keys: Keymap,
    /// Whether all is drawn in ASCII.
    pub ascii: bool,
    /// What was wrong with what the user asked for, a sentence each; whoever shows the first screen says so.
    pub warnings: Vec<String>,
}

impl Look {
    /// These themes, the one of this name chosen, with the built-in keys.
    #[must_use]
    pub fn new(themes: Themes, theme: Option<&str>) -> Self {
        let mut warnings = themes.warnings.clone();
        if let Some(name) = theme.filter(|name| themes.position(name).is_none()) {
            let known = themes.list.iter().map(|theme| theme.name.as_str()).collect::<Vec<_>>().join(", ");
            warnings.push(format!("there is no theme \"{}\"; there are {known}", name.escape_debug()));
        }
        let theme = theme.and_then(|name| themes.position(name)).unwrap_or(0);
        Self { themes, theme, keys: Keymap::default(), ascii: false, warnings }
    }

    /// With these keys.
    #[must_use]
    pub fn with_keys(self, keys: Keymap) -> Self {
        Self { keys: keys.named_plainly(self.ascii), ..self }
    }

    /// All in ASCII, or not.
    #[must_use]
    pub fn in_ascii(self, ascii: bool) -> Self {
        Self { keys: self.keys.named_plainly(ascii), ascii, ..self }
    }

    /// The theme in use.
    #[must_use]
    pub fn theme(&self) -> &Theme {
        &self.themes.list[self.theme.min(self.themes.list.len() - 1)]
    }

    /// Draws a whole screen: on the theme's ground, and in ASCII where that is asked for.
    pub fn paint(&self, buffer: &mut Buffer, draw: impl FnOnce(&mut Pen)) {
        buffer.set_style(buffer.area, self.theme().ground());
        draw(&mut Pen::new(buffer, self.theme()));
        if self.ascii {
            super::ascii::flatten(buffer);
        }
    }
}
