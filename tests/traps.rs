//! What terminals are known to do to programs, and libraries to terminals: the real program in a pseudo-terminal, with
//! each trap set.

#![cfg(target_os = "linux")]

mod common;

#[path = "support/cockpit.rs"]
mod cockpit;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cockpit::{Cockpit, wait};
use spartui::interface::terminal::{Redirection, TerminalGuard};

/// A recipe whose run does not end by itself.
fn recipe(folder: &Path) {
    let model = common::small_model(folder);
    let endless = "[train]\nepochs = 100000\nbatch_size = 8\nevaluate_every = 0\ncheckpoint_every = 0\n";
    common::small_recipe(folder, &model, endless);
}

const TRAIN: [&str; 2] = ["train", "recipe.toml"];

/// A run in training on the screen.
fn training(folder: &Path, more: &[&str], environment: &[(&str, &str)]) -> Cockpit {
    recipe(folder);
    let cockpit = Cockpit::start_in(folder, &[&TRAIN[..], more].concat(), environment);
    cockpit.shows("● training");
    cockpit
}

/// Aborts the run: the terminal must be as it was.
fn abort(mut cockpit: Cockpit) {
    cockpit.press("q");
    cockpit.shows("abort");
    cockpit.press("a");
    assert_eq!(cockpit.ends(), 1);
}

/// A screen that a refused run leaves, which takes no training.
fn refused(folder: &Path, more: &[&str], environment: &[(&str, &str)]) -> Vec<u8> {
    recipe(folder);
    let arguments = [&TRAIN[..], &["--set", "method.sparsity=0.2"], more].concat();
    let mut cockpit = Cockpit::start_in(folder, &arguments, environment);
    cockpit.shows("too low");
    let written = cockpit.written.lock().unwrap().clone();
    cockpit.press("q");
    assert_eq!(cockpit.ends(), 2);
    written
}

/// The parameters of every change of style.
fn styles(written: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(written).into_owned();
    let changes = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
        (rest[end..].starts_with('m')).then(|| rest[..end].to_owned())
    });
    changes.collect()
}

fn contains(written: &[u8], what: &str) -> bool {
    written.windows(what.len()).any(|window| window == what.as_bytes())
}

#[test]
fn without_colour_there_is_none_and_bold_is_bold() {
    let folder = tempfile::tempdir().unwrap();
    let mut cockpit = training(folder.path(), &[], &[("NO_COLOR", "1")]);
    cockpit.press("3");
    cockpit.press("?");
    cockpit.shows("anywhere");
    {
        let screen = cockpit.screen.lock().unwrap();
        let row = |row: u16| (0..100).map(move |column| (row, column));
        let cells = (0..30).flat_map(row).filter_map(|(row, column)| screen.screen().cell(row, column).cloned());
        let cells: Vec<vt100::Cell> = cells.collect();
        assert!(cells.iter().all(|cell| cell.fgcolor() == vt100::Color::Default));
        assert!(cells.iter().all(|cell| cell.bgcolor() == vt100::Color::Default));
        assert!(cells.iter().any(vt100::Cell::bold), "nothing is bold");
    }
    let allowed = ["0", "1", "2", "3", "4", "7", "22", "23", "24", "27", "39", "49", "59"];
    for style in styles(&cockpit.written.lock().unwrap()) {
        assert!(style.split(';').all(|part| allowed.contains(&part)), "{style}");
    }
    cockpit.press("\x1b");
    cockpit.waits("the cockpit", |text| !text.contains("anywhere"));
    abort(cockpit);
}

#[test]
fn no_more_colours_than_the_terminal_has() {
    let folder = tempfile::tempdir().unwrap();
    let colors = |more: &[&str], environment: &[(&str, &str)]| styles(&refused(folder.path(), more, environment));
    let all = colors(&[], &[("COLORTERM", "truecolor")]);
    assert!(all.iter().any(|style| style.contains("38;2;")));
    let few = colors(&[], &[]);
    assert!(few.iter().any(|style| style.contains("38;5;")) && !few.iter().any(|style| style.contains("38;2;")));
    let indexed = |style: &String| style.split_once("38;5;").and_then(|(_, rest)| rest.split(';').next()?.parse().ok());
    for fewest in [colors(&["--colours", "16"], &[]), colors(&[], &[("TERM", "linux")])] {
        assert!(fewest.iter().filter_map(indexed).all(|index: u16| index < 16), "{fewest:?}");
        assert!(fewest.iter().any(|style| indexed(style).is_some()), "{fewest:?}");
    }
}

