//! Recipes and `--set`.

use spartui::error::Result;
use spartui::recipe::Recipe;

use crate::case::{Case, Reader, case, program as run, setting};
use crate::folder::{Folder, nothing, write};

const FILE: &str = "recipe.toml";

pub fn cases() -> Vec<Case<Reader>> {
    let contents: [(&str, Vec<u8>, &str); 17] = [
        ("cut off", b"[model".into(), "line 1"),
        ("a field twice", b"[model]\npath='a'\npath='b'".into(), "line 3"),
        ("an unknown table", b"[modle]\npath='a'".into(), "modle.path"),
        ("an unknown field", b"[train]\nstpes=3".into(), "train.stpes"),
        ("a field of the wrong type", b"[train]\nepochs='x'".into(), "train.epochs"),
        ("a number for a table", b"model=3".into(), "model"),
        ("a name with escapes", b"[model]\n\"\\u001b[2J\"=1".into(), "model."),
        ("no UTF-8", b"\xff\xfe".into(), "recipe.toml"),
        ("deep lists", ("a=".to_owned() + &"[".repeat(50_000)).into(), "line 1"),
        ("deep tables", ("[".to_owned() + &"a.".repeat(50_000) + "b]").into(), "recipe.toml"),
        ("deep names", ("a.".repeat(50_000) + "b=1").into(), "recipe.toml"),
        ("a zero byte", b"\0".into(), "line 1"),
        ("a date", b"[train]\nseed=2020-01-01".into(), "train.seed"),
        ("a list of tables", b"[[model]]\npath='x'".into(), "model"),
        ("a fraction for a whole number", b"[train]\nseed=1.5".into(), "train.seed"),
        ("tables in a table", b"model={path={a=1}}".into(), "model.path"),
        ("a number beyond all", b"[train]\nseed=99999999999999999999".into(), "recipe.toml"),
    ];
    let of_bytes = |(what, bytes, says): (&str, Vec<u8>, &str)| case(what, write(FILE, bytes), recipe as Reader, says);
    contents.into_iter().map(of_bytes).chain(values()).collect()
}

fn recipe(folder: &Folder) -> Result<()> {
    Recipe::load(&folder.at(FILE), &[]).map(|_| ())
}

/// Values that their fields do not take.
fn values() -> Vec<Case<Reader>> {
    let bad = [
        ("data.validation", "2"),
        ("data.validation", "nan"),
        ("data.max_length", "0"),
        ("data.max_length", "-1"),
        ("data.max_length", "1e99"),
        ("data.bad_rows", "'ignore'"),
        ("data.format", "'xml'"),
        ("task.kind", "'regression'"),
        ("task.labels", "[1, 2]"),
        ("method.kind", "'magic'"),
        ("method.sparsity", "nan"),
        ("method.sparsity", "2"),
        ("method.targets", "[1]"),
        ("method.density", "{ query = 2 }"),
        ("method.density", "{ query = 'x' }"),
        ("optimizer.kind", "'sgd'"),
        ("optimizer.learning_rate", "-1"),
        ("optimizer.learning_rate", "inf"),
        ("optimizer.betas", "[1]"),
        ("optimizer.betas", "[2, -1]"),
        ("optimizer.epsilon", "-1"),
        ("schedule.kind", "'square'"),
        ("schedule.warmup_steps", "-5"),
        ("train.batch_size", "0"),
        ("train.epochs", "-1"),
        ("train.recompute", "'all'"),
        ("model.dtype", "'int8\\u001b[2J'"),
    ];
    let field = |(name, value): (&str, &str)| {
        let (table, key) = name.split_once('.').unwrap();
        let text = format!("[{table}]\n{key} = {}", value.replace('\'', "\""));
        case(format!("{name} = {value}"), write(FILE, text), recipe as Reader, name)
    };
    bad.into_iter().map(field).collect()
}

pub fn program() -> Vec<Case<Vec<String>>> {
    vec![
        run("a recipe that is no TOML", write(FILE, "[model"), "train recipe.toml", "line 1"),
        run("a recipe of zeros", write(FILE, [0; 99]), "train recipe.toml", "recipe.toml"),
        run("an unknown field", write(FILE, "[train]\nstpes=3"), "train recipe.toml", "train.stpes"),
        run("no recipe", nothing(), "train nowhere.toml", "nowhere.toml"),
        run("a folder for a recipe", nothing(), "train model", "model"),
        run("an empty recipe", write(FILE, ""), "train recipe.toml", "model.path"),
        run("nothing to look at", nothing(), "inspect nowhere", "nowhere"),
        run("a file for a model", nothing(), "generate --model train.jsonl --prompt the", "train.jsonl"),
        run(
            "a model that is not in the cache",
            nothing(),
            "generate --model owner/name --prompt the",
            "HF_HUB_OFFLINE",
        ),
        setting(FILE, "model.path=owner/name", "HF_HUB_OFFLINE"),
        setting(FILE, "model.path=train.jsonl", "train.jsonl"),
        setting(FILE, "model.path=\"\\u001b[2J/x\"", "model"),
        setting(FILE, "model.device=cuda:99999999999999999999999", "model.device"),
        setting(FILE, "train.\u{1b}[2J=1", "train."),
        setting(FILE, "nothing", "--set"),
        setting(FILE, "method.targets=[\"wings\u{7}\"]", "wings"),
        setting(FILE, "method.density={query=2}", "method.density"),
        setting(FILE, "task.labels=[\"a\",\"a\"]", "task.labels"),
        setting(FILE, "task.kind=causal-lm", "encoder"),
        setting(FILE, "data.max_length=4000", "data.max_length"),
    ]
}
