//! What keys do.

use super::{Format, Panel};

/// What a key does to the line of a text that is typed, as in a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEdit {
    /// To its beginning.
    Start,
    /// To its end.
    End,
    /// Take away what is before the cursor.
    Before,
    /// Take away what is behind the cursor.
    Behind,
    /// Take away the word before the cursor.
    Word,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each action is described in the table of keys")]
pub enum Action {
    Help,
    Example,
    Quit,
    Interrupt,
    Redraw,
    Suspend,
    Leave,
    Pause,
    Sparser(bool),
    Faster(bool),
    Evaluate,
    Export,
    Stop,
    Undo,
    NextTheme,
    Focus(isize),
    FocusOn(Panel),
    Maximise,
    Row(isize),
    Edit,
    Apply,
    ApplyWithRate,
    Discard,
    Turn(isize),
    Cursor(isize),
    Backspace,
    Delete,
    /// In every text that is typed.
    Line(LineEdit),
    Smooth(isize),
    LogAxis,
    Metric(isize),
    // The inspector's own.
    Curves,
    CurvesToggle,
    CurvesOnly,
    CurvesPin,
    CurvesAll,
    CurvesFilter,
    CurvesStep,
    CurvesAlong,
    CurvesLogX,
    CurvesEnvelope,
    CurvesOutliers,
    CurvesBetween,
    CurvesDifferences,
    CurvesExport,
    CurvesExportAs(Format),
    Zoom(bool),
    Pan(isize),
    Follow,
    StopNow,
    AbortNow,
    Detach,
    TakeOver,
    Reconnect,
    Timeline,
    TimelineRow(isize),
    TimelineGo,
    TimelinePin,
    Snapshot,
    UndoSteps,
    /// Bring back what was taken back last.
    Redo,
    CursorUp,
    CursorBy(isize),
    CursorLowest(bool),
    CursorAnchor,
    RewindHere,
    Playground,
    PlaygroundAsk,
    PlaygroundRow(isize),
    PlaygroundLeave,
    PlaygroundTyping(bool),
    PlaygroundPast(isize),
    PlaygroundCursor(isize),
    PlaygroundErase(bool),
    PlaygroundMoment(isize),
    PlaygroundLive,
    PlaygroundChat,
    PlaygroundTokens(isize),
    PlaygroundScroll(isize),
    Acknowledge,
    MapMeasure,
    MapLayer(isize),
    TimelineCompare,
    Jump,
    JumpThere,
    JumpNowhere,
    JumpErase,
    Palette,
    Themes,
    OverlayRow(isize),
    Choose,
    Complete,
    // The launcher's.
    HomeRow(isize),
    OpenRun,
    NewRun,
    CopyRun,
    ResumeRun,
    ViewRun,
    RunFacts,
    DeleteRun,
    DeleteNow,
    /// Type another name for the selected run.
    RenameRun,
    /// Give the run that was renamed its name back.
    RenameBack,
    FilterRuns,
    /// Sort the runs by something else.
    SortRuns(isize),
    /// Mark the selected run, or no longer.
    MarkRun,
    MarkAllRuns,
    TagRun,
    NoteRun,
    OpenRecipe,
    FormRow(isize),
    FormSection(isize),
    FormTurn(isize),
    FormEdit,
    FormType,
    FormUndo,
    FormReset,
    FormFind,
    FormSave,
    FormStart,
    StartNow,
    /// Type what the lanes of a race differ in.
    FormRace,
    PickRow(isize),
    PickTake,
    PickAbove,
    /// Complete what was typed by the selected row.
    PickComplete,
    // The race's own.
    RaceOpen,
    RaceHide,
    RaceOthers,
    RaceClone,
    // The comparison's own.
    CompareRuns,
    CompareToggle,
    CompareAll,
    CompareAgainst,
    CompareSort(isize),
    CompareReverse,
    CompareAgain,
    CompareWrite,
    CompareWriteAs(crate::compare::Format),
}

impl Action {
    /// Whether it asks something of an engine that trains.
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
