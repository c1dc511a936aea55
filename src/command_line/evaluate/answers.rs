//! Evaluation of classifiers whose answer is not exactly one label: several labels, or numbers.

use serde_json::json;
use tch::Tensor;

use super::Arguments;
use crate::command_line::loading::Loaded;
use crate::command_line::print_line;
use spartui_data::{Answers, read_with_answers};
use spartui_facts::error::Result;
use spartui_facts::recipe::Data;
use spartui_model::{Outputs, Problem};
use spartui_train::{AnyLabelScores, NumberScores};

/// Evaluates such a classifier and prints its scores.
pub fn run(arguments: &Arguments, loaded: &Loaded, data: &Data) -> Result<()> {
    // As in transformers, a single output without a problem_type is a regression.
    let named = loaded.model.config.problem == Some(Problem::MultiLabelClassification);
    let numbers = loaded.outputs == Outputs::Numbers || (loaded.labels.len() == 1 && !named);
    let wanted = if numbers { Answers::Numbers(loaded.labels.len()) } else { Answers::AnyOf(&loaded.labels) };
    let (examples, answers) = read_with_answers(&arguments.data, data, wanted, &loaded.tokenizer)?;
    let logits = loaded.logits(&examples)?;
    let flat: Vec<f32> = answers.into_iter().flatten().collect();
    let answers = Tensor::from_slice(&flat).view(logits.size().as_slice());
    let rows = examples.len();
    if numbers {
        let NumberScores { loss, mae, r2 } = NumberScores::of(&logits, &answers);
        if arguments.json {
            return print_line(&json!({"eval_loss": loss, "mae": mae, "r2": r2, "examples": rows}).to_string());
        }
        print_line(&format!("examples   {rows}"))?;
        print_line(&format!("loss       {loss:.4} (mean squared error)"))?;
        print_line(&format!("mae        {mae:.4}"))?;
        return print_line(&r2.map_or_else(
            || "r2         not defined: all answers are the same".to_owned(),
            |r2| format!("r2         {r2:.4}"),
        ));
    }
    let AnyLabelScores { loss, accuracy, f1 } = AnyLabelScores::of(&logits, &answers);
    if arguments.json {
        return print_line(&json!({"eval_loss": loss, "accuracy": accuracy, "f1": f1, "examples": rows}).to_string());
    }
    print_line(&format!("examples   {rows}"))?;
    print_line(&format!("loss       {loss:.4}"))?;
    print_line(&format!("accuracy   {:.2} % of rows with exactly their labels", accuracy * 100.0))?;
    print_line(&format!("F1         {:.2} % (micro)", f1 * 100.0))
}
