//! A screen as people see it, in one text: at three sizes, its letters once and its colours in three themes.

#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;

/// Sizes of common terminals.
pub const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// A theme for dark rooms, one for light ones, and one for everybody's eyes.
pub const THEMES: [&str; 3] = ["dark", "light", "colour-blind"];

/// What there is to see of a screen at all sizes in all themes.
///
/// # Panics
/// Where a theme changes more than colours.
pub fn everywhere(draw: impl Fn((u16, u16), &str) -> Buffer) -> String {
    let mut seen = String::new();
    for size in SIZES {
        let frames = THEMES.map(|theme| draw(size, theme));
        let texts = frames.each_ref().map(text);
        assert!(texts.iter().all(|text| *text == texts[0]), "themes differ in more than colours:\n{texts:#?}");
        seen.push_str(&format!("═══ {} x {}\n{}\n{}\n", size.0, size.1, texts[0], looks(&frames)));
    }
    seen
}

fn rows(frame: &Buffer) -> impl Iterator<Item = &[Cell]> {
    frame.content().chunks(usize::from(frame.area.width.max(1)))
}

fn text(frame: &Buffer) -> String {
    let line = |row: &[Cell]| row.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned();
    rows(frame).map(line).collect::<Vec<_>>().join("\n")
}

/// The look of a cell in one theme.
fn look(cell: &Cell) -> String {
    let colour = |colour: Color| if colour == Color::Reset { "own".into() } else { colour.to_string() };
    let mut look = colour(cell.fg);
    if cell.bg != Color::Reset {
        look.push_str(&format!(" on {}", colour(cell.bg)));
    }
    if !cell.modifier.is_empty() {
        look.push_str(&format!(" {:?}", cell.modifier));
    }
    look
}

/// For each row, how many cells follow each other in which look; and what the looks are in each theme.
fn looks(frames: &[Buffer; 3]) -> String {
    let mut names: BTreeMap<[String; 3], usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for row in 0..usize::from(frames[0].area.height) {
        let width = usize::from(frames[0].area.width);
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for cell in row * width..(row + 1) * width {
            let looks = frames.each_ref().map(|frame| look(&frame.content()[cell]));
            let known = names.len();
            let name = *names.entry(looks).or_insert(known);
            match runs.last_mut() {
                Some((last, count)) if *last == name => *count += 1,
                _ => runs.push((name, 1)),
            }
        }
        lines.push(runs.iter().map(|(name, count)| format!("{}{count}", letter(*name))).collect::<Vec<_>>().join(" "));
    }
    let mut legend: Vec<_> = names.into_iter().map(|(looks, name)| (name, looks.join(" | "))).collect();
    legend.sort();
    let legend = legend.into_iter().map(|(name, looks)| format!("{} = {looks}", letter(name)));
    let mut told: Vec<String> = legend.collect();
    let mut same = 0;
    for (index, line) in lines.iter().enumerate() {
        if index > 0 && *line == lines[index - 1] {
            same += 1;
            continue;
        }
        if same > 0 {
            told.push(format!("  {same} more"));
            same = 0;
        }
        told.push(line.clone());
    }
    if same > 0 {
        told.push(format!("  {same} more"));
    }
    told.join("\n")
}

/// The name of a look: a letter, with a stroke where there are more than 26.
fn letter(number: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(number % 26).unwrap_or(0));
    format!("{letter}{}", "'".repeat(number / 26))
}
