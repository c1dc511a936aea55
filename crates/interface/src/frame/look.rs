//! The user's theme and keys, the same on every screen.

use ratatui::buffer::Buffer;

use super::Effect;
use crate::keys::Keymap;
use crate::pen::Pen;
use crate::theme::{Theme, Themes};

/// The user's theme and keys, the same on every screen.
#[derive(Debug, Clone)]
pub struct Look {
    /// The available themes.
    pub themes: Themes,
    /// The one in use.
    pub theme: usize,
    /// Whether the user has chosen it in this session, so that it is to be saved.
    pub chosen: bool,
    /// The themes for a dark and for a light background, if the background decides.
    pub pair: Option<[usize; 2]>,
    /// Whether the background is light, if known.
    pub light: Option<bool>,
    /// The keys.
    pub keys: Keymap,
    /// Whether to draw in ASCII.
    pub ascii: bool,
    /// Whether there is a shell to suspend to.
    pub has_shell: bool,
    /// What was wrong with the user's settings, a sentence each; the first screen shows them.
    pub warnings: Vec<String>,
}

impl Look {
    /// A look with these themes, the one of this name selected, and the built-in keys.
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

    /// Replaces the keys.
    #[must_use]
    pub fn with_keys(self, keys: Keymap) -> Self {
        Self { keys: keys.named_plainly(self.ascii), ..self }
    }

    /// Draws in ASCII, or not.
    #[must_use]
    pub fn in_ascii(self, ascii: bool) -> Self {
        Self { keys: self.keys.named_plainly(ascii), ascii, ..self }
    }

    /// Suspends the program to the shell.
    ///
    /// # Errors
    /// If there is no shell that would continue it.
    pub fn suspend(&self) -> Result<Effect, &'static str> {
        if self.has_shell { Ok(Effect::Suspend) } else { Err("no shell would bring the interface back from there") }
    }

    /// The theme in use.
    #[must_use]
    pub fn theme(&self) -> &Theme {
        &self.themes.list[self.theme.min(self.themes.list.len() - 1)]
    }

    /// Lets the background, if known, select one of two themes.
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

    /// The background is known now: selects its theme, unless the user has chosen one.
    pub fn fit(&mut self, light: bool) {
        self.light = Some(light);
        if let Some(pair) = self.pair.filter(|_| !self.chosen) {
            self.theme = pair[usize::from(light)];
        }
    }

    /// Selects a theme by its index, as the user's choice.
    pub fn choose(&mut self, theme: usize) {
        (self.theme, self.chosen) = (theme, true);
    }

    /// Selects the next theme, as the user's choice; returns the notice.
    pub fn choose_next(&mut self) -> String {
        self.choose((self.theme + 1) % self.themes.list.len().max(1));
        format!("theme: {}", self.theme().name)
    }

    /// Draws over a painted screen.
    pub fn paint_over(&self, buffer: &mut Buffer, draw: impl FnOnce(&mut Pen)) {
        draw(&mut Pen::new(buffer, self.theme()));
        if self.ascii {
            crate::ascii::flatten(buffer);
        }
    }

    /// Draws a whole screen on the theme's background, and in ASCII if requested.
    pub fn paint(&self, buffer: &mut Buffer, draw: impl FnOnce(&mut Pen)) {
        buffer.set_style(buffer.area, self.theme().ground());
        draw(&mut Pen::new(buffer, self.theme()));
        if self.ascii {
            crate::ascii::flatten(buffer);
        }
    }
}
