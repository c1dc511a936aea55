//! The contexts of keys.

use super::{Action, TABLE};

macro_rules! contexts {
    ($($variant:ident $name:literal $heading:literal : $help:literal),+ $(,)?) => {
        /// A context of keys. Of the active contexts, the first one that binds a key handles it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Context { $(#[doc = $help] $variant),+ }

        impl Context {
            /// All of them, in the order of the help.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// Its name in a key file.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Its heading in the help.
            #[must_use]
            pub fn heading(self) -> &'static str {
                match self { $(Self::$variant => $heading),+ }
            }
        }
    };
}

contexts! {
    Cockpit "cockpit" "anywhere": "No dialog and no typing.",
    Screen "screen" "on every screen": "Any screen, without a dialog and without typing.",
    Rows "rows" "in a panel with rows": "As [`Context::Cockpit`], with a panel in focus that has rows.",
    Map "map" "in the map of groups by layers": "As [`Context::Rows`], with the map in focus.",
    Chart "chart" "in the loss": "As [`Context::Cockpit`], with the loss in focus.",
    Cursor "cursor" "in the loss, with the cursor": "As [`Context::Chart`], with the cursor up.",
    Jump "jump" "while the step is typed that the cursor jumps to": "The cursor is to jump to a step that is being typed.",
    Pending "pending" "while a value is pending": "A value is pending.",
    Typing "typing" "while a value is typed": "A value is being typed.",
    Text "text" "in every text that is typed": "A text is being typed, wherever that is.",
    Lost "lost" "where the connection to the run is lost": "As [`Context::Cockpit`], where the connection to the run is lost.",
    Help "help" "in this help": "The help is open.",
    Palette "palette" "in the palette": "The palette is open.",
    Themes "themes" "choosing a theme": "The themes are open.",
    Example "example" "in the example": "The example is open.",
    Timeline "branches" "in branches and kept states": "Branches and kept states are listed.",
    Curves "curves" "anywhere in the curves": "The inspector, with nothing over it and no typing.",
    CurvesChart "curves-chart" "in a chart": "As [`Context::Curves`], with a chart in focus.",
    CurvesCursor "curves-cursor" "in a chart, with the cursor": "As [`Context::CurvesChart`], with the cursor up.",
    CurvesList "curves-list" "in a list": "As [`Context::Curves`], with a list in focus.",
    CurvesTyping "curves-typing" "while a filter or a step is typed": "A filter or a step is being typed in the inspector.",
    CurvesTable "curves-table" "in the differences": "The differences of runs are open.",
    CurvesExport "curves-export" "asked as what to write": "The question as what to write the view is open.",
    PlaygroundText "playground-text" "in the playground, while a text is typed": "The playground is open, and keys go into its text.",
    Playground "playground" "in the playground, beside the text": "The playground is open, and keys do not go into its text.",
    Quit "quit" "asked how to leave": "The question how to leave is open.",
    Stop "stop" "asked whether to stop": "The question whether to stop is open.",
    Home "runs" "in the list of runs": "The runs are listed.",
    Facts "run" "in the facts of a run": "The facts of a run are shown.",
    Delete "delete" "asked whether to delete a run": "The question whether to delete a run is open.",
    Form "form" "in the form of a new run": "The form of a new run is shown.",
    Pick "pick" "in a list to choose from": "Something is chosen from a list.",
    Race "race" "in a race": "The lanes of a race are shown.",
    Compare "comparison" "in a comparison": "Runs are compared.",
    CompareWrite "comparison-write" "asked as what to write a comparison": "The question as what to write the comparison is open.",
    Start "start" "asked whether to start all the same": "The question whether to start a run all the same is open.",
    Always "always" "always": "Whatever is on the screen.",
}

