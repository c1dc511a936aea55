//! The actions, and the table of their keys. To add an action: a line in `actions!`, a line in the table, and a case
//! in the `act` of its screen.

use crossterm::event::{KeyCode, KeyModifiers};

use super::Press;
use crate::keys::{Format, Panel};
use spartui_compare as compare;

/// The contexts: each with its name in a file of keys, its heading in the help, and what it is.
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
    CurvesExport "curves-export" "in the dialog to write the view": "The question as what to write the view is open.",
    PlaygroundText "playground-text" "in the playground, while a text is typed": "The playground is open, and keys go into its text.",
    Playground "playground" "in the playground, beside the text": "The playground is open, and keys do not go into its text.",
    Quit "quit" "in the quit dialog": "The question how to leave is open.",
    Stop "stop" "in the stop dialog": "The question whether to stop is open.",
    Home "runs" "in the list of runs": "The runs are listed.",
    Facts "run" "in the facts of a run": "The facts of a run are shown.",
    Delete "delete" "in the dialog to delete runs": "The question whether to delete a run is open.",
    Form "form" "in the form of a new run": "The form of a new run is shown.",
    Pick "pick" "in a list to choose from": "Something is chosen from a list.",
    Race "race" "in a race": "The lanes of a race are shown.",
    Compare "comparison" "in a comparison": "Runs are compared.",
    CompareWrite "comparison-write" "in the dialog to write a comparison": "The question as what to write the comparison is open.",
    Start "start" "in the start dialog": "The question whether to start a run all the same is open.",
    Always "always" "always": "Whatever is on the screen.",
}

impl Context {
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
}

/// The actions, each with its name in the palette and in a key file.
macro_rules! actions {
    ($($variant:ident $(($payload:ident: $type:ty))? => $name:expr,)*) => {
        /// What a key does; [`TABLE`] describes each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each action is described in the table of keys")]
        pub enum Action {
            $($variant $(($type))?,)*
        }

        impl Action {
            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant $(($payload))? => $name,)*
                }
            }
        }
    };
}

#[rustfmt::skip]
actions! {
    Help => "help",
    Example => "example",
    Quit => "quit",
    Interrupt => "interrupt",
    Redraw => "redraw",
    Suspend => "suspend",
    Leave => "close",
    Pause => "pause",
    Sparser(up: bool) => pair(up, ["sparsity-down", "sparsity-up"]),
    Faster(up: bool) => pair(up, ["learning-rate-down", "learning-rate-up"]),
    Evaluate => "evaluate",
    Export => "export",
    Stop => "stop",
    Undo => "undo",
    NextTheme => "next-theme",
    Focus(by: isize) => pair(by > 0, ["previous-panel", "next-panel"]),
    FocusOn(panel: Panel) => match panel { Panel::Loss => "panel-loss", Panel::Sparsity => "panel-sparsity", Panel::Settings => "panel-settings", Panel::Memory => "panel-memory", Panel::Validation => "panel-validation", Panel::Log => "panel-log", Panel::Device => "panel-device", Panel::Map => "panel-map", Panel::Charts => "panel-charts", },
    Maximise => "maximise",
    Row(by: isize) => step_name(by, ["next-row", "previous-row", "page-down", "page-up"]),
    Edit => "edit",
    Apply => "apply",
    ApplyWithRate => "apply-with-rate",
    Discard => "discard",
    Turn(by: isize) => pair(by > 0, ["value-down", "value-up"]),
    Cursor(by: isize) => step_name(by, ["character-right", "character-left", "line-end", "line-start"]),
    Backspace => "backspace",
    Delete => "delete",
    // In every text input.
    Line(edit: LineEdit) => match edit { LineEdit::Start => "to-line-start", LineEdit::End => "to-line-end", LineEdit::Before => "delete-to-line-start", LineEdit::Behind => "delete-to-line-end", LineEdit::Word => "delete-word", },
    Smooth(by: isize) => pair(by > 0, ["smooth-less", "smooth-more"]),
    LogAxis => "log-axis",
    Metric(by: isize) => pair(by > 0, ["previous-metric", "next-metric"]),
    // Of the inspector.
    Curves => "curves",
    CurvesToggle => "show-or-hide",
    CurvesOnly => "show-only",
    CurvesPin => "pin-run",
    CurvesAll => "show-all",
    CurvesFilter => "filter-runs",
    CurvesStep => "go-to-step",
    CurvesAlong => "next-axis",
    CurvesLogX => "log-axis-across",
    CurvesEnvelope => "envelope",
    CurvesOutliers => "outliers",
    CurvesBetween => "zoom-between",
    CurvesDifferences => "differences",
    CurvesExport => "write-view",
    CurvesExportAs(format: Format) => match format { Format::Csv => "write-csv", Format::Svg => "write-svg", Format::Png => "write-png", Format::Text => "write-text", },
    Zoom(closer: bool) => pair(closer, ["zoom-out", "zoom-in"]),
    Pan(by: isize) => pair(by > 0, ["pan-left", "pan-right"]),
    Follow => "follow",
    StopNow => "stop-now",
    AbortNow => "abort-now",
    Detach => "detach",
    TakeOver => "take-over",
    Reconnect => "reconnect",
    Timeline => "branches",
    TimelineRow(by: isize) => step_name(by, ["next-row", "previous-row", "page-down", "page-up"]),
    TimelineGo => "go-there",
    TimelinePin => "pin",
    Snapshot => "keep-state",
    UndoSteps => "undo-steps",
    // Redo the change that was undone last.
    Redo => "redo",
    CursorUp => "cursor",
    CursorBy(by: isize) => walk_name(by, ["first-step", "last-step"], ["next-sample", "previous-sample", "ten-samples-on", "ten-samples-back"]),
    CursorLowest(lowest: bool) => pair(lowest, ["highest-loss", "lowest-loss"]),
    CursorAnchor => "compare",
    RewindHere => "rewind",
    Playground => "playground",
    PlaygroundAsk => "ask",
    PlaygroundRow(by: isize) => pair(by > 0, ["previous-example", "next-example"]),
    PlaygroundLeave => "break-off-or-close",
    PlaygroundTyping(typing: bool) => pair(typing, ["leave-text", "type-text"]),
    PlaygroundPast(by: isize) => pair(by > 0, ["earlier-text", "later-text"]),
    PlaygroundCursor(by: isize) => step_name(by, ["character-right", "character-left", "line-end", "line-start"]),
    PlaygroundErase(forward: bool) => pair(forward, ["backspace", "delete"]),
    PlaygroundMoment(by: isize) => pair(by > 0, ["newer-state", "older-state"]),
    PlaygroundLive => "ask-again-by-itself",
    PlaygroundChat => "chat",
    PlaygroundTokens(by: isize) => pair(by > 0, ["fewer-tokens", "more-tokens"]),
    PlaygroundScroll(by: isize) => step_name(by, ["scroll-down", "scroll-up", "page-down", "page-up"]),
    Acknowledge => "acknowledge",
    MapMeasure => "next-measure",
    MapLayer(by: isize) => pair(by > 0, ["previous-layer", "next-layer"]),
    TimelineCompare => "compare-state",
    Jump => "jump-to-step",
    JumpThere => "jump",
    JumpNowhere => "stay-there",
    JumpErase => "backspace",
    Palette => "palette",
    Themes => "themes",
    OverlayRow(by: isize) => step_name(by, ["next-row", "previous-row", "page-down", "page-up"]),
    Choose => "choose",
    Complete => "complete",
    // Of the launcher.
    HomeRow(by: isize) => walk_name(by, ["first-row", "last-row"], ["next-row", "previous-row", "page-down", "page-up"]),
    OpenRun => "open-run",
    NewRun => "new-run",
    CopyRun => "new-from-run",
    ResumeRun => "resume-run",
    ViewRun => "curves-of-run",
    RunFacts => "facts-of-run",
    DeleteRun => "delete-run",
    DeleteNow => "delete-now",
    // Rename the selected run.
    RenameRun => "rename-run",
    // Undo the last renaming.
    RenameBack => "rename-back",
    FilterRuns => "filter-runs",
    // Sort the runs by another column.
    SortRuns(by: isize) => pair(by > 0, ["sort-by-previous", "sort-by-next"]),
    // Mark or unmark the selected run.
    MarkRun => "mark",
    MarkAllRuns => "mark-all",
    TagRun => "tags",
    NoteRun => "note",
    OpenRecipe => "open-recipe",
    FormRow(by: isize) => walk_name(by, ["first-row", "last-row"], ["next-row", "previous-row", "page-down", "page-up"]),
    FormSection(by: isize) => pair(by > 0, ["previous-section", "next-section"]),
    FormTurn(by: isize) => pair(by > 0, ["value-down", "value-up"]),
    FormEdit => "edit",
    FormType => "type-value",
    FormUndo => "undo",
    FormReset => "default-value",
    FormFind => "find-field",
    FormSave => "save-recipe",
    FormStart => "start-run",
    StartNow => "start-now",
    // Type the settings in which the lanes of a race differ.
    FormRace => "start-race",
    PickRow(by: isize) => walk_name(by, ["first-row", "last-row"], ["next-row", "previous-row", "page-down", "page-up"]),
    PickTake => "choose",
    PickAbove => "folder-above",
    // Complete the typed text from the selected row.
    PickComplete => "complete",
    // Of the race.
    RaceOpen => "open-lane",
    RaceHide => "show-or-hide-lane",
    RaceOthers => "stop-other-lanes",
    RaceClone => "clone-lane",
    // Of the comparison.
    CompareRuns => "compare-runs",
    CompareToggle => "mark",
    CompareAll => "mark-all",
    CompareAgainst => "test-against",
    CompareSort(by: isize) => pair(by > 0, ["sort-by-previous", "sort-by-next"]),
    CompareReverse => "reverse",
    CompareAgain => "compare-again",
    CompareWrite => "write-comparison",
    CompareWriteAs(format: compare::Format) => match format { compare::Format::Text => "write-text", compare::Format::Json => "write-json", compare::Format::Csv => "write-csv", compare::Format::Markdown => "write-markdown", },
}

