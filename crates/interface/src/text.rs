//! Formats text and numbers for the screen.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use spartui_facts::recipe::Value;

/// Escapes untrusted text (data, labels, file names, errors) for a terminal: control characters and bidirectional
/// overrides.
#[must_use]
pub fn safe_text(text: &str) -> String {
    let unsafe_char = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        if unsafe_char(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
        safe
    })
}

/// The width of a text in terminal cells.
#[must_use]
pub fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// Cuts a text to at most `cells` cells, with an ellipsis.
#[must_use]
pub fn truncate(text: &str, cells: u16) -> String {
    let cells = usize::from(cells);
    if text.width() <= cells {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > cells {
            break;
        }
        used += wide;
        kept.push(c);
    }
    if cells > 0 {
        kept.push('…');
    }
    kept
}

/// As [`truncate`], but keeps the end, which says more of a path.
#[must_use]
pub fn truncate_front(text: &str, cells: u16) -> String {
    let cells = usize::from(cells);
    if text.width() <= cells {
        return text.to_owned();
    }
    let mut used = 1;
    let start = text
        .char_indices()
        .rev()
        .take_while(|(_, c)| {
            used += c.width().unwrap_or(0);
            used <= cells
        })
        .last()
        .map_or(text.len(), |(index, _)| index);
    if cells == 0 { String::new() } else { format!("…{}", &text[start..]) }
}

/// Wraps a text into lines of at most `cells` cells, at spaces if possible.
#[must_use]
pub fn wrap(text: &str, cells: u16) -> Vec<String> {
    let cells = usize::from(cells.max(1));
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest = word.to_owned();
        let line = lines.len() - 1;
        if !lines[line].is_empty() {
            if lines[line].width() + 1 + rest.width() <= cells {
                lines[line].push(' ');
            } else {
                lines.push(String::new());
            }
        }
        loop {
            let line = lines.len() - 1;
            let room = cells.saturating_sub(lines[line].width());
            let fitting = fitting_prefix(&rest, room);
            lines[line].push_str(&rest[..fitting]);
            rest.drain(..fitting);
            if rest.is_empty() {
                break;
            }
            lines.push(String::new());
            if fitting == 0 && room == cells {
                break; // a glyph wider than the line
            }
        }
    }
    lines
}

fn fitting_prefix(text: &str, cells: usize) -> usize {
    let mut used = 0;
    text.char_indices()
        .find(|(_, c)| {
            used += c.width().unwrap_or(0);
            used > cells
        })
        .map_or(text.len(), |(index, _)| index)
}

/// A number with four significant digits, and an exponent only far from 1.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN".into()
        } else if value > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    let size = value.abs();
    if value == 0.0 {
        "0".into()
    } else if !(1e-3..1e6).contains(&size) {
        let text = format!("{value:.2e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{}e{exponent}", trim_zeros(digits))
    } else if size >= 1000.0 {
        format!("{value:.0}")
    } else if size >= 100.0 {
        format!("{value:.1}")
    } else if size >= 10.0 {
        format!("{value:.2}")
    } else if size >= 0.1 {
        format!("{value:.4}")
    } else {
        format!("{value:.5}")
    }
}

fn trim_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// As [`number`], with three digits.
#[must_use]
pub fn three_digits(value: f64) -> String {
    match value.abs() {
        size if (0.01..10.0).contains(&size) => format!("{value:.2}"),
        size if (10.0..100.0).contains(&size) => format!("{value:.1}"),
        size if (100.0..1e6).contains(&size) => format!("{value:.0}"),
        _ => number(value),
    }
}

/// A path in shell form: `./runs` for one below the current folder.
#[must_use]
pub fn from_here(path: String) -> String {
    if path.starts_with(['/', '~', '.']) { path } else { format!("./{path}") }
}

/// As [`number`], without trailing zeros.
#[must_use]
pub fn number_short(value: f64) -> String {
    let text = number(value);
    if text.contains('e') { text } else { trim_zeros(&text).to_owned() }
}

/// A recipe value, exactly, in its shortest form.
#[must_use]
pub fn value(value: &Value) -> String {
    match value {
        Value::Float(number) if *number != 0.0 && !(1e-3..1e6).contains(&number.abs()) => format!("{number:e}"),
        Value::Float(number) => format!("{number}"),
        Value::String(text) => safe_text(text),
        Value::Table(table) => {
            let items: Vec<String> =
                table.iter().map(|(key, item)| format!("{} {}", safe_text(key), self::value(item))).collect();
            if items.is_empty() { "even".into() } else { items.join(", ") }
        }
        other => safe_text(&other.to_string()),
    }
}

