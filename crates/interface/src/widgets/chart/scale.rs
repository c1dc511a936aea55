//! The scale under a chart.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::axis::round_step;
use crate::widgets::chart::Along;
use crate::widgets::window::Window;

/// Draws round positions on the axis, and at its end the unit.
pub fn draw(pen: &mut Pen, row: Rect, window: &Window, along: Along) {
    let name_at = pen.put_right(row, &along.to_string(), Meaning::Axis);
    let ticks = ticks(window, along, 1);
    let mut free = row.x;
    for (tick, label) in ticks {
        let cell = ((window.place(tick) - window.start) / (window.per_dot * 2.0)).floor() as u16;
        let x = (row.x + cell).saturating_sub(text::width(&label) / 2).max(row.x);
        if x >= free && x + text::width(&label) < name_at {
            pen.put(x, row.y, name_at - x, &label, Meaning::Axis);
            free = x + text::width(&label) + 1;
        }
    }
}

/// Round positions on a linear axis, each with its label. A letter is two times `fine` dots wide.
#[must_use]
pub fn ticks(window: &Window, along: Along, fine: usize) -> Vec<(f64, String)> {
    if window.log { log_ticks(window, along) } else { even_ticks(window, along, fine) }
}

fn even_ticks(window: &Window, along: Along, fine: usize) -> Vec<(f64, String)> {
    let per_cell = window.per_dot * (2 * fine) as f64;
    let label = |tick: f64, step: f64| label(tick, step, along);
    let digits = text::width(&label(window.end(), window.per_dot * 20.0));
    let least = per_cell * f64::from(digits + 6);
    let step = match along {
        Along::Steps => round_step(least).max(1.0),
        Along::Epochs | Along::Tokens => round_step(least),
        Along::Time => round_time(least),
    };
    let first = (window.start / step).ceil() * step;
    let ticks = (0..100).map(|index| first + f64::from(index) * step);
    ticks.take_while(|tick| *tick < window.end()).map(|tick| (tick, label(tick, step))).collect()
}

fn log_ticks(window: &Window, along: Along) -> Vec<(f64, String)> {
    let decades = window.start.floor() as i32..=window.end().ceil() as i32;
    let ticks = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(decade)));
    let inside = |tick: &f64| (window.start..window.end()).contains(&tick.log10());
    let label = |tick: f64| match along {
        Along::Time | Along::Tokens => label(tick, tick, along),
        Along::Steps | Along::Epochs => text::number_short(tick),
    };
    ticks.filter(inside).map(|tick| (tick, label(tick))).collect()
}

/// Round durations in seconds, minutes, hours and days.
fn round_time(least: f64) -> f64 {
    const ROUND: [f64; 18] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0,
        43_200.0, 86_400.0,
    ];
    if least <= 0.5 {
        return round_step(least);
    }
    ROUND.into_iter().find(|step| *step >= least * 0.999_999).unwrap_or_else(|| round_step(least / 86_400.0) * 86_400.0)
}

fn label(tick: f64, step: f64, along: Along) -> String {
    match along {
        Along::Steps => format!("{tick:.0}"),
        Along::Epochs => {
            let decimals = usize::try_from(-(step.log10() + 1e-9).floor() as i64).unwrap_or(0).min(9);
            format!("{tick:.decimals$}")
        }
        Along::Tokens => text::count(tick.max(0.0) as u64),
        Along::Time if step < 1.0 => format!("{}s", text::number_short(tick)),
        Along::Time => text::duration(Duration::try_from_secs_f64(tick.max(0.0)).unwrap_or_default()),
    }
}
