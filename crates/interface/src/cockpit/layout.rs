//! The layout of the cockpit, used by drawing and mouse alike.

use ratatui::layout::Rect;

use super::banner;
use super::draw::short_height;
use super::panels::charts_place;
use super::{Stage, State};
use crate::keys::Panel;
use crate::layout::{LEAST, SMALLEST, split_bottom, split_left, split_right, split_top};

/// Width from which the compact view has a panel beside it, the width of the compact view, and the least height of a
/// panel below it.
const BESIDE: u16 = 84;
const SHORT: u16 = 44;
const BELOW: u16 = 6;

/// The areas of the cockpit.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Run and status.
    pub header: Rect,
    /// Progress.
    pub progress: Rect,
    /// How the run ended.
    pub banner: Rect,
    /// All panels together.
    pub body: Rect,
    /// The compact view, on a terminal that has no room for more.
    pub short: Option<Rect>,
    /// Places, each with the panels that share it; the first one is shown.
    pub places: Vec<(Rect, Vec<Panel>)>,
    /// The latest notice, and alerts.
    pub strip: Rect,
    /// Key hints.
    pub footer: Rect,
}

/// The layout for this terminal size; none if it is too small.
#[must_use]
pub fn arrange(state: &State) -> Option<Layout> {
    let (width, height) = state.env.size;
    if width < LEAST.0 || height < LEAST.1 {
        return None;
    }
    let screen = Rect::new(0, 0, width, height);
    if width < SMALLEST.0 || height < SMALLEST.1 {
        return Some(short(state, screen));
    }
    let (header, rest) = split_top(screen, 1);
    let (rest, footer) = split_bottom(rest, 1);
    let (rest, strip) = split_bottom(rest, 1);
    let progress_height = if state.ready.is_some() { 2 } else { 0 };
    let (progress, rest) = split_top(rest, progress_height);
    let (banner, body) = split_top(rest, banner::height(state, width).min(rest.height / 2));
    let mut layout = Layout { header, progress, banner, body, strip, footer, ..Layout::default() };
    if state.ready.is_some() || (matches!(state.stage, Stage::Faulted { .. }) && state.loading.is_empty()) {
        layout.places = places(state, body);
        for (_, panels) in &mut layout.places {
            panels.sort_by_key(|panel| state.recent.iter().position(|recent| recent == panel));
        }
    }
    Some(layout)
}

/// The layout for one panel at most: the compact view, and the focused panel if it fits.
fn short(state: &State, screen: Rect) -> Layout {
    let (header, rest) = split_top(screen, 1);
    let (rest, footer) = split_bottom(rest, 1);
    let (rest, strip) = split_bottom(rest, 1);
    let (banner, body) = split_top(rest, banner::height(state, screen.width).min(rest.height));
    let mut layout = Layout { header, banner, body, strip, footer, ..Layout::default() };
    if state.ready.is_some() {
        let (short, panel) = match body.width {
            BESIDE.. => split_left(body, SHORT),
            _ => split_top(body, short_height(state)),
        };
        layout.short = Some(short);
        if panel.height >= BELOW {
            layout.places.push((panel, vec![state.focus]));
        }
    }
    layout
}

/// The area between the first line and the last two, for a view that fills it.
#[must_use]
pub fn below_header(layout: &Layout) -> Rect {
    let top = layout.header.bottom();
    Rect { y: top, height: layout.strip.y.saturating_sub(top), ..layout.header }
}

/// The panel at a cell of the screen, and its area.
#[must_use]
pub fn panel_at(state: &State, (x, y): (u16, u16)) -> Option<(Panel, Rect)> {
    let layout = arrange(state)?;
    layout
        .places
        .into_iter()
        .find(|(area, _)| area.contains((x, y).into()))
        .and_then(|(area, panels)| Some((*panels.first()?, area)))
}

fn places(state: &State, body: Rect) -> Vec<(Rect, Vec<Panel>)> {
    if state.maximised || body.height < 12 {
        let mut panels = Panel::ALL.to_vec();
        if state.maximised {
            panels.retain(|panel| *panel == state.focus);
        }
        return vec![(body, panels)];
    }
    let groups = state.sparsity.as_ref().map_or(6, |sparsity| u16::try_from(sparsity.groups.len()).unwrap_or(40));
    let settings = u16::try_from(state.shown_fields().count()).unwrap_or(20) + 2;
    match (body.width, body.height) {
        (110.., 29..) => wide(body, groups, settings),
        (80.., 29..) => tall(body, groups, settings),
        (80.., 18..) => medium(body, groups, settings),
        _ => small(body),
    }
}

