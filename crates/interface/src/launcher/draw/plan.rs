//! The plan of the run in the form.

use std::collections::HashSet;

use ratatui::layout::Rect;

use super::home::seconds;
use super::{bars, sample};
use crate::launcher::{Launcher, PlanView};
use crate::pen::Pen;
use crate::text;
use crate::theme::Meaning;
use crate::widgets::stacked;
use spartui_facts::protocol::{Memory, PlannedRate, PlannedRows};

/// A line of the panel.
enum Line {
    /// A label and a value.
    Fact(&'static str, String, Meaning),
    /// A text.
    Text(String, Meaning),
    /// A label, and vertical bars beside it.
    Bars(&'static str, Vec<usize>),
    /// A name, a share and a remark, in a list of such lines.
    Share(ShareKind, String, f64, String, Meaning),
    /// Memory by owner.
    Memory(Memory),
    /// An empty line.
    Gap,
}

/// The kind of a list of shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShareKind {
    Groups,
    Classes,
}

impl ShareKind {
    const ALL: [Self; 2] = [Self::Groups, Self::Classes];

    fn name(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Classes => "classes",
        }
    }
}

/// Draws the plan.
pub fn draw(pen: &mut Pen, area: Rect, launcher: &Launcher) {
    if area.width < 4 || area.height < 3 {
        return;
    }
    let form = &launcher.form;
    let plan = &form.plan;
    let stale = plan.time.value.is_some() && plan.time.stale;
    let remark = match (&plan.refused, plan.running) {
        (Some(_), _) => ("refused".to_owned(), Meaning::Error),
        (None, true) => match &plan.doing {
            Some((_, Some(share))) => {
                let share = share.clamp(0.0, 1.0) * 100.0;
                (format!("{}{share:.0} %", if stale { "stale, " } else { "" }), Meaning::Pending)
            }
            _ => (if stale { "stale" } else { "working" }.to_owned(), Meaning::Pending),
        },
        _ => (String::new(), Meaning::Muted),
    };
    let inner = super::parts::titled(pen, area, Meaning::Border, "what it would be", (&remark.0, remark.1));
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let lines = fitted(lines(launcher, inner), usize::from(inner.height));
    let mut rows = Pen::rows(inner);
    for (_, line) in &lines {
        let Some(row) = rows.next() else { return };
        draw_line(pen, row, line);
    }
    let used = lines.len() as u16;
    let rest = Rect { y: inner.y + used, height: inner.height.saturating_sub(used), ..inner };
    if let Some(Ok(rows)) = form.rows().filter(|_| rest.height >= 7) {
        let rest = Rect { y: rest.y + 1, height: rest.height - 1, ..rest };
        sample::rows(pen, rest, rows);
    }
}

/// As many lines as fit: the least important go first, of equal ones the last, and a shortened list says by how much.
fn fitted(mut lines: Vec<(u8, Line)>, room: usize) -> Vec<(u8, Line)> {
    let count = |lines: &[(u8, Line)], of: ShareKind| {
        lines.iter().filter(|(_, line)| matches!(line, Line::Share(list, ..) if *list == of)).count()
    };
    let all = ShareKind::ALL.map(|of| count(&lines, of));
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse((lines[at].0, at)));
    let gone: HashSet<usize> = order.into_iter().take(lines.len().saturating_sub(room)).collect();
    let mut at = 0;
    lines.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
    for (of, all) in ShareKind::ALL.into_iter().zip(all) {
        let gone = all - count(&lines, of);
        let last = lines.iter_mut().rev().find(|(_, line)| matches!(line, Line::Share(list, ..) if *list == of));
        if let (1.., Some((_, line))) = (gone, last) {
            *line = Line::Text(format!(" and {} {} more", gone + 1, of.name()), Meaning::Muted);
        }
    }
    lines
}