#[test]
fn ascii_is_ascii_to_the_last_byte() {
    let folder = tempfile::tempdir().unwrap();
    let written = refused(folder.path(), &["--ascii"], &[]);
    assert!(written.is_ascii(), "{}", String::from_utf8_lossy(&written));
    assert!(refused(folder.path(), &[], &[("SPARTUI_ASCII", "1")]).is_ascii());
    assert!(!refused(folder.path(), &[], &[("SPARTUI_ASCII", "0")]).is_ascii());
}

fn descriptor(process: &str, number: u8) -> PathBuf {
    Path::new("/proc").join(process).join("fd").join(number.to_string())
}

#[test]
fn what_libraries_print_does_not_reach_the_screen_and_what_does_is_wiped_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut cockpit = training(folder.path(), &[], &[]);
    let process = cockpit.child.process_id().unwrap().to_string();
    let terminal = std::fs::read_link(descriptor(&process, 0)).unwrap();
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
    for process in children.split_whitespace().chain([process.as_str()]) {
        for number in [1, 2] {
            let leads_to = std::fs::read_link(descriptor(process, number)).unwrap();
            assert_ne!(leads_to, terminal, "descriptor {number} of {process}");
            // As a native library would: straight into the descriptor.
            if leads_to.is_absolute() {
                let mut output = File::options().append(true).open(descriptor(process, number)).unwrap();
                output.write_all(b"TORN by a library\n").unwrap();
            }
        }
    }
    cockpit.press("2");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!cockpit.text().contains("TORN"), "{}", cockpit.text());
    // Another program, such as `wall`, writes to the terminal itself; nothing keeps it off, and Ctrl-L wipes it away.
    cockpit.press(" ");
    cockpit.shows("paused");
    File::options().write(true).open(&terminal).unwrap().write_all(b"\x1b[12;20HTORN by wall").unwrap();
    cockpit.shows("TORN");
    cockpit.press("\x0c");
    cockpit.waits("a whole screen", |text| !text.contains("TORN"));
    abort(cockpit);
}

#[test]
fn a_hangup_signal_gives_a_terminal_that_is_still_there_back() {
    let folder = tempfile::tempdir().unwrap();
    let cockpit = training(folder.path(), &["--run", "trapped"], &[]);
    rustix::process::kill_process(cockpit.process(), rustix::process::Signal::HUP).unwrap();
    assert_eq!(cockpit.ends(), 0);
    let left = Command::new(env!("CARGO_BIN_EXE_spartui"))
        .args(["runs", "--json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(contains(&left.stdout, "\"alive\": true"), "the run goes on: {}", String::from_utf8_lossy(&left.stdout));
    let mut attached = Cockpit::start(folder.path(), &["attach", "trapped"]);
    attached.shows("● training");
    attached.press("q");
    attached.shows("abort");
    attached.press("a");
    assert_eq!(attached.ends(), 1);
}

/// Tells the test below that it runs in the terminal that the other one has made.
const PANICS: &str = "SPARTUI_TEST_PANICS";

