//! Data files of every format.

use serde_json::{Value, json};
use spartui::data::{Tokenizer, prepare, read_for_evaluation, read_for_prediction};
use spartui::error::Result;
use spartui::recipe::{Data, Recipe, TaskKind};

use crate::case::{Case, Reader, case, program as run, setting};
use crate::folder::{Folder, golden, lines, write};
use crate::tokenizers::VOCABULARY;

pub const FORMATS: [&str; 9] =
    ["jsonl", "json", "csv", "tsv", "parquet", "ndjson", "jsonl.gz", "csv.zst", "parquet.gz"];

pub fn cases() -> Vec<Case<Reader>> {
    [garbage(), contents(), parquets(), labels(), conversations()].into_iter().flatten().collect()
}

/// The file of rows, whichever format it has.
fn rows_file(folder: &Folder) -> std::path::PathBuf {
    let name = folder.entries().into_iter().find(|name| name.starts_with("rows"));
    folder.at(&name.unwrap_or_else(|| "rows.jsonl".into()))
}

fn predict(folder: &Folder) -> Result<()> {
    let tokenizer = Tokenizer::load(&folder.at("model"), VOCABULARY)?;
    let data = Data { max_length: 32, ..Data::default() };
    read_for_prediction(&rows_file(folder), &data, TaskKind::SequenceClassification, &tokenizer).map(|_| ())
}

fn evaluate(folder: &Folder) -> Result<()> {
    let tokenizer = Tokenizer::load(&folder.at("model"), VOCABULARY)?;
    let data = Data { max_length: 32, ..Data::default() };
    let labels = ["a", "b"].map(str::to_owned);
    read_for_evaluation(&rows_file(folder), &data, TaskKind::SequenceClassification, &labels, &tokenizer).map(|_| ())
}

fn learn(folder: &Folder) -> Result<()> {
    learn_by(folder, "recipe.toml", "model", VOCABULARY)
}

fn learn_chats(folder: &Folder) -> Result<()> {
    learn_by(folder, "chat.toml", "lm", 43)
}

fn learn_by(folder: &Folder, recipe: &str, model: &str, vocabulary: usize) -> Result<()> {
    let recipe = Recipe::load(&folder.at(recipe), &[])?;
    let tokenizer = Tokenizer::load(&folder.at(model), vocabulary)?;
    prepare(&recipe, &tokenizer, &mut |_, _| {}).map(|_| ())
}

/// What is no file of its format at all.
fn garbage() -> Vec<Case<Reader>> {
    let contents: [(&str, Vec<u8>); 10] = [
        ("empty", Vec::new()),
        ("zeros", vec![0; 200]),
        ("no UTF-8", vec![0xff; 100]),
        ("line ends", b"\n".repeat(100)),
        ("a byte order mark", b"\xef\xbb\xbf".into()),
        ("half a surrogate pair in UTF-16", b"\xff\xfet\0e\0x\0t\0\n\0\0\xd8\n\0".into()),
        ("two magic words", b"PAR1PAR1".into()),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0".into()),
        ("a web page", b"<html>\n<body>404</body>\n</html>".into()),
        ("escapes", b"\x1b[2J\x1b[31mx,y\tz\n1,2\t3\n".into()),
    ];
    let mut cases: Vec<Case<Reader>> = Vec::new();
    for format in FORMATS {
        let file = format!("rows.{format}");
        for (what, bytes) in &contents {
            cases.push(case(format!("{format}: {what}"), write(file.clone(), bytes.clone()), predict, file.clone()));
        }
        let inside = format!("{file}/inside");
        cases.push(case(format!("{format}: a folder"), write(inside, "x"), predict, file));
    }
    cases.extend([
        case("another format", write("rows.xlsx", "x"), predict as Reader, "xlsx"),
        case("no format", write("rows", "x"), predict, "extension"),
        case("no file", crate::folder::nothing(), predict, "rows.jsonl"),
        case("escapes in the name", write("rows\u{1b}[2J.jsonl", "x"), predict, "rows"),
    ]);
    cases
}

fn row(what: &str, file: &str, contents: impl Into<Vec<u8>>, says: &str) -> Case<Reader> {
    case(format!("{file}: {what}"), write(file, contents), predict as Reader, says)
}

