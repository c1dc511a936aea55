//! Every screen at 80 x 24, 120 x 40 and 200 x 60, in three themes: what stands there, and how it looks.

#[path = "support/inspector_desk.rs"]
mod inspector_desk;
#[path = "support/launcher_desk.rs"]
mod launcher_desk;
#[path = "support/runs_folder.rs"]
mod runs_folder;
#[path = "support/seen.rs"]
mod seen;
#[path = "support/synthetic.rs"]
mod synthetic;

use std::path::Path;

use spartui_facts::protocol::Event;
use spartui_interface::jobs::Done;

use launcher_desk::{files, models, recipes, runs, sample};
use synthetic::{consequences, kept};

/// The launcher after these keys.
fn launcher(name: &str, show: impl Fn(&mut launcher_desk::Desk)) {
    let seen = seen::everywhere(|size, theme| {
        let mut desk = launcher_desk::Desk::new(size, theme);
        desk.done(Done::Runs(Ok(runs())));
        show(&mut desk);
        desk.frame()
    });
    insta::assert_snapshot!(name, seen);
}

/// The form of a new run, of which all is known.
fn form(name: &str, keys: &str) {
    let seen = seen::everywhere(|size, theme| {
        let mut desk = launcher_desk::Desk::planned(size, theme);
        desk.press(keys);
        desk.frame()
    });
    insta::assert_snapshot!(name, seen);
}

/// The inspector of three runs after these keys.
fn inspector(name: &str, selected: &[&str], keys: &str) {
    let folder = tempfile::tempdir().unwrap();
    runs_folder::three(folder.path());
    let folder: &Path = folder.path();
    let seen = seen::everywhere(|size, theme| {
        let mut desk = inspector_desk::Desk::new(folder, selected, size, theme);
        desk.press(keys);
        desk.frame()
    });
    insta::assert_snapshot!(name, seen);
}

/// A run that trains, and was steered.
fn cockpit(name: &str, show: impl Fn(&mut synthetic::Desk)) {
    let seen = seen::everywhere(|size, theme| {
        let mut desk = synthetic::Desk::training(size, theme, 210);
        desk.press("] Enter");
        desk.obey("method.sparsity", 0.99, 0.995);
        desk.train(90);
        show(&mut desk);
        desk.frame()
    });
    insta::assert_snapshot!(name, seen);
}

#[test]
fn launcher_runs() {
    launcher("launcher_runs", |_| {});
}

#[test]
fn launcher_no_runs() {
    launcher("launcher_no_runs", |desk| desk.done(Done::Runs(Ok(Vec::new()))));
}

#[test]
fn launcher_facts() {
    launcher("launcher_facts", |desk| desk.press("Down Down Down Enter"));
}

#[test]
fn launcher_models() {
    launcher("launcher_models", |desk| {
        desk.press("n Enter");
        desk.done(Done::Models(models()));
    });
}

#[test]
fn launcher_rows() {
    launcher("launcher_rows", |desk| {
        desk.press("n Enter");
        desk.done(Done::Models(models()));
        desk.press("Enter");
        desk.done(Done::Listed("/home/ada/tickets".into(), Ok(files())));
        desk.done(Done::Sampled("tickets.csv".into(), Box::new(Ok(sample()))));
    });
}

#[test]
fn launcher_recipes() {
    launcher("launcher_recipes", |desk| {
        desk.press("o");
        desk.done(Done::Recipes(recipes()));
    });
}

#[test]
fn launcher_form_and_plan() {
    form("launcher_form_and_plan", "Down");
}

#[test]
fn launcher_form_with_a_wrong_value() {
    form("launcher_form_with_a_wrong_value", "/ sparsity Enter 17");
}

#[test]
fn inspector_charts() {
    inspector("inspector_charts", &[], "Down");
}

#[test]
fn inspector_one_chart_and_two_cursors() {
    inspector("inspector_one_chart_and_two_cursors", &["support-tickets", "faster"], "m g 150 Enter a Right Right <");
}

#[test]
fn inspector_differences() {
    inspector("inspector_differences", &[], "d");
}

#[test]
fn inspector_export() {
    inspector("inspector_export", &[], "e");
}

#[test]
fn cockpit_training() {
    cockpit("cockpit_training", |_| {});
}

#[test]
fn cockpit_with_a_pending_value() {
    cockpit("cockpit_with_a_pending_value", |desk| {
        desk.press("[");
        desk.foresee(Ok(consequences()));
    });
}

#[test]
fn cockpit_help() {
    cockpit("cockpit_help", |desk| desk.press("?"));
}

#[test]
fn cockpit_palette() {
    cockpit("cockpit_palette", |desk| desk.press(": spar"));
}

#[test]
fn cockpit_branches() {
    cockpit("cockpit_branches", |desk| {
        desk.rewind(180, 1);
        desk.train(40);
        desk.rewind(90, 2);
        desk.train(20);
        desk.tell(Event::Snapshots { snapshots: [kept(0, 300), kept(1, 220)].concat() });
        desk.press("b Down Down");
    });
}

#[test]
fn cockpit_quit() {
    cockpit("cockpit_quit", |desk| desk.press("q"));
}
