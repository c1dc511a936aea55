//! What actions are called, in the palette and in a file of keys.

use super::Action;
use crate::interface::inspector::Format;
use crate::interface::state::Panel;

impl Action {
    /// Its name.
    #[must_use]
    #[expect(
        clippy::too_many_lines,
        clippy::match_same_arms,
        reason = "a line for each action, those of a screen together"
    )]
    pub fn name(self) -> &'static str {
        let pair = |up: bool, names: [&'static str; 2]| names[usize::from(up)];
        match self {
            Self::Help => "help",
            Self::Example => "example",
            Self::Quit => "quit",
            Self::Interrupt => "interrupt",
            Self::Redraw => "redraw",
            Self::Leave => "close",
            Self::Pause => "pause",
            Self::Sparser(up) => pair(up, ["sparsity-down", "sparsity-up"]),
            Self::Faster(up) => pair(up, ["learning-rate-down", "learning-rate-up"]),
            Self::Evaluate => "evaluate",
            Self::Export => "export",
            Self::Stop => "stop",
            Self::Undo => "undo",
            Self::NextTheme => "next-theme",
            Self::Focus(by) => pair(by > 0, ["previous-panel", "next-panel"]),
            Self::FocusOn(panel) => match panel {
                Panel::Loss => "panel-loss",
                Panel::Sparsity => "panel-sparsity",
                Panel::Settings => "panel-settings",
                Panel::Memory => "panel-memory",
                Panel::Validation => "panel-validation",
                Panel::Log => "panel-log",
                Panel::Device => "panel-device",
                Panel::Map => "panel-map",
                Panel::Charts => "panel-charts",
            },
            Self::Maximise => "maximise",
            Self::Row(by) | Self::TimelineRow(by) | Self::OverlayRow(by) => {
                step(by, ["next-row", "previous-row", "page-down", "page-up"])
            }
            Self::Edit => "edit",
            Self::Apply => "apply",
            Self::ApplyWithRate => "apply-with-rate",
            Self::Discard => "discard",
            Self::Turn(by) => pair(by > 0, ["value-down", "value-up"]),
            Self::Cursor(by) | Self::PlaygroundCursor(by) => {
                step(by, ["character-right", "character-left", "line-end", "line-start"])
            }
            Self::Backspace | Self::JumpErase => "backspace",
            Self::Delete => "delete",
            Self::Smooth(by) => pair(by > 0, ["smooth-less", "smooth-more"]),
            Self::LogAxis => "log-axis",
            Self::Curves => "curves",
            Self::CurvesToggle => "show-or-hide",
            Self::CurvesOnly => "show-only",
            Self::CurvesPin => "pin-run",
            Self::CurvesAll => "show-all",
            Self::CurvesFilter => "filter-runs",
            Self::CurvesStep => "go-to-step",
            Self::CurvesAlong => "next-axis",
            Self::CurvesLogX => "log-axis-across",
            Self::CurvesEnvelope => "envelope",
            Self::CurvesOutliers => "outliers",
            Self::CurvesBetween => "zoom-between",
            Self::CurvesDifferences => "differences",
            Self::CurvesExport => "write-view",
            Self::CurvesExportAs(format) => match format {
                Format::Csv => "write-csv",
                Format::Svg => "write-svg",
                Format::Png => "write-png",
                Format::Text => "write-text",
            },
            Self::Metric(by) => pair(by > 0, ["previous-metric", "next-metric"]),
            Self::Zoom(closer) => pair(closer, ["zoom-out", "zoom-in"]),
            Self::Pan(by) => pair(by > 0, ["pan-left", "pan-right"]),
            Self::Follow => "follow",
            Self::StopNow => "stop-now",
            Self::AbortNow => "abort-now",
            Self::Detach => "detach",
            Self::TakeOver => "take-over",
            Self::Reconnect => "reconnect",
            Self::Timeline => "branches",
            Self::TimelineGo => "go-there",
            Self::TimelinePin => "pin",
            Self::Snapshot => "keep-state",
            Self::UndoSteps => "undo-steps",
            Self::CursorUp => "cursor",
            Self::CursorBy(by) if by < -100 => "first-step",
            Self::CursorBy(by) if by > 100 => "last-step",
            Self::CursorBy(by) => step(by, ["next-sample", "previous-sample", "ten-samples-on", "ten-samples-back"]),
            Self::CursorLowest(lowest) => pair(lowest, ["highest-loss", "lowest-loss"]),
            Self::CursorAnchor => "compare",
            Self::RewindHere => "rewind",
            Self::Playground => "playground",
            Self::Acknowledge => "acknowledge",
            Self::MapMeasure => "next-measure",
            Self::MapLayer(by) => pair(by > 0, ["previous-layer", "next-layer"]),
            Self::TimelineCompare => "compare-state",
            Self::Jump => "jump-to-step",
            Self::JumpThere => "jump",
            Self::JumpNowhere => "stay-there",
            Self::PlaygroundAsk => "ask",
            Self::PlaygroundRow(by) => pair(by > 0, ["previous-example", "next-example"]),
            Self::PlaygroundLeave => "break-off-or-close",
            Self::PlaygroundTyping(typing) => pair(typing, ["leave-text", "type-text"]),
            Self::PlaygroundPast(by) => pair(by > 0, ["earlier-text", "later-text"]),
            Self::PlaygroundErase(forward) => pair(forward, ["backspace", "delete"]),
            Self::PlaygroundMoment(by) => pair(by > 0, ["newer-state", "older-state"]),
            Self::PlaygroundLive => "ask-again-by-itself",
            Self::PlaygroundChat => "chat",
            Self::PlaygroundTokens(by) => pair(by > 0, ["fewer-tokens", "more-tokens"]),
            Self::PlaygroundScroll(by) => step(by, ["scroll-down", "scroll-up", "page-down", "page-up"]),
            Self::Palette => "palette",
            Self::Themes => "themes",
            Self::Choose => "choose",
            Self::Complete => "complete",
            Self::HomeRow(by) | Self::FormRow(by) | Self::PickRow(by) if by < -100 => "first-row",
            Self::HomeRow(by) | Self::FormRow(by) | Self::PickRow(by) if by > 100 => "last-row",
            Self::HomeRow(by) | Self::FormRow(by) | Self::PickRow(by) => {
                step(by, ["next-row", "previous-row", "page-down", "page-up"])
            }
            Self::OpenRun => "open-run",
            Self::NewRun => "new-run",
            Self::CopyRun => "new-from-run",
            Self::ResumeRun => "resume-run",
            Self::ViewRun => "curves-of-run",
            Self::RunFacts => "facts-of-run",
            Self::DeleteRun => "delete-run",
            Self::DeleteNow => "delete-now",
            Self::RenameRun => "rename-run",
            Self::RenameBack => "rename-back",
            Self::FilterRuns => "filter-runs",
            Self::OpenRecipe => "open-recipe",
            Self::FormSection(by) => pair(by > 0, ["previous-section", "next-section"]),
            Self::FormTurn(by) => pair(by > 0, ["value-down", "value-up"]),
            Self::FormEdit => "edit",
            Self::FormType => "type-value",
            Self::FormUndo => "undo",
            Self::FormReset => "default-value",
            Self::FormFind => "find-field",
            Self::FormSave => "save-recipe",
            Self::FormStart => "start-run",
            Self::StartNow => "start-now",
            Self::PickTake => "choose",
            Self::PickAbove => "folder-above",
            Self::RaceOpen => "open-lane",
            Self::RaceHide => "show-or-hide-lane",
            Self::RaceOthers => "stop-other-lanes",
            Self::RaceClone => "clone-lane",
            Self::CompareRuns => "compare-runs",
            Self::CompareToggle => "mark",
            Self::CompareAll => "mark-all",
            Self::CompareAgainst => "test-against",
            Self::CompareSort(by) => pair(by > 0, ["sort-by-previous", "sort-by-next"]),
            Self::CompareReverse => "reverse",
            Self::CompareAgain => "compare-again",
            Self::CompareWrite => "write-comparison",
            Self::CompareWriteAs(format) => match format {
                crate::compare::Format::Text => "write-text",
                crate::compare::Format::Json => "write-json",
                crate::compare::Format::Csv => "write-csv",
                crate::compare::Format::Markdown => "write-markdown",
            },
        }
    }
}

/// The name of one step forwards, one step backwards, and many of both.
fn step(by: isize, [on, back, far_on, far_back]: [&'static str; 4]) -> &'static str {
    match by {
        2.. => far_on,
        0..=1 => on,
        -1 => back,
        _ => far_back,
    }
}