fn draw_line(pen: &mut Pen, row: Rect, line: &Line) {
    match line {
        Line::Fact(label, value, meaning) => super::parts::fact(pen, row, label, value, *meaning),
        Line::Text(text, meaning) => {
            pen.put(row.x, row.y, row.width, text, *meaning);
        }
        Line::Bars(label, counts) => {
            pen.put(row.x, row.y, 10.min(row.width), label, Meaning::Muted);
            let bars_place = Rect { x: row.x + 10, width: row.width.saturating_sub(10), ..row };
            let counts = bars::fitted(counts, bars_place.width);
            bars::draw(pen, bars_place, &bars::shares(&counts), Meaning::Series2);
        }
        Line::Share(_, name, share, remark, meaning) => share_line(pen, row, name, *share, remark, *meaning),
        Line::Memory(memory) => {
            let owners = memory.owners().into_iter().zip(Meaning::SERIES);
            let parts: Vec<(u64, Meaning)> = owners.map(|((_, bytes), meaning)| (bytes, meaning)).collect();
            stacked(pen, row, &parts, memory.limit.max(memory.total));
        }
        Line::Gap => {}
    }
}

/// Likely mistakes in the rows, in at most a third of the panel; with details if there is room for them.
fn findings(found: &[String], area: Rect) -> Vec<String> {
    let short = |finding: &String| match finding.split_once(" (").filter(|_| area.width < 60) {
        Some((head, _)) => head.to_owned(),
        None => finding.clone(),
    };
    let room = usize::from(area.height / 3).max(2);
    let mut lines: Vec<String> = Vec::new();
    for (at, finding) in found.iter().enumerate() {
        let wrapped = text::wrap(&text::safe_text(&short(finding)), area.width);
        if at > 0 && lines.len() + wrapped.len() + usize::from(at + 1 < found.len()) > room {
            lines.push(format!("and {} more: spartui plan", found.len() - at));
            break;
        }
        lines.extend(wrapped);
    }
    lines
}

/// A name, a bar proportional to its share, and a remark at the right.
pub fn share_line(pen: &mut Pen, row: Rect, name: &str, share: f64, remark: &str, meaning: Meaning) {
    let label = (row.width * 2 / 5).min(22);
    pen.put(row.x, row.y, label.saturating_sub(1), name, meaning);
    let right = text::width(remark) + 1;
    let bar = Rect { x: row.x + label, width: row.width.saturating_sub(label + right), ..row };
    let filled = (f64::from(bar.width) * share.clamp(0.0, 1.0)).round() as u16;
    let filled = filled.max(u16::from(share > 0.0)).min(bar.width);
    pen.fill(Rect { width: filled, ..bar }, '■', Meaning::Series2);
    pen.put_right(row, remark, Meaning::Muted);
}

/// All lines, each with its weight: the largest is dropped first.
fn lines(launcher: &Launcher, area: Rect) -> Vec<(u8, Line)> {
    let width = area.width;
    let form = &launcher.form;
    let plan = &form.plan;
    let mut lines = Vec::new();
    let mut wrapped = |weight: u8, sentence: &str, meaning: Meaning| {
        for line in text::wrap(&text::safe_text(sentence), width) {
            lines.push((weight, Line::Text(line, meaning)));
        }
    };
    if let Some(why) = &plan.refused {
        wrapped(0, why, Meaning::Error);
    } else if let Some(missing) = form.missing() {
        let what = if missing == "model.path" { "a model" } else { "a file of rows" };
        wrapped(0, &format!("Choose {what}: what the run would be is worked out then."), Meaning::Muted);
    } else if let Some(why) = &plan.later {
        wrapped(0, &format!("{why}, and what it would be is known then."), Meaning::Pending);
    } else if let Some((doing, _)) = &plan.doing {
        wrapped(1, doing, Meaning::Pending);
    } else if plan.running && !plan.is_empty() {
        wrapped(1, "the form has changed: working it out anew", Meaning::Pending);
    }
    for remark in form.remarks() {
        wrapped(1, &remark, Meaning::Warn);
    }
    for remark in plan.files.value.iter().flatten().filter(|remark| remark.warns) {
        wrapped(1, &remark.text, if plan.files.stale { Meaning::Muted } else { Meaning::Warn });
    }
    if let Some(Err(why)) = form.rows()
        && plan.refused.is_none()
    {
        wrapped(0, why, Meaning::Error);
    }
    if let Some(data) = &plan.data.value {
        let tone = if plan.data.stale { Meaning::Muted } else { Meaning::Warn };
        lines.extend(findings(&data.findings, area).into_iter().map(|line| (1, Line::Text(line, tone))));
    }
    if !lines.is_empty() {
        lines.push((6, Line::Gap));
    }
    known(&mut lines, plan, width);
    if plan.data.value.is_none()
        && let Some(Ok(rows)) = form.rows()
    {
        of_file(&mut lines, rows, width, launcher);
    }
    lines
}