#[test]
#[ignore = "the next test runs it in a terminal of its own"]
fn one_thread_panics_and_then_another_one() {
    assert!(std::env::var_os(PANICS).is_some(), "it is run by the next test");
    let redirection = Redirection::to(&tempfile::tempfile().unwrap()).unwrap();
    let mut screen = redirection.screen().unwrap();
    let _guard = TerminalGuard::enter(redirection.screen().unwrap(), Some(redirection)).unwrap();
    let other = std::thread::spawn(|| panic!("of the engine, say"));
    assert!(other.join().is_err());
    screen.write_all(b"the curves stay\r\n").unwrap();
    panic!("on purpose");
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_then_told() {
    let folder = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    let arguments = ["--exact", "one_thread_panics_and_then_another_one", "--ignored", "--nocapture"];
    let cockpit = Cockpit::start_program(&this, folder.path(), &arguments, &[(PANICS, "1")]);
    cockpit.shows("on purpose");
    let written = String::from_utf8_lossy(&cockpit.written.lock().unwrap()).into_owned();
    assert_eq!(cockpit.ends(), 101);
    let place = |what: &str| written.find(what).unwrap_or_else(|| panic!("no {what:?} in {written:?}"));
    assert!(place("the curves stay") < place("\x1b[?1049l"), "a panic elsewhere leaves the screen");
    assert!(place("\x1b[?1049l") < place("on purpose"), "what happened is told on a screen that stays");
    assert_eq!(written.matches("\x1b[?1049l").count(), 1, "it is given back once");
    assert!(!written.contains("of the engine, say"));
}

#[test]
fn any_size_and_any_number_of_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let mut cockpit = training(folder.path(), &[], &[]);
    for size in [(0, 0), (1, 1), (1, 60), (300, 1), (59, 19), (2, 2), (500, 200), (60, 20), (79, 23)] {
        cockpit.resize(size.0, size.1);
        std::thread::sleep(Duration::from_millis(25));
        assert!(cockpit.child.try_wait().unwrap().is_none(), "it ended at {size:?}");
    }
    for round in 0..200 {
        cockpit.resize(20 + round % 150, 5 + round % 60);
    }
    cockpit.resize(39, 10);
    cockpit.shows("the terminal is too small");
    // Below the size that the panels need, there is still what one most wants to know, and the keys work.
    cockpit.resize(40, 10);
    cockpit.waits("the short view", |text| {
        ["● training", " step ", " loss ", " rate ", " left "].iter().all(|said| text.contains(said))
    });
    cockpit.press(" ");
    cockpit.shows("● paused");
    cockpit.press(" ");
    cockpit.shows("● training");
    cockpit.resize(100, 30);
    cockpit.waits("the cockpit", |text| text.contains("training") && text.contains("sparsity"));
    abort(cockpit);
}

#[test]
fn a_key_that_is_let_go_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut cockpit = training(folder.path(), &[], &[]);
    // As terminals with kitty's protocol tell it: `?` pressed, then let go.
    cockpit.press("\x1b[63;1:1u\x1b[63;1:3u");
    cockpit.shows("anywhere");
    std::thread::sleep(Duration::from_millis(100));
    assert!(cockpit.text().contains("anywhere"), "the second event closed the help");
    cockpit.press("\x1b");
    cockpit.waits("the cockpit", |text| !text.contains("anywhere"));
    // Held down: a toggle acts once.
    cockpit.press("\x1b[32;1:1u\x1b[32;1:2u\x1b[32;1:2u\x1b[32;1:3u");
    cockpit.shows("paused");
    std::thread::sleep(Duration::from_millis(100));
    assert!(cockpit.text().contains("paused"), "a held key went on and off");
    abort(cockpit);
}

/// Presses and releases the left button over the first place where the lowest row says this.
fn click_in_footer(cockpit: &mut Cockpit, what: &str) {
    let lowest = |text: &str| text.lines().enumerate().last().map(|(row, line)| (row, line.to_owned()));
    cockpit.waits(what, |text| lowest(text).is_some_and(|(_, line)| line.contains(what)));
    let (row, line) = lowest(&cockpit.text()).unwrap();
    let column = line.chars().count() - line.split_once(what).unwrap().1.chars().count();
    let place = format!("{};{}", column, row + 1);
    cockpit.press(&format!("\x1b[<0;{place}M\x1b[<0;{place}m"));
}

#[test]
fn a_click_on_a_key_that_is_named_presses_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut cockpit = training(folder.path(), &[], &[]);
    click_in_footer(&mut cockpit, "pause");
    cockpit.shows("● paused");
    click_in_footer(&mut cockpit, "resume");
    cockpit.shows("● training");
    click_in_footer(&mut cockpit, "[ ]");
    cockpit.shows("sparsity 0.9 → 0.95");
    click_in_footer(&mut cockpit, "discard");
    cockpit.waits("no pending value", |text| !text.contains("0.9 → 0.95"));
    click_in_footer(&mut cockpit, "help");
    cockpit.shows("anywhere");
    click_in_footer(&mut cockpit, "close");
    cockpit.waits("the cockpit", |text| !text.contains("anywhere"));
    click_in_footer(&mut cockpit, "quit");
    cockpit.shows("How shall it end");
    click_in_footer(&mut cockpit, "abort");
    assert_eq!(cockpit.ends(), 1);
}

