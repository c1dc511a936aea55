//! Load of machine and device.

use ratatui::layout::Rect;

use crate::cockpit::State;
use crate::layout::split_bottom;
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::{Facts, bar, list, nothing};
use spartui_facts::protocol::{Gpu, Host};

/// Width of the names.
const NAME: u16 = 7;

/// A line of the panel.
struct Line {
    name: &'static str,
    /// The used share, if known.
    share: Option<f64>,
    value: String,
    /// Whether a high share is a problem rather than good.
    limit: bool,
}

/// Draws a line for each known quantity, and the recent load; returns the facts for the title.
pub fn draw(pen: &mut Pen, area: Rect, state: &State) -> Facts {
    let Some(vitals) = &state.pulse.latest else {
        nothing(pen, area, "not sampled yet");
        return Facts::new();
    };
    let mut lines = Vec::new();
    if let Some(gpu) = &vitals.gpu {
        lines.extend(gpu_lines(gpu));
    }
    lines.extend(host_lines(&vitals.host));
    let room = usize::from(area.height);
    let with_past = room >= lines.len() + 2 && area.width >= 20;
    let (upper, below) =
        if with_past { split_bottom(area, area.height - lines.len() as u16) } else { (area, Rect::default()) };
    let values = lines.iter().map(|line| text::width(&line.value)).max().unwrap_or(0).min(area.width / 2);
    for (row, line) in Pen::rows(upper).zip(&lines) {
        pen.put(row.x, row.y, NAME, line.name, Meaning::Muted);
        let rest = Rect { x: row.x + NAME, width: row.width.saturating_sub(NAME), ..row };
        match line.share {
            Some(share) if rest.width > values + 5 => {
                let end = rest.right() - values - 1;
                let meaning = if line.limit { bar::gauge_meaning(share) } else { Meaning::Series1 };
                bar::gauge(pen, Rect { width: end - rest.x, ..rest }, share, meaning);
                pen.put_right(rest, &line.value, Meaning::Text);
            }
            Some(_) => {
                pen.put_right(rest, &line.value, Meaning::Text);
            }
            None => {
                pen.put(rest.x, rest.y, rest.width, &line.value, Meaning::Text);
            }
        }
    }
    list::more(pen, area, 0, usize::from(upper.height), lines.len());
    past(pen, below, state);
    let busy = vitals.gpu.as_ref().and_then(|gpu| gpu.busy).map(|share| ("gpu", share));
    let busy = busy.or(vitals.host.cpu.map(|share| ("cpu", share)));
    busy.map(|(name, share)| (format!("{name} {}", whole_percent(share)), Meaning::Title)).into_iter().collect()
}

fn gpu_lines(gpu: &Gpu) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(name) = &gpu.name {
        lines.push(Line { name: "gpu", share: None, value: text::safe_text(name), limit: false });
    }
    if let Some(busy) = gpu.busy {
        let memory = gpu.memory_busy.map_or(String::new(), |busy| format!(" · memory {}", whole_percent(busy)));
        lines.push(Line {
            name: "busy",
            share: Some(busy),
            value: format!("{}{memory}", whole_percent(busy)),
            limit: false,
        });
    }
    if let (Some(used), Some(total)) = (gpu.memory_used, gpu.memory_total) {
        lines.push(of("memory", used, total));
    }
    if let Some(power) = gpu.power {
        let limit = gpu.power_limit.map_or(String::new(), |limit| format!(" of {limit:.0}"));
        let share = gpu.power_limit.map(|limit| power / limit);
        lines.push(Line { name: "power", share, value: format!("{power:.0}{limit} W"), limit: false });
    }
    let clock = gpu.clock.map(|clock| match gpu.clock_limit {
        Some(limit) => format!("{clock:.0} of {limit:.0} MHz"),
        None => format!("{clock:.0} MHz"),
    });
    let facts: Vec<String> =
        gpu.temperature.map(|degrees| format!("{degrees:.0} °C")).into_iter().chain(clock).collect();
    if !facts.is_empty() {
        lines.push(Line { name: "heat", share: None, value: facts.join(" · "), limit: false });
    }
    lines
}

fn host_lines(host: &Host) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(cpu) = host.cpu {
        let run = host.process_cores.map_or(String::new(), |cores| format!(" · run {cores:.1}"));
        let value = format!("{} of {}{run}", whole_percent(cpu), host.cores);
        lines.push(Line { name: "cpu", share: Some(cpu), value, limit: false });
    }
    if host.memory_total > 0 {
        lines.push(of("host", host.memory_used, host.memory_total));
    }
    let swap = (host.swap_used > 0).then(|| format!("swap {}", text::bytes(host.swap_used)));
    let run = host.resident.map(|bytes| format!("{} resident", text::bytes(bytes)));
    let facts: Vec<String> = run.into_iter().chain(swap).collect();
    if !facts.is_empty() {
        lines.push(Line { name: "run", share: None, value: facts.join(" · "), limit: false });
    }
    if let (Some(free), Some(total)) = (host.disk_free, host.disk_total) {
        let share = 1.0 - free as f64 / total.max(1) as f64;
        let value = format!("{} free", text::bytes(free));
        lines.push(Line { name: "disk", share: Some(share), value, limit: true });
    }
    lines
}

fn of(name: &'static str, used: u64, total: u64) -> Line {
    let share = used as f64 / total.max(1) as f64;
    Line { name, share: Some(share), value: format!("{} of {}", text::bytes(used), text::bytes(total)), limit: true }
}

fn whole_percent(share: f64) -> String {
    format!("{:.0} %", share.clamp(0.0, 10.0) * 100.0)
}

/// Recent load of device and processors, the newest at the right.
fn past(pen: &mut Pen, area: Rect, state: &State) {
    let pulse = &state.pulse;
    let rows = Pen::rows(area).skip(1);
    let shown = [("gpu", &pulse.gpu, Meaning::Series2), ("cpu", &pulse.cpu, Meaning::Series1)];
    for (row, (name, past, meaning)) in rows.zip(shown.into_iter().filter(|(_, past, _)| past.len() > 1)) {
        pen.put(row.x, row.y, NAME, name, Meaning::Muted);
        let room = Rect { x: row.x + NAME, width: row.width.saturating_sub(NAME), ..row };
        let newest = past.iter().skip(past.len().saturating_sub(usize::from(room.width)));
        pen.put_right(room, &bar::uprights(newest.copied()), meaning);
    }
}