fn known(lines: &mut Vec<(u8, Line)>, plan: &PlanView, width: u16) {
    let tone = |stale: bool| if stale { Meaning::Muted } else { Meaning::Text };
    if let Some(time) = &plan.time.value {
        let tone = tone(plan.time.stale);
        let steps = match time.evaluations {
            0 => format!("{} steps", time.total_steps),
            evaluations => format!("{} steps, {evaluations} eval.", time.total_steps),
        };
        lines.push((0, Line::Fact("time", format!("about {}", seconds(time.seconds)), tone)));
        lines.push((2, Line::Fact("", steps, tone)));
        let step = format!("{}, {} timed", text::milliseconds(time.step_ms), time.measured);
        lines.push((1, Line::Fact("step", step, tone)));
    }
    if let Some(memory) = &plan.memory.value {
        let tone = match (&memory.warning, plan.memory.stale) {
            (Some(_), false) => Meaning::Error,
            (_, stale) => tone(stale),
        };
        let sentence = format!("{} of {}", text::bytes(memory.memory.total), text::bytes(memory.memory.limit));
        lines.push((0, Line::Fact("memory", sentence, tone)));
        lines.push((3, Line::Memory(memory.memory)));
        for ((name, bytes), meaning) in memory.memory.owners().into_iter().zip(Meaning::SERIES) {
            if bytes > 0 {
                let meaning = if plan.memory.stale { Meaning::Muted } else { meaning };
                lines.push((5, Line::Fact("", format!("■ {name} {}", text::bytes(bytes)), meaning)));
            }
        }
    }
    if let Some(sparsity) = &plan.sparsity.value {
        let tone = tone(plan.sparsity.stale);
        let sentence = format!("{} of {}", text::count(sparsity.trainable), text::count(sparsity.parameters));
        lines.push((0, Line::Fact("trains", sentence, tone)));
        lines.push((1, Line::Fact("sparsity", text::percent(sparsity.sparsity), tone)));
        if let Some(remark) = &sparsity.remark {
            lines.push((1, Line::Text(text::safe_text(remark), Meaning::Muted)));
        }
        lines.push((4, Line::Fact("density", "what trains of each group".into(), Meaning::Muted)));
        for group in sparsity.groups.iter().filter(|group| group.trainable > 0) {
            let density = group.trainable as f64 / group.parameters.max(1) as f64;
            let name = format!(" {}", text::safe_text(&group.name));
            lines.push((4, Line::Share(ShareKind::Groups, name, density, text::percent(density), tone)));
        }
        if sparsity.head > 0 {
            lines.push((5, Line::Share(ShareKind::Groups, " head".into(), 1.0, text::count(sparsity.head), tone)));
        }
    }
    if let Some(PlannedRate { rate, basis, head }) = &plan.rate.value {
        let tone = tone(plan.rate.stale);
        let sentence = format!("{}, {}", text::number_short(*rate), text::safe_text(basis));
        lines.push((1, Line::Fact("rate", sentence, tone)));
        if let Some(head) = head {
            lines.push((5, Line::Fact("head rate", text::number_short(*head), tone)));
        }
    }
    if let Some(data) = &plan.data.value {
        let tone = tone(plan.data.stale);
        let rows = match data.validation.rows {
            0 => data.train.rows.to_string(),
            validation => format!("{} + {validation} validation", data.train.rows),
        };
        lines.push((1, Line::Fact("rows", rows, tone)));
        lines.push((2, Line::Fact("tokens", tokens(&data.train), tone)));
        lines.push((6, Line::Bars("lengths", data.train.lengths.clone())));
        for part in [&data.train, &data.validation] {
            lines.extend(paragraph(2, part.read_as.as_ref(), Meaning::Muted, width));
            lines.extend(paragraph(2, part.left_out.as_ref(), Meaning::Warn, width));
        }
        let all: usize = data.labels.iter().map(|(_, train, _)| train).sum();
        let labels = data.labels.iter().map(|(label, train, _)| (label.as_str(), *train));
        lines.extend(classes(7, labels, all, tone));
    }
    if let Some(model) = &plan.model.value {
        let sentence = format!("{}, {} on {}", model.family, model.dtype, model.device);
        lines.push((3, Line::Fact("model", text::safe_text(&sentence), tone(plan.model.stale))));
    }
}