impl Action {
    /// Whether it sends a command to the engine.
    #[must_use]
    pub fn steers(self) -> bool {
        matches!(
            self,
            Self::Pause
                | Self::Sparser(_)
                | Self::Faster(_)
                | Self::Evaluate
                | Self::Export
                | Self::Stop
                | Self::Undo
                | Self::Edit
                | Self::TimelineGo
                | Self::TimelinePin
                | Self::Snapshot
                | Self::UndoSteps
                | Self::Redo
                | Self::RewindHere
                | Self::PlaygroundAsk
                | Self::PlaygroundRow(_)
        )
    }
}

/// A line editing command, as in a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEdit {
    /// Move to the beginning of the line.
    Start,
    /// Move to the end of the line.
    End,
    /// Delete to the beginning of the line.
    Before,
    /// Delete to the end of the line.
    Behind,
    /// Delete the word before the cursor.
    Word,
}

/// One of two names.
fn pair(up: bool, names: [&'static str; 2]) -> &'static str {
    names[usize::from(up)]
}

/// The name of a movement by one or many steps, forward or backward.
fn step_name(by: isize, [on, back, far_on, far_back]: [&'static str; 4]) -> &'static str {
    match by {
        2.. => far_on,
        0..=1 => on,
        -1 => back,
        _ => far_back,
    }
}

/// The name of a movement to the first, to the last, or by some steps.
fn walk_name(by: isize, [first, last]: [&'static str; 2], steps: [&'static str; 4]) -> &'static str {
    match by {
        FIRST => first,
        LAST => last,
        by => step_name(by, steps),
    }
}

/// Back to the first.
const FIRST: isize = isize::MIN / 2;

/// On to the last.
const LAST: isize = isize::MAX / 2;

const fn char(c: char) -> Press {
    Press(KeyCode::Char(c), KeyModifiers::NONE)
}

const fn code(code: KeyCode) -> Press {
    Press(code, KeyModifiers::NONE)
}

const fn control(c: char) -> Press {
    Press(KeyCode::Char(c), KeyModifiers::CONTROL)
}

const fn bind(context: Context, keys: &'static [(Press, Action)], footer: &'static str, help: &'static str) -> Binding {
    let footer = if footer.is_empty() { None } else { Some(footer) };
    Binding { context, keys, help, footer, repeats: false }
}

/// A binding whose keys may be held down.
const fn step(context: Context, keys: &'static [(Press, Action)], footer: &'static str, help: &'static str) -> Binding {
    Binding { repeats: true, ..bind(context, keys, footer, help) }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Binding {
    /// The context in which the keys are active.
    pub context: Context,
    /// Each key with its action.
    pub keys: &'static [(Press, Action)],
    /// The description in the help.
    pub help: &'static str,
    /// The word in the footer, if it is shown there.
    pub footer: Option<&'static str>,
    /// Whether it repeats while the key is held down.
    pub repeats: bool,
}

/// All bindings, in the order of help and footer.
#[rustfmt::skip]
pub const TABLE: &[Binding] = &[
    bind(Context::Pending, &[(code(KeyCode::Enter), Action::Apply)], "apply", "apply the pending value"),
    bind(Context::Pending, &[(control('r'), Action::ApplyWithRate)], "", "apply the pending sparsity, and the learning rate that goes with it"),
    bind(Context::Pending, &[(code(KeyCode::Esc), Action::Discard)], "discard", "discard the pending value"),
    step(Context::Pending, &[(code(KeyCode::Left), Action::Turn(-1)), (code(KeyCode::Right), Action::Turn(1))], "change", "the next value down and up"),

    bind(Context::Typing, &[(code(KeyCode::Enter), Action::Apply)], "apply", "apply what was typed"),
    bind(Context::Typing, &[(control('r'), Action::ApplyWithRate)], "", "apply the sparsity that was typed, and the learning rate that goes with it"),
    bind(Context::Typing, &[(code(KeyCode::Esc), Action::Discard)], "discard", "discard what was typed"),
    step(Context::Typing, &[(code(KeyCode::Left), Action::Cursor(-1)), (code(KeyCode::Right), Action::Cursor(1)), (code(KeyCode::Home), Action::Cursor(FIRST)), (code(KeyCode::End), Action::Cursor(LAST))], "move", "move in what was typed"),
    step(Context::Typing, &[(code(KeyCode::Backspace), Action::Backspace), (code(KeyCode::Delete), Action::Delete)], "", "take a character away"),

    step(Context::Text, &[(control('a'), Action::Line(LineEdit::Start)), (control('e'), Action::Line(LineEdit::End))], "", "to the beginning of the line, and to its end"),
    step(Context::Text, &[(control('u'), Action::Line(LineEdit::Before)), (control('k'), Action::Line(LineEdit::Behind)), (control('w'), Action::Line(LineEdit::Word))], "", "take away what is before the cursor, what is behind it, the word before it"),

    bind(Context::Screen, &[(char('?'), Action::Help)], "help", "this help"),
    bind(Context::Screen, &[(char(':'), Action::Palette)], "palette", "everything by its name: actions, fields to set, themes"),
    bind(Context::Screen, &[(char('t'), Action::Themes)], "", "choose a theme"),
    bind(Context::Screen, &[(char('T'), Action::NextTheme)], "", "the next theme"),
    bind(Context::Lost, &[(char('r'), Action::Reconnect)], "reconnect", "connect to the run again"),
    bind(Context::Cockpit, &[(char('q'), Action::Quit)], "quit", "leave: stop cleanly, abort, detach or stay; who only watches leaves at once"),
    bind(Context::Cockpit, &[(char('w'), Action::TakeOver)], "take control", "take control: steer the run in place of the interface that does"),
    bind(Context::Cockpit, &[(char(' '), Action::Pause)], "pause", "pause and resume"),
    step(Context::Cockpit, &[(char('['), Action::Sparser(false)), (char(']'), Action::Sparser(true))], "sparsity", "sparsity down and up; of the selected group, where the sparsity panel has the focus"),
    step(Context::Cockpit, &[(char('-'), Action::Faster(false)), (char('='), Action::Faster(true)), (char('+'), Action::Faster(true))], "rate", "learning rate down and up"),
    bind(Context::Rows, &[(code(KeyCode::Enter), Action::Edit)], "edit", "edit the selected value in place"),
    bind(Context::Cockpit, &[(char('u'), Action::Undo)], "undo", "undo the last change of a value; the steps since stay"),
    bind(Context::Cockpit, &[(char('d'), Action::Detach)], "detach", "detach: the run goes on, and `spartui attach RUN` reconnects"),
    bind(Context::Cockpit, &[(char('U'), Action::UndoSteps)], "", "rewind to before the last change; the steps since then stay on their branch"),
    bind(Context::Cockpit, &[(control('y'), Action::Redo)], "", "redo the last undone change: the value, or the steps on their branch"),
    bind(Context::Cockpit, &[(char('b'), Action::Timeline)], "branches", "branches and kept states: go there, keep for good"),
    bind(Context::Cockpit, &[(char('n'), Action::Snapshot)], "", "keep the current state: in memory, and as a checkpoint"),
    bind(Context::Cockpit, &[(char('e'), Action::Evaluate)], "evaluate", "evaluate on the validation rows now"),
    bind(Context::Cockpit, &[(char('x'), Action::Export)], "export", "write the adapter now"),
    bind(Context::Cockpit, &[(char('s'), Action::Stop)], "stop", "finish the step, write checkpoint and adapter, end"),
    bind(Context::Cockpit, &[(code(KeyCode::Tab), Action::Focus(1)), (code(KeyCode::BackTab), Action::Focus(-1))], "panel", "the next panel and the one before"),
    bind(Context::Rows, &[(code(KeyCode::Right), Action::Focus(1)), (code(KeyCode::Left), Action::Focus(-1)), (char('l'), Action::Focus(1)), (char('h'), Action::Focus(-1))], "", "the next panel and the one before"),
    bind(Context::Cockpit, &[
        (char('1'), Action::FocusOn(Panel::Loss)), (char('2'), Action::FocusOn(Panel::Sparsity)), (char('3'), Action::FocusOn(Panel::Settings)),
        (char('4'), Action::FocusOn(Panel::Memory)), (char('5'), Action::FocusOn(Panel::Validation)), (char('6'), Action::FocusOn(Panel::Log)),
        (char('7'), Action::FocusOn(Panel::Charts)), (char('8'), Action::FocusOn(Panel::Device)), (char('9'), Action::FocusOn(Panel::Map)),
    ], "", "the panel of this number"),
    bind(Context::Cockpit, &[(char('m'), Action::Maximise)], "maximise", "give the panel the whole screen, and back"),
    step(Context::Rows, &[(code(KeyCode::Down), Action::Row(1)), (code(KeyCode::Up), Action::Row(-1)), (char('j'), Action::Row(1)), (char('k'), Action::Row(-1))], "", "the next row and the one before; scroll"),
    step(Context::Rows, &[(code(KeyCode::PageDown), Action::Row(10)), (code(KeyCode::PageUp), Action::Row(-10))], "", "ten rows further and back"),

    bind(Context::Cursor, &[(char('r'), Action::RewindHere)], "rewind", "go back to the step under the cursor; what follows is a new branch, and the old one stays"),
    step(Context::Cursor, &[(code(KeyCode::Left), Action::CursorBy(-1)), (code(KeyCode::Right), Action::CursorBy(1)), (char('h'), Action::CursorBy(-1)), (char('l'), Action::CursorBy(1))], "cursor", "move the cursor to the sample before and after"),
    step(Context::Cursor, &[(code(KeyCode::PageUp), Action::CursorBy(-10)), (code(KeyCode::PageDown), Action::CursorBy(10))], "", "ten samples back and forth"),
    bind(Context::Cursor, &[(code(KeyCode::Home), Action::CursorBy(FIRST)), (code(KeyCode::End), Action::CursorBy(LAST))], "", "to the first and the last step"),
    bind(Context::Cursor, &[(char('<'), Action::CursorLowest(true)), (char('>'), Action::CursorLowest(false))], "min max", "to the lowest and the highest loss in sight"),
    bind(Context::Cursor, &[(char('a'), Action::CursorAnchor)], "compare", "compare with this step: the difference is shown while the cursor moves on"),
    bind(Context::Cursor, &[(code(KeyCode::Esc), Action::CursorUp)], "", "take the cursor away"),
    bind(Context::Chart, &[(char('c'), Action::CursorUp)], "cursor", "a cursor on the loss, and away again"),
    step(Context::Chart, &[(char('z'), Action::Zoom(true)), (char('Z'), Action::Zoom(false)), (code(KeyCode::Up), Action::Zoom(true)), (code(KeyCode::Down), Action::Zoom(false)), (char('k'), Action::Zoom(true)), (char('j'), Action::Zoom(false))], "zoom", "zoom in and out; the mouse wheel does so under the pointer"),
    step(Context::Chart, &[(code(KeyCode::Left), Action::Pan(-1)), (code(KeyCode::Right), Action::Pan(1)), (char('h'), Action::Pan(-1)), (char('l'), Action::Pan(1))], "pan", "move to earlier and later steps"),
    bind(Context::Chart, &[(char('f'), Action::Follow)], "follow", "follow the newest steps, or fit all"),
    bind(Context::Cockpit, &[(char('o'), Action::Metric(1)), (char('O'), Action::Metric(-1))], "metric", "what the large chart shows, or the selected one of the grid of charts: loss, gradient, rate, speed and more"),
    bind(Context::Cockpit, &[(char('i'), Action::Curves)], "inspect", "inspect the curves of this run and of others: zoom, compare, write pictures"),
    bind(Context::Cockpit, &[(char('y'), Action::LogAxis)], "log y", "log loss axis, or linear"),
    bind(Context::Cockpit, &[(char('v'), Action::Example)], "example", "view the first training example, with what is learned marked"),
    step(Context::Cockpit, &[(char(','), Action::Smooth(-1)), (char('.'), Action::Smooth(1))], "smooth", "smooth the loss less and more"),
    bind(Context::Cockpit, &[(code(KeyCode::Esc), Action::Leave)], "", "leave the maximised panel; never the program"),

    bind(Context::Help, &[(code(KeyCode::Esc), Action::Leave), (char('?'), Action::Leave), (char('q'), Action::Leave)], "close", "close the help"),
    bind(Context::Help, &[(char('/'), Action::Palette), (char(':'), Action::Palette)], "find", "find an action by its name"),
    step(Context::Help, &[(code(KeyCode::Down), Action::OverlayRow(1)), (code(KeyCode::Up), Action::OverlayRow(-1)), (char('j'), Action::OverlayRow(1)), (char('k'), Action::OverlayRow(-1)), (code(KeyCode::PageDown), Action::OverlayRow(10)), (code(KeyCode::PageUp), Action::OverlayRow(-10))], "scroll", "scroll the help"),

    bind(Context::Palette, &[(code(KeyCode::Enter), Action::Choose)], "do it", "do what is selected"),
    bind(Context::Palette, &[(code(KeyCode::Tab), Action::Complete)], "complete", "put the name that is selected in place of what was typed"),
    step(Context::Palette, &[(code(KeyCode::Down), Action::OverlayRow(1)), (code(KeyCode::Up), Action::OverlayRow(-1)), (code(KeyCode::PageDown), Action::OverlayRow(10)), (code(KeyCode::PageUp), Action::OverlayRow(-10))], "select", "the next line and the one before"),
    step(Context::Palette, &[(code(KeyCode::Left), Action::Cursor(-1)), (code(KeyCode::Right), Action::Cursor(1)), (code(KeyCode::Home), Action::Cursor(FIRST)), (code(KeyCode::End), Action::Cursor(LAST))], "", "move in what was typed"),
    step(Context::Palette, &[(code(KeyCode::Backspace), Action::Backspace), (code(KeyCode::Delete), Action::Delete)], "", "take a character away"),
    bind(Context::Palette, &[(code(KeyCode::Esc), Action::Leave)], "close", "close the palette"),

    bind(Context::Themes, &[(code(KeyCode::Enter), Action::Choose), (char(' '), Action::Choose)], "keep", "keep the theme that is shown"),
    step(Context::Themes, &[(code(KeyCode::Down), Action::OverlayRow(1)), (code(KeyCode::Up), Action::OverlayRow(-1)), (char('j'), Action::OverlayRow(1)), (char('k'), Action::OverlayRow(-1)), (char('t'), Action::OverlayRow(1))], "preview", "show the next theme and the one before"),
    bind(Context::Themes, &[(code(KeyCode::Esc), Action::Leave), (char('q'), Action::Leave)], "go back", "go back to the theme before"),

    bind(Context::Example, &[(code(KeyCode::Esc), Action::Leave), (char('v'), Action::Leave), (char('q'), Action::Leave)], "close", "close the example"),

    bind(Context::Timeline, &[(code(KeyCode::Enter), Action::TimelineGo)], "go there", "go on from the selected branch or state"),
    bind(Context::Timeline, &[(char('p'), Action::TimelinePin)], "pin", "pin or unpin the selected branch or state"),
    bind(Context::Timeline, &[(char('n'), Action::Snapshot)], "keep now", "keep the current state"),
    step(Context::Timeline, &[(code(KeyCode::Down), Action::TimelineRow(1)), (code(KeyCode::Up), Action::TimelineRow(-1)), (char('j'), Action::TimelineRow(1)), (char('k'), Action::TimelineRow(-1)), (code(KeyCode::PageDown), Action::TimelineRow(10)), (code(KeyCode::PageUp), Action::TimelineRow(-10))], "select", "the next row and the one before"),
    bind(Context::Timeline, &[(code(KeyCode::Esc), Action::Leave), (char('b'), Action::Leave), (char('q'), Action::Leave)], "close", "close the list"),

    bind(Context::Curves, &[(char('q'), Action::Quit)], "quit", "leave the curves"),
    bind(Context::Curves, &[(code(KeyCode::Tab), Action::Focus(1)), (code(KeyCode::BackTab), Action::Focus(-1))], "panel", "from the charts to the list of runs, to the list of charts, and back"),
    bind(Context::Curves, &[(char('o'), Action::Metric(1)), (char('O'), Action::Metric(-1))], "chart", "the next chart and the one before; where one is shown, the next metric"),
    bind(Context::Curves, &[(char('m'), Action::Maximise)], "maximise", "give the chart the whole screen, and back"),
    bind(Context::CurvesChart, &[(char('c'), Action::CursorUp)], "cursor", "a cursor on the samples of the selected run, and away again"),
    step(Context::CurvesChart, &[(char('z'), Action::Zoom(true)), (char('Z'), Action::Zoom(false)), (code(KeyCode::Up), Action::Zoom(true)), (code(KeyCode::Down), Action::Zoom(false)), (char('k'), Action::Zoom(true)), (char('j'), Action::Zoom(false))], "zoom", "zoom in and out; the mouse wheel does so under the pointer"),
    step(Context::CurvesChart, &[(code(KeyCode::Left), Action::Pan(-1)), (code(KeyCode::Right), Action::Pan(1)), (char('h'), Action::Pan(-1)), (char('l'), Action::Pan(1))], "pan", "move to earlier and later steps"),
    step(Context::CurvesCursor, &[(code(KeyCode::Left), Action::CursorBy(-1)), (code(KeyCode::Right), Action::CursorBy(1)), (char('h'), Action::CursorBy(-1)), (char('l'), Action::CursorBy(1))], "cursor", "move the cursor to the sample before and after"),
    step(Context::CurvesCursor, &[(code(KeyCode::PageUp), Action::CursorBy(-10)), (code(KeyCode::PageDown), Action::CursorBy(10))], "", "ten samples back and forth"),
    bind(Context::CurvesCursor, &[(code(KeyCode::Home), Action::CursorBy(FIRST)), (code(KeyCode::End), Action::CursorBy(LAST))], "", "to the first and the last sample"),
    bind(Context::CurvesCursor, &[(char('a'), Action::CursorAnchor)], "compare", "a second cursor here: the difference is shown while the first one moves on"),
    bind(Context::CurvesCursor, &[(char('b'), Action::CurvesBetween)], "between", "show what lies between the two cursors"),
    bind(Context::CurvesChart, &[(char('<'), Action::CursorLowest(true)), (char('>'), Action::CursorLowest(false))], "min max", "the cursor to the lowest and the highest sample in sight"),
    bind(Context::Curves, &[(char('g'), Action::CurvesStep)], "step", "the cursor to a step that is typed"),
    bind(Context::Curves, &[(char('f'), Action::Follow)], "follow", "follow the newest steps, or fit all"),
    bind(Context::Curves, &[(char('x'), Action::CurvesAlong)], "axis", "over steps, epochs, tokens or time"),
    bind(Context::Curves, &[(char('X'), Action::CurvesLogX)], "", "log x axis, or linear"),
    bind(Context::Curves, &[(char('y'), Action::LogAxis)], "log y", "log y axis, or linear"),
    step(Context::Curves, &[(char(','), Action::Smooth(-1)), (char('.'), Action::Smooth(1))], "smooth", "smooth less and more"),
    bind(Context::Curves, &[(char('v'), Action::CurvesEnvelope)], "", "raw values behind the smoothed lines, or not"),
    bind(Context::Curves, &[(char('r'), Action::CurvesOutliers)], "", "ignore outliers in the scale, or not"),
    bind(Context::Curves, &[(char('d'), Action::CurvesDifferences)], "differences", "how the recipes and journals of the runs in sight differ"),
    bind(Context::Curves, &[(char('e'), Action::CurvesExport)], "write", "write this view into a file: CSV, SVG, PNG or text"),
    bind(Context::Curves, &[(char('/'), Action::CurvesFilter)], "filter", "only runs with this in their names"),
    bind(Context::CurvesList, &[(char(' '), Action::CurvesToggle)], "show", "show or hide the selected run, branch or chart"),
    bind(Context::CurvesList, &[(code(KeyCode::Enter), Action::CurvesOnly)], "only", "show the selected one, and of the others only what is pinned"),
    bind(Context::CurvesList, &[(char('p'), Action::CurvesPin)], "pin", "pin the selected run: it comes first and lies over the others"),
    bind(Context::CurvesList, &[(char('a'), Action::CurvesAll)], "all", "show all runs of the list, or only the pinned ones, or the selected one"),
    step(Context::CurvesList, &[(code(KeyCode::Down), Action::Row(1)), (code(KeyCode::Up), Action::Row(-1)), (char('j'), Action::Row(1)), (char('k'), Action::Row(-1))], "", "the next row and the one before"),
    step(Context::CurvesList, &[(code(KeyCode::PageDown), Action::Row(10)), (code(KeyCode::PageUp), Action::Row(-10))], "", "ten rows further and back"),
    bind(Context::Curves, &[(code(KeyCode::Esc), Action::Leave)], "", "take the cursor away, then leave"),

    bind(Context::CurvesTyping, &[(code(KeyCode::Enter), Action::Apply)], "apply", "keep the filter, go to the step"),
    bind(Context::CurvesTyping, &[(code(KeyCode::Esc), Action::Discard)], "discard", "forget what was typed"),
    step(Context::CurvesTyping, &[(code(KeyCode::Left), Action::Cursor(-1)), (code(KeyCode::Right), Action::Cursor(1)), (code(KeyCode::Home), Action::Cursor(FIRST)), (code(KeyCode::End), Action::Cursor(LAST))], "move", "move in what was typed"),
    step(Context::CurvesTyping, &[(code(KeyCode::Backspace), Action::Backspace), (code(KeyCode::Delete), Action::Delete)], "", "take a character away"),

    step(Context::CurvesTable, &[(code(KeyCode::Down), Action::Row(1)), (code(KeyCode::Up), Action::Row(-1)), (char('j'), Action::Row(1)), (char('k'), Action::Row(-1)), (code(KeyCode::PageDown), Action::Row(10)), (code(KeyCode::PageUp), Action::Row(-10))], "scroll", "scroll the table"),
    bind(Context::CurvesTable, &[(code(KeyCode::Esc), Action::Leave), (char('d'), Action::Leave), (char('q'), Action::Leave)], "close", "close the table"),

    bind(Context::CurvesExport, &[(char('c'), Action::CurvesExportAs(Format::Csv))], "CSV", "CSV: every point in sight, as rows"),
    bind(Context::CurvesExport, &[(char('s'), Action::CurvesExportAs(Format::Svg))], "SVG", "SVG: a picture of lines, for documents"),
    bind(Context::CurvesExport, &[(char('p'), Action::CurvesExportAs(Format::Png))], "PNG", "PNG: a picture of dots, for messages"),
    bind(Context::CurvesExport, &[(char('t'), Action::CurvesExportAs(Format::Text))], "text", "text: the charts as a terminal shows them"),
    bind(Context::CurvesExport, &[(code(KeyCode::Esc), Action::Leave), (char('q'), Action::Leave)], "close", "write nothing"),
    bind(Context::Cursor, &[(char('g'), Action::Jump)], "to step", "to the step that is typed then"),
    bind(Context::Jump, &[(code(KeyCode::Enter), Action::JumpThere)], "go there", "move the cursor to the step that was typed"),
    bind(Context::Jump, &[(code(KeyCode::Esc), Action::JumpNowhere)], "stay", "leave the cursor where it is"),
    step(Context::Jump, &[(code(KeyCode::Backspace), Action::JumpErase)], "", "take the last digit away"),
    bind(Context::Map, &[(code(KeyCode::Enter), Action::MapMeasure)], "measure", "density, size of the update, share that the cast keeps"),
    step(Context::Map, &[(code(KeyCode::Left), Action::MapLayer(-1)), (code(KeyCode::Right), Action::MapLayer(1)), (char('h'), Action::MapLayer(-1)), (char('l'), Action::MapLayer(1))], "layer", "the layer before and the next"),
    bind(Context::Cockpit, &[(char('A'), Action::Acknowledge)], "", "acknowledge the alerts: they are no longer shown above the keys"),
    bind(Context::Timeline, &[(char('c'), Action::TimelineCompare)], "compare", "compare the rows that are selected next with this one; again: stop comparing"),
    bind(Context::Cockpit, &[(char('p'), Action::Playground)], "playground", "a text through the base model and the adapted one, side by side, while training goes on"),
    bind(Context::PlaygroundText, &[(code(KeyCode::Enter), Action::PlaygroundAsk)], "ask", "ask both models"),
    bind(Context::PlaygroundText, &[(code(KeyCode::Esc), Action::PlaygroundLeave)], "close", "break off what is being answered; else close the playground"),
    bind(Context::PlaygroundText, &[(code(KeyCode::Tab), Action::PlaygroundTyping(false))], "more keys", "beside the text, where keys choose a state, an example and more"),
    step(Context::PlaygroundText, &[(code(KeyCode::Up), Action::PlaygroundPast(-1)), (code(KeyCode::Down), Action::PlaygroundPast(1))], "earlier texts", "texts that were asked about before"),
    step(Context::PlaygroundText, &[(code(KeyCode::Left), Action::PlaygroundCursor(-1)), (code(KeyCode::Right), Action::PlaygroundCursor(1)), (code(KeyCode::Home), Action::PlaygroundCursor(FIRST)), (code(KeyCode::End), Action::PlaygroundCursor(LAST))], "", "move in the text"),
    step(Context::PlaygroundText, &[(code(KeyCode::Backspace), Action::PlaygroundErase(false)), (code(KeyCode::Delete), Action::PlaygroundErase(true))], "", "take a character away"),
    step(Context::PlaygroundText, &[(code(KeyCode::PageDown), Action::PlaygroundScroll(10)), (code(KeyCode::PageUp), Action::PlaygroundScroll(-10))], "", "scroll the answers"),

    bind(Context::Playground, &[(code(KeyCode::Enter), Action::PlaygroundAsk)], "ask", "ask both models"),
    bind(Context::Playground, &[(code(KeyCode::Esc), Action::PlaygroundLeave), (char('q'), Action::PlaygroundLeave)], "close", "break off what is being answered; else close the playground"),
    bind(Context::Playground, &[(code(KeyCode::Tab), Action::PlaygroundTyping(true)), (char('i'), Action::PlaygroundTyping(true))], "type", "back to typing the text"),
    step(Context::Playground, &[(code(KeyCode::Left), Action::PlaygroundMoment(-1)), (code(KeyCode::Right), Action::PlaygroundMoment(1)), (char('h'), Action::PlaygroundMoment(-1)), (char('l'), Action::PlaygroundMoment(1))], "state", "ask of a newer kept state, and of an older one"),
    step(Context::Playground, &[(char('v'), Action::PlaygroundRow(1)), (char('V'), Action::PlaygroundRow(-1))], "example", "the next row of the validation data, and the one before"),
    bind(Context::Playground, &[(char('a'), Action::PlaygroundLive)], "live", "ask again automatically after each step, on or off"),
    bind(Context::Playground, &[(char('c'), Action::PlaygroundChat)], "chat", "put the text into the model's chat template, or not"),
    step(Context::Playground, &[(char('-'), Action::PlaygroundTokens(-1)), (char('='), Action::PlaygroundTokens(1)), (char('+'), Action::PlaygroundTokens(1))], "tokens", "let a language model write fewer tokens, and more"),
    step(Context::Playground, &[(code(KeyCode::Down), Action::PlaygroundScroll(1)), (code(KeyCode::Up), Action::PlaygroundScroll(-1)), (char('j'), Action::PlaygroundScroll(1)), (char('k'), Action::PlaygroundScroll(-1)), (code(KeyCode::PageDown), Action::PlaygroundScroll(10)), (code(KeyCode::PageUp), Action::PlaygroundScroll(-10))], "", "scroll the answers"),

    bind(Context::Quit, &[(char('s'), Action::StopNow)], "stop and leave", "stop: finish the step, write checkpoint and adapter, leave"),
    bind(Context::Quit, &[(char('d'), Action::Detach)], "detach", "detach: the run goes on"),
    bind(Context::Quit, &[(char('a'), Action::AbortNow)], "abort", "abort: write nothing more, leave"),
    bind(Context::Quit, &[(code(KeyCode::Esc), Action::Leave), (char('n'), Action::Leave), (char('q'), Action::Leave)], "stay", "stay"),

    bind(Context::Stop, &[(code(KeyCode::Enter), Action::StopNow), (char('y'), Action::StopNow)], "stop", "stop cleanly; the screen stays"),
    bind(Context::Stop, &[(code(KeyCode::Esc), Action::Leave), (char('n'), Action::Leave)], "go on", "go on training"),

    bind(Context::Home, &[(code(KeyCode::Enter), Action::OpenRun)], "open", "open the run: its cockpit where it trains, its lanes where it is a race, its curves where it has ended, the way on where it was interrupted"),
    bind(Context::Home, &[(char('n'), Action::NewRun)], "new", "a new run: the form, with a draft that was left"),
    bind(Context::Home, &[(char('c'), Action::CopyRun)], "new from it", "a new run that begins with this one's recipe"),
    bind(Context::Home, &[(char('o'), Action::OpenRecipe)], "recipes", "a new run that begins with a recipe"),
    bind(Context::Home, &[(char('v'), Action::ViewRun)], "curves", "view the curves of the run, of the marked runs, of the lanes of a race"),
    bind(Context::Home, &[(char('m'), Action::CompareRuns)], "", "compare the marked runs, or the lanes of a race, or else the runs of the list that have this one's rows and task: spread over seeds, paired tests"),
    bind(Context::Home, &[(char('i'), Action::RunFacts)], "", "what there is to know of the run"),
    bind(Context::Home, &[(char('r'), Action::ResumeRun)], "resume", "go on with a run that ended before its time; with a race, with the lanes that were stopped with it"),
    bind(Context::Home, &[(char('d'), Action::DeleteRun), (code(KeyCode::Delete), Action::DeleteRun)], "delete", "delete the run, or the marked runs; asks first"),
    bind(Context::Home, &[(char('/'), Action::FilterRuns)], "filter", "show only runs with these words: of name, status, method, model, tags, note"),
    bind(Context::Home, &[(char('s'), Action::SortRuns(1)), (char('S'), Action::SortRuns(-1))], "sort", "sort by time, name, score or status"),
    bind(Context::Home, &[(char(' '), Action::MarkRun)], "mark", "mark or unmark the run: delete, curves and compare are about the marked runs"),
    bind(Context::Home, &[(char('A'), Action::MarkAllRuns)], "", "mark all runs of the list, or none"),
    bind(Context::Home, &[(char('R'), Action::RenameRun)], "rename", "give the run another name"),
    bind(Context::Home, &[(char('u'), Action::RenameBack)], "", "give the run that was renamed its name back"),
    bind(Context::Home, &[(char('#'), Action::TagRun)], "", "the tags of the run: words to find it by, kept in its folder"),
    bind(Context::Home, &[(char('N'), Action::NoteRun)], "", "a note about the run, kept in its folder"),
    step(Context::Home, &[(code(KeyCode::Down), Action::HomeRow(1)), (code(KeyCode::Up), Action::HomeRow(-1)), (char('j'), Action::HomeRow(1)), (char('k'), Action::HomeRow(-1))], "", "the next run and the one before"),
    step(Context::Home, &[(code(KeyCode::PageDown), Action::HomeRow(10)), (code(KeyCode::PageUp), Action::HomeRow(-10)), (code(KeyCode::Home), Action::HomeRow(FIRST)), (code(KeyCode::End), Action::HomeRow(LAST))], "", "ten runs further and back; the first one and the last one"),
    bind(Context::Home, &[(code(KeyCode::Esc), Action::Leave)], "", "show all runs again, mark none, out of the lanes of a race; never leaves the program"),
    bind(Context::Home, &[(char('q'), Action::Quit)], "quit", "leave; runs that train go on"),

    bind(Context::Facts, &[(char('r'), Action::ResumeRun)], "resume", "go on with the run; where it took all its steps, give it more of them"),
    bind(Context::Facts, &[(char('v'), Action::ViewRun)], "curves", "view the curves of the run"),
    bind(Context::Facts, &[(char('c'), Action::CopyRun)], "new from it", "a new run that begins with this one's recipe"),
    bind(Context::Facts, &[(char('d'), Action::DeleteRun)], "delete", "delete the run; asks first"),
    bind(Context::Facts, &[(code(KeyCode::Esc), Action::Leave), (char('q'), Action::Leave), (code(KeyCode::Enter), Action::Leave)], "close", "close the facts"),

    bind(Context::Delete, &[(char('y'), Action::DeleteNow)], "delete", "delete the run with all that it holds"),
    bind(Context::Delete, &[(code(KeyCode::Esc), Action::Leave), (char('n'), Action::Leave), (char('q'), Action::Leave)], "keep", "keep the run"),

    bind(Context::Form, &[(code(KeyCode::Enter), Action::FormEdit)], "change", "change the selected value: from a list where it has one, else by typing; digits begin a number at once"),
    step(Context::Form, &[(code(KeyCode::Left), Action::FormTurn(-1)), (code(KeyCode::Right), Action::FormTurn(1)), (char('h'), Action::FormTurn(-1)), (char('l'), Action::FormTurn(1))], "turn", "the value before and the next one"),
    bind(Context::Form, &[(char('s'), Action::FormStart)], "start", "write the recipe and start the run"),
    bind(Context::Form, &[(char('u'), Action::FormUndo)], "undo", "take the last edit back"),
    bind(Context::Form, &[(char('/'), Action::FormFind)], "find", "find a field by a part of its name or of what it means"),
    bind(Context::Form, &[(code(KeyCode::Tab), Action::FormSection(1)), (code(KeyCode::BackTab), Action::FormSection(-1))], "section", "the next section and the one before"),
    bind(Context::Form, &[(char('e'), Action::FormType)], "", "type the value, also where there is a list"),
    bind(Context::Form, &[(char('r'), Action::FormReset)], "default", "put the value back to its default"),
    bind(Context::Form, &[(char('w'), Action::FormSave)], "save", "write the recipe to its file, to start it later"),
    bind(Context::Form, &[(char('R'), Action::FormRace)], "race", "start a race: type what its lanes differ in"),
    bind(Context::Form, &[(char('o'), Action::OpenRecipe)], "", "begin with a recipe"),
    bind(Context::Form, &[(char('N'), Action::NewRun)], "", "reset the form to the defaults"),
    step(Context::Form, &[(code(KeyCode::Down), Action::FormRow(1)), (code(KeyCode::Up), Action::FormRow(-1)), (char('j'), Action::FormRow(1)), (char('k'), Action::FormRow(-1))], "", "the next field and the one before"),
    step(Context::Form, &[(code(KeyCode::PageDown), Action::FormRow(10)), (code(KeyCode::PageUp), Action::FormRow(-10)), (code(KeyCode::Home), Action::FormRow(FIRST)), (code(KeyCode::End), Action::FormRow(LAST))], "", "ten fields further and back; the first one and the last one"),
    bind(Context::Form, &[(code(KeyCode::Esc), Action::Leave), (char('q'), Action::Leave)], "back", "back to the runs; the form is kept as a draft"),

    bind(Context::Pick, &[(code(KeyCode::Enter), Action::PickTake)], "choose", "choose the selected row; a folder is opened"),
    step(Context::Pick, &[(code(KeyCode::Down), Action::PickRow(1)), (code(KeyCode::Up), Action::PickRow(-1)), (code(KeyCode::PageDown), Action::PickRow(10)), (code(KeyCode::PageUp), Action::PickRow(-10))], "select", "the next row and the one before"),
    bind(Context::Pick, &[(code(KeyCode::Tab), Action::PickComplete)], "complete", "complete the path that is typed by the selected row, or open the selected folder"),
    bind(Context::Pick, &[(code(KeyCode::Left), Action::PickAbove)], "", "the folder above"),
    step(Context::Pick, &[(code(KeyCode::Backspace), Action::Backspace)], "", "take a character away"),
    bind(Context::Pick, &[(code(KeyCode::Esc), Action::Leave)], "close", "close the list and choose nothing"),

    step(Context::Compare, &[(code(KeyCode::Down), Action::Row(1)), (code(KeyCode::Up), Action::Row(-1)), (char('j'), Action::Row(1)), (char('k'), Action::Row(-1)), (code(KeyCode::PageDown), Action::Row(10)), (code(KeyCode::PageUp), Action::Row(-10))], "", "the next row and the one before"),
    bind(Context::Compare, &[(code(KeyCode::Tab), Action::Focus(1)), (code(KeyCode::BackTab), Action::Focus(-1))], "runs", "to the list of runs, and back to the settings"),
    bind(Context::Compare, &[(char(' '), Action::CompareToggle)], "mark", "mark or unmark the selected run; of a setting, none of its runs any more"),
    bind(Context::Compare, &[(char('A'), Action::CompareAll)], "all", "mark all runs, or none but the selected one"),
    bind(Context::Compare, &[(char('a'), Action::CompareAgainst)], "against", "test all against the selected setting, or that of the selected run"),
    bind(Context::Compare, &[(char('o'), Action::CompareSort(1)), (char('O'), Action::CompareSort(-1))], "sort", "sort by the next column, or the one before; behind the last, as the runs came"),
    bind(Context::Compare, &[(char('r'), Action::CompareReverse)], "reverse", "the other way round"),
    bind(Context::Compare, &[(char('e'), Action::CompareWrite)], "write", "write this comparison into a file: text, Markdown, CSV or JSON"),
    bind(Context::Compare, &[(char('u'), Action::CompareAgain)], "", "read the runs once more"),
    bind(Context::Compare, &[(code(KeyCode::Esc), Action::Leave), (char('q'), Action::Leave)], "close", "back to the runs"),
    bind(Context::CompareWrite, &[(char('t'), Action::CompareWriteAs(compare::Format::Text))], "text", "text: columns, as `spartui compare` prints them"),
    bind(Context::CompareWrite, &[(char('m'), Action::CompareWriteAs(compare::Format::Markdown))], "Markdown", "Markdown: tables, for documents"),
    bind(Context::CompareWrite, &[(char('c'), Action::CompareWriteAs(compare::Format::Csv))], "CSV", "CSV: a line for each setting, numbers in full"),
    bind(Context::CompareWrite, &[(char('j'), Action::CompareWriteAs(compare::Format::Json))], "JSON", "JSON: all of it, for programs"),
    bind(Context::CompareWrite, &[(code(KeyCode::Esc), Action::Leave), (char('q'), Action::Leave)], "close", "write nothing"),

    bind(Context::Race, &[(char('q'), Action::Quit)], "quit", "leave: stop all lanes cleanly, abort, detach or stay"),
    bind(Context::Race, &[(code(KeyCode::Enter), Action::RaceOpen)], "cockpit", "the cockpit of the selected lane: steer, rewind, branch, ask; Esc or q comes back"),
    bind(Context::Race, &[(char(' '), Action::Pause)], "pause", "pause all lanes and resume them"),
    bind(Context::Race, &[(char('s'), Action::Stop)], "stop lane", "stop the selected lane; asks first"),
    bind(Context::Race, &[(char('w'), Action::RaceOthers)], "let it win", "stop all other lanes; asks first"),
    bind(Context::Race, &[(char('c'), Action::RaceClone)], "clone", "begin another lane from where the selected one is, with other settings"),
    bind(Context::Race, &[(char('o'), Action::Metric(1)), (char('O'), Action::Metric(-1))], "metric", "what the chart shows: loss, validation, gradient, rate and more"),
    bind(Context::Race, &[(char('v'), Action::RaceHide)], "hide", "leave the curve of the selected lane out of the chart, or not"),
    bind(Context::Race, &[(char('e'), Action::Evaluate)], "", "evaluate every lane now"),
    bind(Context::Race, &[(char('d'), Action::Detach)], "detach", "leave, and let the race go on; `spartui attach RACE` comes back to it"),
    bind(Context::Race, &[(char('W'), Action::TakeOver)], "", "take control: steer the race in place of the interface that does"),
    bind(Context::Race, &[(char('f'), Action::Follow)], "follow", "follow the newest steps, or fit all"),
    bind(Context::Race, &[(char('y'), Action::LogAxis)], "log y", "log y axis, or linear"),
    step(Context::Race, &[(char('z'), Action::Zoom(true)), (char('Z'), Action::Zoom(false))], "zoom", "zoom in and out"),
    step(Context::Race, &[(code(KeyCode::Left), Action::Pan(-1)), (code(KeyCode::Right), Action::Pan(1)), (char('h'), Action::Pan(-1)), (char('l'), Action::Pan(1))], "", "move to earlier and later steps"),
    step(Context::Race, &[(char(','), Action::Smooth(-1)), (char('.'), Action::Smooth(1))], "", "smooth less and more"),
    step(Context::Race, &[(code(KeyCode::Down), Action::Row(1)), (code(KeyCode::Up), Action::Row(-1)), (char('j'), Action::Row(1)), (char('k'), Action::Row(-1)), (code(KeyCode::PageDown), Action::Row(10)), (code(KeyCode::PageUp), Action::Row(-10))], "", "the next lane of the standing and the one before"),

    bind(Context::Start, &[(char('y'), Action::StartNow), (code(KeyCode::Enter), Action::StartNow)], "start", "start the run all the same"),
    bind(Context::Start, &[(code(KeyCode::Esc), Action::Leave), (char('n'), Action::Leave), (char('q'), Action::Leave)], "back", "back to the form"),

    bind(Context::Always, &[(control('c'), Action::Interrupt)], "", "as q; a second one stops cleanly, a third one aborts"),
    bind(Context::Always, &[(control('l'), Action::Redraw)], "", "redraw the screen"),
    bind(Context::Always, &[(control('z'), Action::Suspend)], "", "leave the terminal to the shell, whose `fg` comes back; the run goes on"),
];
