//! Inputs that are broken, or made to do harm: each is refused in one sentence with exit status 2; none panics, none runs.
//!
//! Every case begins with a healthy folder and spoils one thing in it. Some go through the program, as a user meets
//! them; more go through the same readers within this process, which is quicker. The fuzzers in `hostile/fuzz` look for
//! what nobody thought of.

#[path = "hostile/adapters.rs"]
mod adapters;
#[path = "hostile/case.rs"]
mod case;
#[path = "hostile/configs.rs"]
mod configs;
#[path = "hostile/folder.rs"]
mod folder;
#[path = "hostile/fuzz.rs"]
mod fuzz;
#[path = "hostile/recipes.rs"]
mod recipes;
#[path = "hostile/rows.rs"]
mod rows;
#[path = "hostile/runs.rs"]
mod runs;
#[path = "hostile/templates.rs"]
mod templates;
#[path = "hostile/tokenizers.rs"]
mod tokenizers;
#[path = "hostile/weights.rs"]
mod weights;

use case::{program_refuses, reader_refuses};
use folder::Folder;

/// Without this, a base that is broken itself would make every other test here pass.
#[test]
fn what_is_healthy_is_not_refused() {
    for arguments in [
        "inspect model",
        "inspect lm",
        "inspect causal",
        "inspect --data recipe.toml",
        "inspect --data chat.toml",
        "predict --model model --input train.jsonl --output -",
        "predict --model lm --adapter classes --input train.jsonl --output -",
        "evaluate --model model --data known.jsonl",
        "generate --model lm --adapter causal --prompt the --max-new-tokens 2",
        "generate --model lm --chat --prompt the --max-new-tokens 2",
        "train recipe.toml",
        "train chat.toml",
    ] {
        let folder = Folder::healthy();
        let outcome = case::run(&folder, &case::words(arguments));
        assert_eq!(outcome.status, Some(0), "{arguments}: {}", outcome.error);
        assert!(!outcome.printed.is_empty(), "{arguments}");
    }
}

#[test]
fn configs_are_refused() {
    reader_refuses(&configs::cases());
}

#[test]
fn weights_are_refused() {
    reader_refuses(&weights::cases());
}

#[test]
fn tokenizers_are_refused() {
    reader_refuses(&tokenizers::cases());
}

#[test]
fn chat_templates_are_refused() {
    reader_refuses(&templates::cases());
}

#[test]
fn rows_are_refused() {
    reader_refuses(&rows::cases());
}

#[test]
fn adapters_are_refused() {
    reader_refuses(&adapters::cases());
}

#[test]
fn recipes_are_refused() {
    reader_refuses(&recipes::cases());
}

#[test]
fn the_program_refuses_in_one_sentence_with_status_2_and_leaves_nothing_behind() {
    let parts = [
        configs::program(),
        weights::program(),
        tokenizers::program(),
        templates::program(),
        rows::program(),
        adapters::program(),
        recipes::program(),
    ];
    program_refuses(parts.into_iter().flatten().collect());
}
