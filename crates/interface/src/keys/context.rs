//! The contexts of keys.

use super::{Action, Context, TABLE};

impl Context {
    /// The context of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|context| context.name() == name)
    }

    /// Its actions, each once.
    pub fn actions(self) -> impl Iterator<Item = Action> {
        let lines = TABLE.iter().filter(move |line| line.context == self);
        let mut known = Vec::new();
        lines.flat_map(|line| line.keys).map(|(_, action)| *action).filter(move |action| {
            let new = !known.contains(action);
            known.push(*action);
            new
        })
    }

    /// Whether text can be typed: then plain characters are text rather than keys.
    #[must_use]
    pub fn keeps_text(self) -> bool {
        matches!(
            self,
            Self::Typing
                | Self::Text
                | Self::Jump
                | Self::PlaygroundText
                | Self::CurvesTyping
                | Self::Palette
                | Self::Pick
                | Self::Always
        )
    }

    /// Whether the palette offers its actions: those of text input and overlays are quicker by their keys.
    #[must_use]
    pub fn is_offered(self) -> bool {
        !matches!(
            self,
            Self::Typing
                | Self::Text
                | Self::Jump
                | Self::PlaygroundText
                | Self::CurvesTyping
                | Self::Palette
                | Self::Themes
                | Self::Help
                | Self::Pick
        )
    }
}
