//! The scores of each label in an evaluation, and the confusion matrix.

use serde_json::{Value, json};

use crate::command_line::print_line;
use spartui_facts::error::Result;
use spartui_facts::protocol::{Class, Confusion, Mean};
use spartui_facts::quote::one_line;

/// Most labels for which the whole matrix is printed, and for which it is written as JSON.
const PRINTED: usize = 12;
const MOST_IN_JSON: usize = 1000;
/// Number of mistakes that are printed if the matrix is too large.
const MISTAKES: usize = 10;
/// Most characters of a label.
const LONGEST: usize = 32;
/// Most characters of a line of the matrix, as far as shortening its labels allows.
const LINE: usize = 100;

/// Prints precision, recall and F1 of each label, their means, and the confusion matrix.
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
    print_line("\nconfusion matrix: rows with the label at the left that were predicted as the label above")?;
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

/// A label on one line, cut if it is long.
fn shown(label: &str) -> String {
    cut(&one_line(label), LONGEST)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// Adds the same to a JSON object: the matrix as lists, or with many labels as the list of pairs that occur.
pub fn add_to(json: &mut Value, confusion: &Confusion) {
    json["classes"] = json!(confusion.classes());
    json["macro"] = json!(confusion.macro_mean());
    json["weighted"] = json!(confusion.weighted_mean());
    json["labels"] = json!(confusion.labels);
    if confusion.labels.len() <= MOST_IN_JSON {
        json["confusion"] = json!(confusion.matrix());
    } else {
        json["confusion_cells"] = json!(confusion.cells);
    }
}