fn contents() -> Vec<Case<Reader>> {
    let deep = format!("{{\"text\": {}\n", "[".repeat(100_000));
    vec![
        row("a row cut off", "rows.jsonl", "{\"text\": \"a\"}\n{\"text\":", "line 2"),
        row("a row that is a list", "rows.jsonl", "{\"text\": \"a\"}\n[1]\n", "line 2"),
        row("a row of nesting", "rows.jsonl", deep, "line 1"),
        row("another column", "rows.jsonl", "{\"\\u001b[2J\": \"a\"}\n", "\"text\""),
        row("a number", "rows.jsonl", "{\"text\": 5}\n", "line 1"),
        row("nothing", "rows.jsonl", "{\"text\": null}\n", "line 1"),
        row("a broken letter", "rows.jsonl", b"{\"text\": \"\xff\"}\n", "line 1"),
        row("a zero byte", "rows.jsonl", b"{\"text\": \"a\0b\"}\n", "line 1"),
        row("half a surrogate pair", "rows.jsonl", "{\"text\": \"\\ud800\"}\n", "line 1"),
        row("a list cut off", "rows.json", "[{\"text\": \"a\"},", "rows.json, line 1"),
        row("no list", "rows.json", "{\"text\":\n\"a\"}", "rows.json, line 1"),
        row("no comma", "rows.json", "[{\"text\": \"a\"}\n{\"text\": \"b\"}]", "line 2"),
        row("an empty list", "rows.json", "[]", "rows.json"),
        row("a list of lists", "rows.json", "[[1]]", "line 1"),
        row("nesting", "rows.json", "[".repeat(100_000), "line 1"),
        row("an open quotation mark", "rows.csv", "text\n\"a", "line 2"),
        row("a column twice", "rows.csv", "text,text\na,b\n", "\"text\" twice"),
        row("a short row", "rows.csv", "text,b\na\n", "line 2"),
        row("another column", "rows.csv", "\u{1b}[2J\na\n", "\"text\""),
        row("a header alone", "rows.csv", "text\n", "no rows"),
        row("a broken letter", "rows.csv", b"text\n\xff\n", "line 2"),
        row("a short row", "rows.tsv", "text\tb\na\n", "line 2"),
        row("another column", "rows.tsv", "label\ta\nx\ty\n", "\"text\""),
        row("a broken header", "rows.tsv", b"te\xfft\nx\n", "line 1"),
    ]
}

fn parquets() -> Vec<Case<Reader>> {
    let file = "rows.parquet";
    let read = |name: &str| std::fs::read(golden("data").join(name)).unwrap();
    let mut cases = Vec::new();
    for name in ["none", "snappy", "zstd", "gzip", "lz4", "v2", "pandas"] {
        let bytes = read(&format!("{name}.parquet"));
        let mut zeroed = bytes.clone();
        let middle = bytes.len() / 2;
        zeroed[4..middle].fill(0);
        cases.push(row(&format!("half of {name}"), file, &bytes[..middle], file));
        cases.push(row(&format!("{name} without its start"), file, &bytes[8..], file));
        cases.push(row(&format!("{name} with zeros in it"), file, zeroed, file));
    }
    let whole = read("snappy.parquet");
    let without_footer = &whole[..whole.len() - 8];
    cases.extend([
        row("another magic word", file, [&whole[..whole.len() - 4], b"XXXX"].concat(), file),
        row("a footer longer than the file", file, [without_footer, b"\xff\xff\xff\x7fPAR1"].concat(), file),
        row("a negative footer", file, [without_footer, b"\xff\xff\xff\xffPAR1"].concat(), file),
        row("half of brotli", file, &read("brotli.parquet")[..3000], file),
        row("half of a packed file", "rows.csv.gz", &read("tables/packed.csv.gz")[..80], "rows.csv.gz"),
        row(
            "half of a file packed with zstd",
            "rows.jsonl.zst",
            &read("tables/packed.jsonl.zst")[..80],
            "rows.jsonl.zst",
        ),
        row("a name that lies", "rows.jsonl.gz", "{\"text\": \"a\"}\n", "rows.jsonl.gz"),
        row("no rows", file, read("empty.parquet"), file),
    ]);
    cases
}

fn train(what: &str, rows: &[Value], says: &str) -> Case<Reader> {
    case(what, write("train.jsonl", lines(rows.iter().cloned())), learn as Reader, says)
}