/// Loss above settings and log; the other panels in a column beside them.
fn wide(body: Rect, groups: u16, settings: u16) -> Vec<(Rect, Vec<Panel>)> {
    let (left, right) = split_right(body, (body.width * 38 / 100).clamp(46, 76));
    let (loss, below) = split_bottom(left, settings.max(body.height / 4));
    let (settings, log) = split_left(below, (below.width * 42 / 100).clamp(32, 46));
    let remarks = if body.height >= 45 { 8 } else { 5 };
    let (loss, charts) = charts_place(loss);
    let mut places = vec![(loss, vec![Panel::Loss]), (settings, vec![Panel::Settings]), (log, vec![Panel::Log])];
    let beside = (groups + 5).max(11);
    let (sparsity, rest) = split_top(right, (groups + remarks).min(body.height * 2 / 5));
    if right.width >= 70 && body.height >= groups + remarks + beside + 26 {
        let (both, rest) = split_top(rest, beside);
        let (map, device) = split_right(both, 36);
        let (memory, validation) = split_top(rest, (rest.height * 3 / 5).clamp(11, 20));
        places.extend([
            (sparsity, vec![Panel::Sparsity]),
            (map, vec![Panel::Map]),
            (device, vec![Panel::Device]),
            (memory, vec![Panel::Memory]),
            (validation, vec![Panel::Validation]),
        ]);
    } else {
        let (memory, validation) = split_top(rest, (rest.height / 2).clamp(11, 20));
        places.extend([
            (sparsity, vec![Panel::Sparsity, Panel::Map]),
            (memory, vec![Panel::Memory, Panel::Device]),
            (validation, vec![Panel::Validation]),
        ]);
    }
    with_charts(&mut places, charts);
    places
}

/// Gives the grid of charts its own place, or lets it share that of the large chart.
fn with_charts(places: &mut Vec<(Rect, Vec<Panel>)>, charts: Rect) {
    if charts.height > 0 {
        places.push((charts, vec![Panel::Charts]));
    } else if let Some((_, panels)) = places.first_mut() {
        panels.push(Panel::Charts);
    }
}

/// Two columns with every panel visible.
fn tall(body: Rect, groups: u16, settings: u16) -> Vec<(Rect, Vec<Panel>)> {
    let (left, right) = split_right(body, 33);
    let (loss, below) = split_top(left, body.height * 2 / 5);
    let (sparsity, log) = split_top(below, (groups + 6).min(below.height * 2 / 3));
    let (settings, rest) = split_top(right, settings);
    let (memory, validation) = split_top(rest, rest.height / 2);
    vec![
        (loss, vec![Panel::Loss, Panel::Charts]),
        (sparsity, vec![Panel::Sparsity, Panel::Map]),
        (settings, vec![Panel::Settings]),
        (memory, vec![Panel::Memory, Panel::Device]),
        (validation, vec![Panel::Validation]),
        (log, vec![Panel::Log]),
    ]
}

/// Two columns; related panels share a place.
fn medium(body: Rect, groups: u16, settings: u16) -> Vec<(Rect, Vec<Panel>)> {
    let (left, right) = split_right(body, if body.width >= 110 { 44 } else { 32 });
    let (loss, lower) = split_bottom(left, (groups + 5).min(body.height * 53 / 100));
    let (settings, rest) = split_top(right, settings.min(body.height * 3 / 5));
    vec![
        (loss, vec![Panel::Loss, Panel::Charts]),
        (lower, vec![Panel::Sparsity, Panel::Log, Panel::Map]),
        (settings, vec![Panel::Settings]),
        (rest, vec![Panel::Validation, Panel::Memory, Panel::Device]),
    ]
}

/// The loss, and all other panels in one shared place.
fn small(body: Rect) -> Vec<(Rect, Vec<Panel>)> {
    let (loss, rest) = split_top(body, body.height / 2);
    let beside = [Panel::Loss, Panel::Charts];
    let others = Panel::ALL.into_iter().filter(|panel| !beside.contains(panel)).collect();
    vec![(loss, beside.to_vec()), (rest, others)]
}