/// A count of scalars or tokens: `226.8k`, `22.7M`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn count(number: u64) -> String {
    scaled(number as f64, 1000.0, &["", "k", "M", "G", "T"])
}

/// As [`count`], for rates.
#[must_use]
pub fn rate(number: f64) -> String {
    if number < 10.0 { format!("{number:.1}") } else { scaled(number, 1000.0, &["", "k", "M", "G", "T"]) }
}

/// A size in bytes: `3.6 MiB`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn bytes(number: u64) -> String {
    scaled(number as f64, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB"])
}

/// Measured and predicted peak, with a common unit if possible: a small panel has 30 cells.
#[must_use]
pub fn peaks(measured: u64, predicted: u64) -> String {
    let (measured, predicted) = (bytes(measured), bytes(predicted));
    let unit = predicted.rsplit(' ').next().unwrap_or("");
    let measured = measured.strip_suffix(unit).map_or(measured.as_str(), str::trim_end);
    format!("peak {measured}, predicted {predicted}")
}

fn scaled(mut number: f64, base: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number >= base - 0.5 && unit + 1 < units.len() {
        number /= base;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && number < 100.0);
    format!("{number:.digits$}{}", units[unit])
}

/// A share as a percentage, with enough digits to distinguish 99.9 % from 99.95 %.
#[must_use]
pub fn percent(share: f64) -> String {
    let distance = (1.0 - share).min(share).abs() * 100.0;
    let digits = match distance {
        0.0 => 0,
        d if d < 0.01 => 4,
        d if d < 0.1 => 3,
        d if d < 1.0 => 2,
        _ => 1,
    };
    format!("{:.digits$} %", share * 100.0)
}

/// A duration: `46 ms`, `3.2 s`, `4m07s`, `2h05m`, `3d04h`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.as_millis() < 1000 && time.as_millis() > 0 => format!("{} ms", time.as_millis()),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// A time since the start: `02:07`, `1:02:07`.
#[must_use]
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// Milliseconds of a step.
#[must_use]
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms >= 10_000.0 => format!("{:.1} s", ms / 1000.0),
        ms if ms >= 100.0 => format!("{ms:.0} ms"),
        ms if ms >= 10.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

/// A whole number with grouped digits: `22 713 216`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let head = (digits.len() - 1) % 3 + 1;
    let (first, rest) = digits.split_at(head);
    rest.as_bytes().chunks(3).fold(first.to_owned(), |mut text, chunk| {
        text.push(' ');
        text.extend(chunk.iter().map(|&digit| char::from(digit)));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_escaped() {
        assert_eq!(safe_text("a\x1b[31m\tb\u{202e}c é 漢"), "a\\u{1b}[31m\\tb\\u{202e}c é 漢");
    }

    #[test]
    fn cuts_count_cells_and_not_characters() {
        assert_eq!(truncate("漢字漢字", 5), "漢字…");
        assert_eq!(truncate("漢字漢字", 4), "漢…");
        assert_eq!(truncate("plain", 5), "plain");
        assert_eq!(truncate("plain", 0), "");
        assert_eq!(truncate_front("/a/long/path", 6), "…/path");
        assert_eq!(truncate_front("漢字", 1), "…");
    }

    #[test]
    fn wrapping_breaks_at_spaces_and_long_words() {
        assert_eq!(wrap("the quick fox", 9), ["the quick", "fox"]);
        assert_eq!(wrap("abcdefgh ij", 5), ["abcde", "fgh", "ij"]);
        assert_eq!(wrap("", 5), [""]);
        assert!(wrap("漢", 1).len() < 4);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            (number(2.345_67), number(1e-4), number(0.0), number(12_345.0)),
            ("2.3457".into(), "1e-4".into(), "0".into(), "12345".into())
        );
        assert_eq!((count(226_812), count(22_713_216), count(999)), ("227k".into(), "22.7M".into(), "999".into()));
        assert_eq!((bytes(3_774_873), bytes(512)), ("3.6 MiB".into(), "512 B".into()));
        assert_eq!(
            (percent(0.99), percent(0.9995), percent(0.5), percent(1.0)),
            ("99.0 %".into(), "99.950 %".into(), "50.0 %".into(), "100 %".into())
        );
        assert_eq!((value(&Value::Float(2e-4)), value(&Value::Float(0.995))), ("2e-4".into(), "0.995".into()));
        assert_eq!(grouped(22_713_216), "22 713 216");
    }
}
