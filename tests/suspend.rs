//! Ctrl-Z, `fg` and terminals that cannot be drawn on: the real program under a real shell in a pseudo-terminal.

#![cfg(target_os = "linux")]

mod common;

#[path = "support/cockpit.rs"]
mod cockpit;

use std::path::{Path, PathBuf};
use std::time::Duration;

use cockpit::{Cockpit, wait};
use rustix::process::{Pid, Signal, kill_process};

/// A recipe whose run does not end by itself.
fn recipe(folder: &Path, epochs: u32) {
    let model = common::small_model(folder);
    let train = format!("[train]\nepochs = {epochs}\nbatch_size = 8\nevaluate_every = 0\ncheckpoint_every = 0\n");
    common::small_recipe(folder, &model, &train);
}

/// A shell with job control in a terminal, and a run that it has started.
fn shell(folder: &Path, command: &str) -> Cockpit {
    recipe(folder, 100_000);
    let program = env!("CARGO_BIN_EXE_spartui");
    std::fs::write(folder.join("Makefile"), format!("run:\n\t@{program} train recipe.toml --run suspended\n")).unwrap();
    let environment = [("PS1", "shell> "), ("HISTFILE", ""), ("SPARTUI", program)];
    let arguments = ["--norc", "--noprofile", "-i"];
    let mut shell = Cockpit::start_program(Path::new("/bin/bash"), folder, &arguments, &environment);
    shell.shows("shell> ");
    shell.press(&format!("{command}\r"));
    shell.shows("● training");
    shell
}

/// What was written to the run's file of metrics.
fn steps(folder: &Path) -> usize {
    let metrics: PathBuf = folder.join("runs/suspended/metrics.jsonl");
    std::fs::read_to_string(metrics).map_or(0, |text| text.lines().count())
}

/// Whether the screen is the shell's: nothing of what the interface had taken is still taken.
fn is_the_shells(cockpit: &Cockpit) -> bool {
    let screen = cockpit.screen.lock().unwrap();
    let screen = screen.screen();
    !screen.alternate_screen()
        && !screen.hide_cursor()
        && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
}

fn waits_for_the_shell(shell: &mut Cockpit, word: &str) {
    wait("the shell's screen", || is_the_shells(shell));
    // What is typed is echoed, and read line by line.
    shell.press(&format!("stty -a | grep -c -e ' icanon' -e ' echo ' | sed 's/^/{word} /'\r"));
    shell.shows(&format!("\n{word} "));
    let modes = shell.text();
    let counted = modes.lines().rev().find_map(|line| line.strip_prefix(&format!("{word} "))).unwrap();
    assert_ne!(counted.trim(), "0", "the terminal is raw:\n{modes}");
}

fn back_in_the_cockpit(shell: &mut Cockpit) {
    shell.press("fg\r");
    wait("the interface's screen", || shell.screen.lock().unwrap().screen().alternate_screen());
    shell.shows("● training");
    assert_ne!(shell.screen.lock().unwrap().screen().mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    // One key, without Enter: the terminal is raw again.
    shell.press(" ");
    shell.shows("● paused");
    shell.press(" ");
    shell.shows("● training");
}

fn abort(mut shell: Cockpit) {
    shell.press("q");
    shell.shows("abort");
    shell.press("a");
    // As long as the program is there, it reads what is typed.
    shell.waits("the shell", |text| text.lines().last().is_some_and(|line| line.trim_end() == "shell>"));
    shell.press("exit\r");
    shell.ends();
}

/// The process that a shell has started.
fn child_of(process: u32) -> Pid {
    let children = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(children).unwrap();
    Pid::from_raw(children.split_whitespace().next().expect("a child").parse().unwrap()).unwrap()
}

fn state_of(process: Pid) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('?')
}

#[test]
fn ctrl_z_leaves_the_terminal_to_the_shell_and_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = shell(folder.path(), "$SPARTUI train recipe.toml --run suspended");
    shell.press("\x1a");
    waits_for_the_shell(&mut shell, "first");
    let before = steps(folder.path());
    wait("steps while nobody looks", || steps(folder.path()) > before + 20);
    // Nobody tells a process that is stopped of another size.
    shell.resize(120, 34);
    back_in_the_cockpit(&mut shell);
    shell.waits("the whole width", |text| text.lines().any(|line| line.chars().count() > 110));
    // A second time, from a text field and with the signal in place of the key.
    shell.press(":");
    shell.shows("what to do");
    let interface = child_of(shell.child.process_id().unwrap());
    kill_process(interface, Signal::TSTP).unwrap();
    waits_for_the_shell(&mut shell, "second");
    assert_eq!(state_of(interface), 'T');
    shell.press("fg\r");
    shell.shows("what to do");
    shell.press("\x1b");
    shell.waits("the cockpit", |text| text.contains("● training") && !text.contains("what to do"));
    // Stopped without being asked, it cannot give the terminal back; it takes it all the same when it goes on.
    kill_process(interface, Signal::STOP).unwrap();
    wait("its stop", || state_of(interface) == 'T');
    shell.press("stty sane; printf '\\033[?1049l\\033[?1003l\\033[?1002l\\033[?1000l\\033[?25h'\r");
    wait("the shell's screen", || is_the_shells(&shell));
    back_in_the_cockpit(&mut shell);
    abort(shell);
}