/// A sentence wrapped into lines.
fn paragraph(weight: u8, sentence: Option<&String>, meaning: Meaning, width: u16) -> Vec<(u8, Line)> {
    let lines = sentence.map(|sentence| text::wrap(&text::safe_text(sentence), width)).unwrap_or_default();
    lines.into_iter().map(|line| (weight, Line::Text(line, meaning))).collect()
}

fn tokens(rows: &PlannedRows) -> String {
    format!("median {}, most {}", rows.median, rows.longest)
}

/// Facts from the file of rows alone, before tokenization.
fn of_file(lines: &mut Vec<(u8, Line)>, rows: &spartui_data::Sample, width: u16, launcher: &Launcher) {
    let count = if rows.whole { rows.count.to_string() } else { format!("more than {}", rows.count) };
    lines.push((1, Line::Fact("rows", count, Meaning::Text)));
    if rows.bad > 0 {
        lines.push((2, Line::Fact("bad rows", rows.bad.to_string(), Meaning::Warn)));
    }
    lines.extend(paragraph(2, rows.read_as.as_ref(), Meaning::Muted, width));
    let label = rows.columns.iter().find(|column| column.name == launcher.form.recipe.data.label);
    let Some(values) = label.and_then(|column| column.values.as_ref()) else { return };
    let values = values.iter().map(|(value, count)| (value.as_str(), *count));
    lines.extend(classes(5, values, rows.count, Meaning::Text));
}

/// Labels with their number of rows, out of a sample of this size, the most frequent first.
fn classes<'a>(
    weight: u8,
    labels: impl Iterator<Item = (&'a str, usize)>,
    all: usize,
    tone: Meaning,
) -> Vec<(u8, Line)> {
    let mut labels: Vec<(&str, usize)> = labels.collect();
    labels.sort_by_key(|&(_, rows)| std::cmp::Reverse(rows));
    let line = |(label, rows): (&str, usize)| {
        let share = rows as f64 / all.max(1) as f64;
        (weight, Line::Share(ShareKind::Classes, format!(" {}", text::safe_text(label)), share, rows.to_string(), tone))
    };
    labels.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_have_a_third_of_the_panel_and_say_how_many_more_there_are() {
        let found = ["1 of 9 training rows has an empty text (a.csv:4)", "2 of 9 labels have one row (x, y)", "three"];
        let found = found.map(str::to_owned);
        let at = |width, height| findings(&found, Rect::new(0, 0, width, height));
        assert_eq!(at(80, 40), found);
        assert_eq!(at(40, 9), ["1 of 9 training rows has an empty text", "2 of 9 labels have one row", "three"]);
        assert_eq!(at(40, 6), ["1 of 9 training rows has an empty text", "and 2 more: spartui plan"]);
    }

    #[test]
    fn a_list_that_is_cut_short_says_how_much() {
        let class =
            |at: usize| (7, Line::Share(ShareKind::Classes, format!("class {at}"), 0.1, "3".into(), Meaning::Text));
        let lines = || std::iter::once((0, Line::Gap)).chain((0..40).map(class)).collect::<Vec<_>>();
        let sentence = |room: usize| match fitted(lines(), room).pop() {
            Some((_, Line::Text(sentence, _))) => Some(sentence),
            _ => None,
        };
        assert_eq!(sentence(41), None);
        assert_eq!(sentence(40), Some(" and 2 classes more".into()));
        assert_eq!(sentence(11), Some(" and 31 classes more".into()));
        let shown = fitted(lines(), 11);
        assert_eq!(shown.len(), 11);
        assert!(matches!(&shown[1].1, Line::Share(_, name, ..) if name == "class 0"), "the first of a list stay");
    }
}