impl Context {
    /// The contexts of the cockpit, in the order of its help.
    pub const COCKPIT: [Self; 21] = [
        Self::Cockpit,
        Self::Screen,
        Self::Rows,
        Self::Map,
        Self::Chart,
        Self::Cursor,
        Self::Jump,
        Self::Pending,
        Self::Typing,
        Self::Text,
        Self::Lost,
        Self::Help,
        Self::Palette,
        Self::Themes,
        Self::Example,
        Self::Timeline,
        Self::PlaygroundText,
        Self::Playground,
        Self::Quit,
        Self::Stop,
        Self::Always,
    ];

    /// The contexts of the inspector, in the order of its help.
    pub const CURVES: [Self; 13] = [
        Self::Curves,
        Self::Screen,
        Self::CurvesChart,
        Self::CurvesCursor,
        Self::CurvesList,
        Self::CurvesTyping,
        Self::Text,
        Self::CurvesTable,
        Self::CurvesExport,
        Self::Help,
        Self::Palette,
        Self::Themes,
        Self::Always,
    ];

    /// The contexts of the launcher, in the order of its help.
    pub const LAUNCHER: [Self; 13] = [
        Self::Home,
        Self::Form,
        Self::Screen,
        Self::Typing,
        Self::Text,
        Self::Pick,
        Self::Facts,
        Self::Delete,
        Self::Start,
        Self::Help,
        Self::Palette,
        Self::Themes,
        Self::Always,
    ];

    /// The contexts of a race, in the order of its help.
    pub const RACE: [Self; 11] = [
        Self::Race,
        Self::Screen,
        Self::Typing,
        Self::Text,
        Self::Lost,
        Self::Quit,
        Self::Stop,
        Self::Help,
        Self::Palette,
        Self::Themes,
        Self::Always,
    ];

    /// The contexts of a comparison, in the order of its help.
    pub const COMPARISON: [Self; 8] = [
        Self::Compare,
        Self::Screen,
        Self::CompareWrite,
        Self::Text,
        Self::Help,
        Self::Palette,
        Self::Themes,
        Self::Always,
    ];

    /// Contexts that can be active together, so that a key may have one meaning only. A pending value and a cursor may
    /// override keys of the panel below them.
    pub const TOGETHER: &[&[Self]] = &[
        &[Self::Always, Self::Screen, Self::Cockpit, Self::Chart, Self::Lost],
        &[Self::Always, Self::Screen, Self::Cockpit, Self::Rows, Self::Lost],
        &[Self::Always, Self::Screen, Self::Cockpit, Self::Map],
        &[Self::Always, Self::Pending],
        &[Self::Always, Self::Text, Self::Typing],
        &[Self::Always, Self::Text, Self::Jump],
        &[Self::Always, Self::Help],
        &[Self::Always, Self::Text, Self::Palette],
        &[Self::Always, Self::Themes],
        &[Self::Always, Self::Example],
        &[Self::Always, Self::Timeline],
        &[Self::Always, Self::Text, Self::PlaygroundText],
        &[Self::Always, Self::Screen, Self::Playground],
        &[Self::Always, Self::Cursor],
        &[Self::Always, Self::Quit],
        &[Self::Always, Self::Stop],
        &[Self::Always, Self::Screen, Self::Curves, Self::CurvesChart],
        &[Self::Always, Self::Screen, Self::Curves, Self::CurvesCursor],
        &[Self::Always, Self::Screen, Self::Curves, Self::CurvesList],
        &[Self::Always, Self::Text, Self::CurvesTyping],
        &[Self::Always, Self::CurvesTable],
        &[Self::Always, Self::CurvesExport],
        &[Self::Always, Self::Screen, Self::Home],
        &[Self::Always, Self::Screen, Self::Form],
        &[Self::Always, Self::Facts],
        &[Self::Always, Self::Delete],
        &[Self::Always, Self::Text, Self::Pick],
        &[Self::Always, Self::Start],
        &[Self::Always, Self::Screen, Self::Race, Self::Lost],
        &[Self::Always, Self::Screen, Self::Compare],
        &[Self::Always, Self::CompareWrite],
    ];

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