#[test]
fn what_is_pasted_presses_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut cockpit = training(folder.path(), &[], &[]);
    cockpit.press("\x1b[200~q\rs\ra ]\r\x1b[201~");
    cockpit.press("?");
    cockpit.shows("anywhere");
    cockpit.press("\x1b");
    cockpit.waits("the cockpit", |text| !text.contains("anywhere"));
    cockpit.press(":\x1b[200~evaluate\n\x1b[201~");
    cockpit.shows("› evaluate");
    cockpit.press("\x1b");
    cockpit.waits("the cockpit", |text| !text.contains("› evaluate"));
    abort(cockpit);
}

#[test]
fn control_characters_of_the_data_stay_out_of_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    recipe(folder.path());
    let row = |label: &str| {
        let text = "\\u001b]0;pwned\\u0007\\u001b[2J\\u001b[?1049l\\u202etext";
        format!("{{\"text\": \"{text}\", \"label\": \"{label}\"}}\n")
    };
    let rows = ["a\\u001b[31m\\u0007", "b\\u001b[31m", "c\\u001b[31m"].map(row).concat().repeat(8);
    std::fs::write(folder.path().join("train.jsonl"), &rows).unwrap();
    std::fs::write(folder.path().join("validation.jsonl"), &rows).unwrap();
    let mut cockpit = Cockpit::start(folder.path(), &TRAIN);
    cockpit.shows("● training");
    cockpit.press("v");
    cockpit.shows("the first training example");
    cockpit.shows("\\u{1b}[31m");
    cockpit.press("q");
    cockpit.press("6");
    cockpit.press("e");
    cockpit.shows("validation loss");
    let written = cockpit.written.lock().unwrap().clone();
    for sequence in ["\x1b]0;", "\u{7}", "\u{202e}", "\x1b[?1049l"] {
        assert!(!contains(&written, sequence), "{sequence:?} was sent to the terminal");
    }
    abort(cockpit);
}

#[test]
fn no_answer_of_the_terminal_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let written = refused(folder.path(), &[], &[]);
    // This terminal answers nothing at all; a program that waited for an answer would hang here. For its background it is
    // asked all the same, since nothing depends on the answer.
    assert!(contains(&written, "\x1b]11;?"));
    for question in ["\x1b]10;?", "\x1b[c", "\x1b[6n", "\x1b[?u"] {
        assert!(!contains(&written, question), "{question:?}");
    }
}

#[test]
fn a_file_of_keys_is_used_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("my keys.toml");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spartui"));
        command.args(arguments).current_dir(folder.path()).env("XDG_CONFIG_HOME", folder.path());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (status, printed, _) = run(&["keys"]);
    assert!(status == Some(0) && printed.contains("\npause = [\"space\"]\n"), "{printed}");
    std::fs::write(&keys, printed.replace("pause = [\"space\"]", "pause = [\"P\"]")).unwrap();
    let (status, printed, _) = run(&["keys", "--keys", "my keys.toml"]);
    assert!(status == Some(0) && printed.contains("\npause = [\"P\"]\n"), "{printed}");

    let config = folder.path().join("spartui");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("keys.toml"), "[cockpit]\npause = 'e'\n").unwrap();
    let (status, _, told) = run(&["keys"]);
    assert_eq!(status, Some(2));
    assert!(told.contains("pause of [cockpit]") && told.contains("evaluate of [cockpit]"), "{told}");
    assert_eq!(told.trim_end().lines().count(), 1, "{told}");

    // The file that is always read cannot keep anyone from working: a warning, and the built-in keys.
    let environment = [("XDG_CONFIG_HOME", folder.path().to_str().unwrap())];
    let mut cockpit = training(folder.path(), &[], &environment);
    // In the log, since what the run itself warns of comes after it in the lowest row.
    cockpit.press("6");
    cockpit.press("m");
    let words = |text: &str| text.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    cockpit.waits("the warning", |text| words(text).contains("the built-in keys are used"));
    cockpit.press(" ");
    cockpit.shows("paused");
    abort(cockpit);
    // The file that was asked for is refused before anything is begun.
    let mut cockpit = Cockpit::start(folder.path(), &["train", "recipe.toml", "--keys", "none.toml", "--run", "two"]);
    wait("its end", || cockpit.child.try_wait().unwrap().is_some());
    assert_eq!(cockpit.ends(), 2);
    assert!(!folder.path().join("runs/two").exists());
    // And a good one is shown and obeyed.
    let mut cockpit = training(folder.path(), &["--keys", "my keys.toml"], &environment);
    cockpit.shows("P pause");
    cockpit.press(" P");
    cockpit.shows("paused");
    abort(cockpit);
}

