//! What an evaluation says of each label.

use serde_json::{Value, json};

use crate::command_line::print_line;
use spartui_facts::error::Result;
use spartui_facts::protocol::{Class, Confusion, Mean};
use spartui_facts::quote::one_line;

/// Labels of which the whole matrix is printed, and of which it is told as JSON.
const PRINTED: usize = 12;
const TOLD: usize = 1000;
/// Mistakes that are printed where the matrix is too large.
const MISTAKES: usize = 10;
/// Characters of a label.
const LONGEST: usize = 32;
/// Characters of a line of the matrix, as far as its labels may be cut for it.
const LINE: usize = 100;

/// Precision, recall and F1 of each label, their means, and what is taken for what.
pub fn print(confusion: &Confusion) -> Result<()> {
    let classes = confusion.classes();
    let width =
        classes.iter().map(|class| shown(&class.label).chars().count()).max().unwrap_or(0).max("weighted mean".len());
    print_line(&format!("\n{:<width$}  precision    recall        F1    rows", "label"))?;
    // In percent, as accuracy is.
    let line = |name: &str, [precision, recall, f1]: [f64; 3], rows: u64| {
        let [precision, recall, f1] = [precision, recall, f1].map(|share| format!("{:.2} %", share * 100.0));
        print_line(&format!("{name:<width$}  {precision:>9} {recall:>9} {f1:>9}  {rows:>6}"))
    };
    for Class { label, precision, recall, f1, rows, .. } in &classes {
        line(&shown(label), [*precision, *recall, *f1], *rows)?;
    }
    let rows = confusion.rows();
    for (name, mean) in [("mean", confusion.macro_mean()), ("weighted mean", confusion.weighted_mean())] {
        let Mean { precision, recall, f1 } = mean;
        line(name, [precision, recall, f1], rows)?;
    }
    if classes.len() <= PRINTED { matrix(confusion, width) } else { mistakes(confusion) }
}

fn matrix(confusion: &Confusion, width: usize) -> Result<()> {
    print_line("\nrows with the label at the left that were given the label above")?;
    let most = (LINE.saturating_sub(width) / confusion.labels.len().max(1)).saturating_sub(1).clamp(10, LONGEST);
    let names: Vec<String> = confusion.labels.iter().map(|label| cut(&shown(label), most)).collect();
    let room = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    let head: Vec<String> = names.iter().map(|name| format!("{name:>room$}")).collect();
    print_line(&format!("{:<width$}  {}", "", head.join(" ")))?;
    confusion.labels.iter().zip(confusion.matrix()).try_for_each(|(label, counts)| {
        let counts: Vec<String> = counts.iter().map(|count| format!("{count:>room$}")).collect();
        print_line(&format!("{:<width$}  {}", shown(label), counts.join(" ")))
    })
}

fn mistakes(confusion: &Confusion) -> Result<()> {
    let mistakes = confusion.mistakes();
    if !mistakes.is_empty() {
        print_line("\nmost frequent mistakes")?;
    }
    mistakes.iter().take(MISTAKES).try_for_each(|(label, given, rows)| {
        print_line(&format!("{rows:>6}  {} predicted as {}", shown(label), shown(given)))
    })
}

/// A label on one line, and not too long.
fn shown(label: &str) -> String {
    cut(&one_line(label), LONGEST)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// The same as JSON, to be added to an object: the matrix as lists where there are not too many labels, else the pairs that occur.
pub fn add_to(json: &mut Value, confusion: &Confusion) {
    json["classes"] = json!(confusion.classes());
    json["macro"] = json!(confusion.macro_mean());
    json["weighted"] = json!(confusion.weighted_mean());
    json["labels"] = json!(confusion.labels);
    if confusion.labels.len() <= TOLD {
        json["confusion"] = json!(confusion.matrix());
    } else {
        json["confusion_cells"] = json!(confusion.cells);
    }
}
