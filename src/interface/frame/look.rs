//! How every screen looks and listens.

use ratatui::buffer::Buffer;

use super::Effect;
use crate::interface::keys::Keymap;
use crate::interface::pen::Pen;
use crate::interface::theme::{Theme, Themes};

/// How every screen looks and listens: the user's, whatever is shown.
#[derive(Debug, Clone)]
pub struct Look {
    /// The themes to choose from.
    pub themes: Themes,
    /// The one in use.
    pub theme: usize,
    /// Whether the user has chosen it since the program began, so that it is worth remembering.
    pub chosen: bool,
    /// Themes for a dark background and for a light one, where the background decides.
    pub pair: Option<[usize; 2]>,
    /// Whether the background is light, where that is known.
    pub light: Option<bool>,
    /// The keys.
    pub keys: Keymap,
    /// Whether all is drawn in ASCII.
    pub ascii: bool,
    /// Whether there is a shell that the terminal can be left to for a while.
    pub has_shell: bool,
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
        Self {
            themes,
            theme,
            chosen: false,
            pair: None,
            light: None,
            keys: Keymap::default(),
            ascii: false,
            has_shell: true,
            warnings,
        }
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

    /// What leaves the terminal to the shell; why that cannot be.
    ///
    /// # Errors
    /// Where nobody would let the program go on.
    pub fn suspend(&self) -> Result<Effect, &'static str> {
        if self.has_shell { Ok(Effect::Suspend) } else { Err("no shell would bring the interface back from there") }
    }

    /// The theme in use.
    #[must_use]
    pub fn theme(&self) -> &Theme {
        &self.themes.list[self.theme.min(self.themes.list.len() - 1)]
    }

    /// Lets the background decide between two themes, which it has where it is known.
    #[must_use]
    pub fn of_background(self, pair: [&str; 2], light: Option<bool>) -> Self {
        let mut look = self;
        let unknown = pair.iter().find(|name| look.themes.position(name).is_none());
        if let Some(name) = unknown {
            look.warnings.push(format!("there is no theme \"{}\"", name.escape_debug()));
        }
        look.pair = Some(pair.map(|name| look.themes.position(name).unwrap_or(0)));
        look.fit(light.unwrap_or(false));
        look.light = light;
        look
    }

    /// The background is known now: where it decides and the user has not, its theme is used.
    pub fn fit(&mut self, light: bool) {
        self.light = Some(light);
        if let Some(pair) = self.pair.filter(|_| !self.chosen) {
            self.theme = pair[usize::from(light)];
        }
    }

    /// The user chooses a theme by its place.
    pub fn choose(&mut self, theme: usize) {
        (self.theme, self.chosen) = (theme, true);
    }

    /// The user chooses the next theme; what to say about it.
    pub fn choose_next(&mut self) -> String {
        self.choose((self.theme + 1) % self.themes.list.len().max(1));
        format!("theme: {}", self.theme().name)
    }

    /// Draws over a screen that was painted.
    pub fn paint_over(&self, buffer: &mut Buffer, draw: impl FnOnce(&mut Pen)) {
        draw(&mut Pen::new(buffer, self.theme()));
        if self.ascii {
            crate::interface::ascii::flatten(buffer);
        }
    }

    /// Draws a whole screen: on the theme's ground, and in ASCII where that is asked for.
    pub fn paint(&self, buffer: &mut Buffer, draw: impl FnOnce(&mut Pen)) {
        buffer.set_style(buffer.area, self.theme().ground());
        draw(&mut Pen::new(buffer, self.theme()));
        if self.ascii {
            crate::interface::ascii::flatten(buffer);
        }
    }
}