#[test]
fn the_whole_job_stops_where_make_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = shell(folder.path(), "make -s run");
    let make = child_of(shell.child.process_id().unwrap());
    shell.press("\x1a");
    waits_for_the_shell(&mut shell, "made");
    assert_eq!(state_of(make), 'T', "the shell would wait for it");
    back_in_the_cockpit(&mut shell);
    abort(shell);
}

#[test]
fn where_no_shell_would_come_back_ctrl_z_says_so() {
    let folder = tempfile::tempdir().unwrap();
    recipe(folder.path(), 100_000);
    let mut cockpit = Cockpit::start(folder.path(), &["train", "recipe.toml"]);
    cockpit.shows("● training");
    cockpit.press("\x1a");
    cockpit.shows("no shell would bring the interface back");
    // Who sends the signal can send the other one, too.
    let process = cockpit.process();
    kill_process(process, Signal::TSTP).unwrap();
    wait("its stop", || state_of(process) == 'T');
    wait("a terminal that is given back", || is_the_shells(&cockpit));
    kill_process(process, Signal::CONT).unwrap();
    wait("the interface's screen", || cockpit.screen.lock().unwrap().screen().alternate_screen());
    cockpit.shows("● training");
    cockpit.press("q");
    cockpit.shows("abort");
    cockpit.press("a");
    assert_eq!(cockpit.ends(), 1);
}

#[test]
fn a_terminal_that_is_only_printed_on_gets_lines() {
    let folder = tempfile::tempdir().unwrap();
    recipe(folder.path(), 1);
    for term in ["dumb", ""] {
        let name = format!("run-{}", if term.is_empty() { "none" } else { term });
        let environment = [("TERM", term)];
        let cockpit = Cockpit::start_in(folder.path(), &["train", "recipe.toml", "--run", &name], &environment);
        cockpit.waits("the end", |text| text.contains("completed after"));
        let written = std::sync::Arc::clone(&cockpit.written);
        assert_eq!(cockpit.ends(), 0);
        let written = String::from_utf8_lossy(&written.lock().unwrap()).into_owned();
        assert!(!written.contains('\x1b'), "TERM={term:?}: {written:?}");
        assert!(written.contains(&format!("runs/{name}")), "{written}");
        // The launcher cannot do with lines, and says why.
        let cockpit = Cockpit::start_in(folder.path(), &[], &environment);
        let written = std::sync::Arc::clone(&cockpit.written);
        assert_eq!(cockpit.ends(), 2);
        std::thread::sleep(Duration::from_millis(100));
        let written = String::from_utf8_lossy(&written.lock().unwrap()).into_owned();
        assert!(written.contains("The launcher needs a terminal"), "{written}");
        assert!(written.contains("TERM"), "{written}");
    }
}

#[test]
fn locales_without_lines_and_dots_get_none() {
    let folder = tempfile::tempdir().unwrap();
    let is_ascii = |environment: &[(&str, &str)]| {
        let mut cockpit = Cockpit::start_in(folder.path(), &[], environment);
        cockpit.shows("palette");
        let written = std::sync::Arc::clone(&cockpit.written);
        cockpit.press("q");
        assert_eq!(cockpit.ends(), 0);
        let written = written.lock().unwrap();
        written.is_ascii()
    };
    for locale in ["C", "POSIX", "de_DE.ISO-8859-1"] {
        assert!(is_ascii(&[("LC_ALL", locale)]), "{locale}");
    }
    assert!(is_ascii(&[("LC_CTYPE", "en_US"), ("LANG", "en_US.UTF-8")]));
    assert!(!is_ascii(&[("LC_ALL", "C.UTF-8")]));
    assert!(!is_ascii(&[("LANG", "")]), "no locale says nothing");
    assert!(!is_ascii(&[("LC_ALL", "C"), ("SPARTUI_ASCII", "0")]), "who asks for lines and dots gets them");
}