/// The colour of the program's name on the first screen.
fn colour_of_the_name(cockpit: &Cockpit) -> vt100::Color {
    cockpit.screen.lock().unwrap().screen().cell(0, 1).unwrap().fgcolor()
}

#[test]
fn the_background_is_asked_for_and_the_answer_is_no_input() {
    let asks = |cockpit: &Cockpit| cockpit.written.lock().unwrap().windows(5).any(|bytes| bytes == b"\x1b]11;");
    let folder = tempfile::tempdir().unwrap();
    let named = |theme: &str| {
        let mut cockpit = Cockpit::start_in(folder.path(), &[], &[("SPARTUI_THEME", theme)]);
        cockpit.shows("palette");
        let colour = colour_of_the_name(&cockpit);
        assert!(!asks(&cockpit), "who names a theme is not asked for another");
        cockpit.press("q");
        assert_eq!(cockpit.ends(), 0);
        colour
    };
    let (dark, light) = (named("dark"), named("light"));
    assert_ne!(dark, light);
    for (answer, expected) in [
        ("\x1b]11;rgb:fefe/fefe/fefe\x1b\\", light),
        ("\x1b]11;rgb:ff/ff/ff\x07", light),
        ("\x1b]11;rgb:1010/1010/1010\x1b\\", dark),
    ] {
        let mut cockpit = Cockpit::start_in(folder.path(), &[], &[]);
        cockpit.shows("palette");
        assert!(asks(&cockpit));
        // A filter that is being typed would show whatever is taken for keys.
        cockpit.press(&format!("n{answer}"));
        cockpit.waits("the colours of the background", |text| {
            text.contains("new run") && colour_of_the_name(&cockpit) == expected
        });
        cockpit.press("/");
        cockpit.press("sparsity");
        cockpit.waits("what was typed and nothing else", |text| text.contains("›method.sparsity"));
        cockpit.press("\x1b");
        std::thread::sleep(Duration::from_millis(300));
        cockpit.press("\x1b");
        cockpit.shows("No runs in");
        cockpit.press("q");
        assert_eq!(cockpit.ends(), 0);
    }
}

#[test]
fn an_answer_that_comes_late_is_not_left_to_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let started = std::time::Instant::now();
    let mut cockpit = Cockpit::start_in(folder.path(), &[], &[]);
    cockpit.shows("palette");
    cockpit.press("q");
    std::thread::sleep(Duration::from_millis(200));
    // A second after the question nobody waits any more; on a busy machine that may have passed.
    let waits = cockpit.child.try_wait().unwrap().is_none();
    assert!(waits || started.elapsed() > Duration::from_millis(900), "the answer is still under way");
    cockpit.press("\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    assert_eq!(cockpit.ends(), 0);
}

#[test]
fn a_theme_that_was_chosen_is_there_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let cockpit = Cockpit::start_in(folder.path(), &[], &[]);
        cockpit.shows("palette");
        cockpit
    };
    let mut cockpit = start();
    cockpit.press("t");
    cockpit.shows("high-contrast");
    cockpit.press("\x1b[B");
    cockpit.press("\x1b[B");
    cockpit.press("\r");
    std::thread::sleep(Duration::from_millis(300));
    let chosen = colour_of_the_name(&cockpit);
    cockpit.press("q");
    assert_eq!(cockpit.ends(), 0);
    let kept = std::fs::read_to_string(folder.path().join("config/spartui/chosen.toml")).unwrap();
    assert!(kept.contains("theme = \"high-contrast\""), "{kept}");
    let mut cockpit = start();
    assert_eq!(colour_of_the_name(&cockpit), chosen);
    // What is only looked at is not kept.
    cockpit.press("t");
    cockpit.press("\x1b[B");
    std::thread::sleep(Duration::from_millis(300));
    cockpit.press("\x1b");
    std::thread::sleep(Duration::from_millis(300));
    cockpit.press("q");
    assert_eq!(cockpit.ends(), 0);
    assert_eq!(std::fs::read_to_string(folder.path().join("config/spartui/chosen.toml")).unwrap(), kept);
}