fn labels() -> Vec<Case<Reader>> {
    let long = |label: &str| json!({"text": "late ".repeat(99), "label": label});
    let good = json!({"text": "late", "label": "a"});
    let unknown = lines([json!({"text": "a", "label": "\u{1b}[2J"})]);
    vec![
        train("one label", &vec![good.clone(); 9], "\"a\""),
        train("an empty label", &[good.clone(), json!({"text": "late", "label": ""})], "line 2"),
        train("a label that is an object", &[good.clone(), json!({"text": "late", "label": {}})], "line 2"),
        train("no label", &[good.clone(), json!({"text": "late"})], "line 2"),
        train("rows that are too long", &[long("a"), long("b"), long("a")], "max_length"),
        case("no row", write("train.jsonl", ""), learn, "train.jsonl"),
        case("an unknown label to evaluate on", write("rows.jsonl", unknown), evaluate, "line 1"),
        case("nothing to evaluate on", write("rows.jsonl", "\n\n"), evaluate, "rows.jsonl"),
    ]
}

fn chat(what: &str, messages: &Value, says: &str) -> Case<Reader> {
    case(
        what,
        write("chat.jsonl", lines([json!({"messages": messages}), json!({"messages": messages})])),
        learn_chats as Reader,
        says,
    )
}

fn conversations() -> Vec<Case<Reader>> {
    let user = json!({"role": "user", "content": "the"});
    let rows = |row: Value| write("chat.jsonl", lines([row.clone(), row]));
    vec![
        chat("a text for messages", &json!("x"), "line 1"),
        chat("a number for messages", &json!(5), "line 1"),
        chat("no messages", &json!([]), "assistant"),
        chat("messages that are texts", &json!(["a", "b"]), "role"),
        chat("a message without a role", &json!([{"content": "x"}]), "role"),
        chat("a role that is a number", &json!([{"role": 5, "content": "x"}]), "role"),
        chat("a role with escapes", &json!([{"role": "\u{1b}[2J", "content": "x"}]), "assistant"),
        chat("no answer", &json!([user]), "assistant"),
        chat("an answer without content", &json!([user, {"role": "assistant"}]), "line 1"),
        case("no column to learn from", rows(json!({"\u{1b}[2J": "x"})), learn_chats, "data.text"),
        case("a prompt without completion", rows(json!({"prompt": "a"})), learn_chats, "data.completion"),
        case("a completion that is a number", rows(json!({"prompt": "a", "completion": 5})), learn_chats, "completion"),
        case("a text that is a number", rows(json!({"text": 5})), learn_chats, "text"),
    ]
}

pub fn program() -> Vec<Case<Vec<String>>> {
    let predict = |file: &str| format!("predict --model model --input {file} --output -");
    let mut cases: Vec<_> = FORMATS
        .into_iter()
        .flat_map(|format| {
            let file = format!("rows.{format}");
            [
                run(&format!("{format} of zeros"), write(file.clone(), vec![0; 300]), &predict(&file), &file),
                run(&format!("{format} of escapes"), write(file.clone(), b"\x1b[2J\xff\n\x1b"), &predict(&file), &file),
            ]
        })
        .collect();
    let snappy = std::fs::read(golden("data/snappy.parquet")).unwrap();
    let mut flipped = snappy.clone();
    flipped.iter_mut().skip(4).step_by(7).for_each(|byte| *byte ^= 0x55);
    let train = "train recipe.toml";
    let rows = |rows: Vec<Value>| write("train.jsonl", lines(rows));
    cases.extend([
        run(
            "half a parquet file",
            write("rows.parquet", &snappy[..snappy.len() / 2]),
            &predict("rows.parquet"),
            "rows.parquet",
        ),
        run("flipped bits", write("rows.parquet", flipped), &predict("rows.parquet"), "rows.parquet"),
        run("no file of rows", crate::folder::nothing(), &predict("rows.jsonl"), "rows.jsonl"),
        run("a broken row", write("train.jsonl", "{\"text\": \"a\", \"label\": \"b\"}\n{"), train, "line 2"),
        run("a broken row to look at", write("train.jsonl", "{"), "inspect --data recipe.toml", "line 1"),
        run("one label", rows(vec![json!({"text": "late", "label": "a"}); 9]), train, "label"),
        run("no label", rows(vec![json!({"text": "late"}); 9]), train, "label"),
        run(
            "an unknown label",
            write("known.jsonl", lines([json!({"text": "a", "label": "\u{1b}"})])),
            "evaluate --model model --data known.jsonl",
            "line 1",
        ),
        run(
            "messages that are none",
            write("chat.jsonl", lines([json!({"messages": "x"})])),
            "train chat.toml",
            "line 1",
        ),
        run(
            "nothing but bad rows",
            write("train.jsonl", "x\ny\n"),
            "train recipe.toml --set data.bad_rows=report",
            "train.jsonl",
        ),
        setting("recipe.toml", "data.label=nope", "nope"),
        setting("recipe.toml", "data.validation=nowhere.csv", "nowhere.csv"),
    ]);
    cases
}
