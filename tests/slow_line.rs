//! The way of a new user over a slow line, 9600 baud and 200 ms each way, from an empty folder to a picture that compares two
//! runs, with nothing but the help of the screen: `make slow-line` goes it, and prints keystrokes and times.

#![cfg(unix)]

#[path = "support/slow_line.rs"]
mod slow_line;

use std::path::Path;

use slow_line::{BAUD, Cost, DELAY, SlowLine};

/// The way, as it is gone.
struct Tour {
    line: SlowLine,
    told: Vec<(&'static str, String, Cost)>,
}

impl Tour {
    fn go(&mut self, what: &'static str, keys: &[&str], holds: impl Fn(&str) -> bool) {
        let cost = self.line.answers(keys, holds);
        let named = keys.iter().map(|key| match *key {
            "\r" => "Enter",
            "\x1b" => "Esc",
            " " => "Space",
            "\t" => "Tab",
            "\x1b[C" => "→",
            key => key,
        });
        let keys = named.collect::<Vec<_>>().join(" ");
        println!("{what:<44} {keys:<28} {:>3} {:>6.1} s {:>6} bytes", cost.keys, cost.seconds, cost.bytes);
        self.told.push((what, keys, cost));
    }

    fn shows(&mut self, what: &'static str, keys: &[&str], then: &'static str) {
        self.go(what, keys, |text| text.contains(then));
    }

    /// Waits, as a user does who reads.
    fn rests(seconds: f64) {
        std::thread::sleep(std::time::Duration::from_secs_f64(seconds));
    }
}

/// The step that the screen shows.
fn step(text: &str) -> Option<u64> {
    text.split("step ").skip(1).find_map(|rest| rest.split('/').next()?.trim().parse().ok())
}

/// Rows of one's own, with names of columns that nobody foresaw.
fn rows(root: &Path, file: &Path) {
    let text = std::fs::read_to_string(root.join("examples/support/train.jsonl")).unwrap();
    let mut csv = String::from("message,team\n");
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let quoted = |name: &str| format!("\"{}\"", row[name].as_str().unwrap().replace('"', "\"\""));
        csv.push_str(&format!("{},{}\n", quoted("text"), quoted("label")));
    }
    std::fs::write(file, csv).unwrap();
}

/// Two seconds for the first screen, and no question that the line would have to carry twice.
#[test]
fn little_is_written_and_nothing_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut line = SlowLine::start(folder.path(), &[], (80, 24));
    line.answers(&[], |text| text.contains("No runs in") && text.contains("palette"));
    let arrived = line.arrived();
    assert!(arrived.len() < 2200, "{} bytes", arrived.len());
    assert!(!arrived.windows(4).any(|bytes| bytes == b"\x1b]11"));
    let form = line.answers(&["n"], |text| text.contains("essentials"));
    assert!(form.bytes < 2600, "{} bytes", form.bytes);
    line.answers(&["\x1b"], |text| text.contains("No runs in"));
    line.answers(&["q"], |text| text.trim().is_empty());
    assert!(line.child.wait().unwrap().success());
}

#[test]
#[ignore = "trains over a slow line for some minutes; `make slow-line` runs it"]
fn the_whole_tour() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let model = "models/all-MiniLM-L6-v2";
    std::fs::create_dir(folder.path().join("models")).unwrap();
    std::os::unix::fs::symlink(root.join(model), folder.path().join(model)).unwrap();
    rows(root, &folder.path().join("tickets.csv"));

    let mut tour = Tour { line: SlowLine::start(folder.path(), &[], (80, 24)), told: Vec::new() };
    println!("{BAUD} baud, {} ms each way, 80 x 24", DELAY.as_millis());
    tour.shows("the program starts", &[], "palette");
    tour.shows("a new run", &["n"], "choose one: Enter");
    tour.shows("which models are there?", &["\r"], "Enter chooses");
    tour.shows("this one; which rows are there?", &["\r"], "tickets.csv");
    tour.shows("these", &["\r"], "from the header");
    tour.shows("  what it would be is worked out", &[], "timed");
    tour.go("more epochs: find the field", &["/", "e", "p", "o", "c", "\r"], |text| text.contains("›train.epochs"));
    tour.go("  ten of them", &["1", "0", "\r"], |text| text.contains("10 ") && text.contains("450 steps"));
    tour.shows("start", &["s"], "● training");
    tour.go("  the tenth step", &[], |text| step(text) >= Some(10));
    tour.shows("less that trains: what would it cost?", &["]"], "Enter applies");
    tour.go("  do it", &["\r"], |text| text.contains("0.995, step") && text.contains("u undoes"));
    tour.shows("a higher rate", &["="], "learning_rate 1e-4 → 2e-4");
    tour.go("  do it", &["\r"], |text| text.contains("2e-4, step"));
    tour.go("  it trains on", &[], |text| step(text) >= Some(45));
    tour.shows("back to before all that: a cursor", &["c"], "r rewind");
    tour.shows("  at step 10", &["g", "1", "0", "\r"], "step 10  loss");
    tour.shows("  go back there", &["r"], "on branch 1");
    Tour::rests(5.0);
    tour.shows("enough: stop", &["s"], "Stop the run");
    tour.shows("  yes", &["\r"], "stopped as asked");
    tour.shows("to the runs", &["q"], "1 run in ./runs");
    tour.shows("another one like it", &["c"], "from the run tickets");
    tour.go("  with a higher rate: find it", &["/", "r", "a", "t", "e", "\r"], |text| {
        text.contains("›optimizer.learning_rate")
    });
    tour.shows("  turn it up", &["\x1b[C"], "2e-4");
    tour.shows("start", &["s"], "● training");
    tour.go("  the twentieth step", &[], |text| step(text) >= Some(20));
    tour.shows("stop", &["s"], "Stop the run");
    tour.shows("  yes", &["\r"], "stopped as asked");
    tour.shows("to the runs", &["q"], "2 runs in ./runs");
    tour.shows("its curves", &["v"], "one more run to compare with");
    tour.shows("  and those of the run before", &["\t", "a"], "2 of 2 runs");
    tour.shows("how do they differ?", &["d"], "learning_rate");
    tour.shows("  back to the curves", &["\x1b"], "╭ loss");
    tour.shows("write the view", &["e"], "SVG");
    tour.shows("  as a picture", &["s"], "curves-1.svg");
    tour.go("leave", &["q", "q"], |text| text.trim().is_empty());
    assert!(tour.line.child.wait().unwrap().success());
    assert!(folder.path().join("curves-1.svg").exists());
    let seconds: f64 = tour.told.iter().map(|(_, _, cost)| cost.seconds).sum();
    let bytes: usize = tour.told.iter().map(|(_, _, cost)| cost.bytes).sum();
    println!("{} keystrokes, {seconds:.0} s, {bytes} bytes", tour.line.pressed);
    let slowest = tour.told.iter().filter(|(_, keys, _)| !keys.is_empty()).map(|(_, _, cost)| cost.seconds);
    println!("the slowest answer to a key: {:.1} s", slowest.fold(0.0, f64::max));
}
