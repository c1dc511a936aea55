//! The launcher, frame by frame and key by key, whatever comes in; and the program itself, from an empty folder to a
//! finished run.

#[path = "support/launcher_desk.rs"]
mod launcher_desk;

use std::path::PathBuf;

use spartui_facts::protocol::Planned;
use spartui_facts::recipe::Recipe;
use spartui_interface::jobs::{Done, Entry, Job, KnownRun};
use spartui_interface::{Effect, Open, Outcome};
use spartui_run::State;

use launcher_desk::{Desk, files, models, recipes, run, runs, sample};

const SMALL: (u16, u16) = (60, 20);
const COMMON: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);
const HUGE: (u16, u16) = (200, 60);

macro_rules! assert_frame {
    ($desk:expr) => {
        insta::assert_snapshot!($desk.text())
    };
}

fn home(size: (u16, u16), theme: &str) -> Desk {
    let mut desk = Desk::new(size, theme);
    desk.done(Done::Runs(Ok(runs())));
    desk
}

#[test]
fn home_small() {
    assert_frame!(home(SMALL, "dark"));
}

#[test]
fn home_common() {
    assert_frame!(home(COMMON, "dark"));
}

#[test]
fn home_large() {
    assert_frame!(home(LARGE, "light"));
}

#[test]
fn home_huge() {
    assert_frame!(home(HUGE, "colour-blind"));
}

#[test]
fn home_without_runs() {
    let mut desk = Desk::new(COMMON, "dark");
    desk.done(Done::Runs(Ok(Vec::new())));
    assert_frame!(desk);
}

#[test]
fn home_filtered() {
    let mut desk = home(COMMON, "dark");
    desk.press("/ interr");
    assert_frame!(desk);
}

#[test]
fn facts_of_a_run_that_failed() {
    let mut desk = home(COMMON, "dark");
    desk.press("Down Down Down Enter");
    assert_frame!(desk);
}

#[test]
fn deleting_asks() {
    let mut desk = home(COMMON, "dark");
    desk.press("Down d");
    assert_frame!(desk);
}

#[test]
fn help_of_the_launcher() {
    let mut desk = home(HUGE, "dark");
    desk.press("?");
    assert_frame!(desk);
}

#[test]
fn form_empty() {
    let mut desk = home(COMMON, "dark");
    desk.press("n");
    assert_frame!(desk);
}

#[test]
fn choosing_a_model() {
    let mut desk = home(COMMON, "dark");
    desk.press("n Enter");
    desk.done(Done::Models(models()));
    assert_frame!(desk);
}

fn choosing_rows(size: (u16, u16), theme: &str) -> Desk {
    let mut desk = home(size, theme);
    desk.press("n Enter");
    desk.done(Done::Models(models()));
    desk.press("Enter");
    desk.done(Done::Listed("/home/ada/tickets".into(), Ok(files())));
    desk.done(Done::Sampled("tickets.csv".into(), Box::new(Ok(sample()))));
    desk
}

#[test]
fn choosing_rows_common() {
    assert_frame!(choosing_rows(COMMON, "dark"));
}

#[test]
fn choosing_rows_large() {
    assert_frame!(choosing_rows(LARGE, "light"));
}

#[test]
fn choosing_rows_huge() {
    assert_frame!(choosing_rows(HUGE, "colour-blind"));
}

#[test]
fn choosing_a_recipe() {
    let mut desk = home(LARGE, "dark");
    desk.press("o");
    desk.done(Done::Recipes(recipes()));
    assert_frame!(desk);
}

#[test]
fn form_small() {
    assert_frame!(Desk::planned(SMALL, "dark"));
}

#[test]
fn form_common() {
    assert_frame!(Desk::planned(COMMON, "dark"));
}

#[test]
fn form_large() {
    assert_frame!(Desk::planned(LARGE, "light"));
}

#[test]
fn form_huge() {
    assert_frame!(Desk::planned(HUGE, "colour-blind"));
}

#[test]
fn a_wrong_value_is_said_while_it_is_typed() {
    let mut desk = Desk::planned(COMMON, "dark");
    desk.press("/ sparsity Enter 17");
    assert_frame!(desk);
}

#[test]
fn what_is_known_is_stale_while_it_is_worked_out_anew() {
    let mut desk = Desk::planned(COMMON, "dark");
    desk.press("/ sparsity Enter Right");
    assert_frame!(desk);
}

#[test]
fn a_run_that_would_be_refused_asks_before_it_starts() {
    let mut desk = Desk::planned(COMMON, "dark");
    desk.press("/ sparsity Enter Left");
    let why = "method.sparsity 0.98 is too low for the groups \"value\", \"attention.output\"; take 0.985 or more";
    desk.tell_plan(vec![Planned::Refused { message: why.into() }]);
    desk.press("s");
    assert_frame!(desk);
}

#[test]
fn themes_are_laid_over_the_form() {
    let mut desk = Desk::planned(COMMON, "dark");
    desk.press("t");
    assert_frame!(desk);
}

#[test]
fn from_nothing_to_a_start_by_six_keys() {
    let mut desk = home(COMMON, "dark");
    desk.asked();
    desk.press("n Enter");
    assert!(matches!(&desk.jobs()[..], [Job::FindModels { .. }, Job::ListModels(_)]));
    desk.done(Done::Models(models()));
    desk.press("Enter");
    assert_eq!(desk.jobs(), [Job::ListFolder("/home/ada/tickets".into())]);
    desk.done(Done::Listed("/home/ada/tickets".into(), Ok(files())));
    assert!(matches!(&desk.jobs()[..], [Job::Sample { .. }]));
    desk.press("Enter");
    desk.done(Done::Sampled("tickets.csv".into(), Box::new(Ok(sample()))));
    let recipe = desk.launcher.form.recipe.clone();
    assert_eq!((recipe.data.text.as_str(), recipe.data.label.as_str()), ("review", "category"));
    assert!(desk.jobs().iter().any(|job| matches!(job, Job::Plan(_))));
    desk.press("s");
    let jobs = desk.jobs();
    let [Job::SaveRecipe { file, given: false, recipe, .. }] = &jobs[..] else { panic!("{jobs:?}") };
    assert_eq!(file.to_str(), Some("runs/recipes/tickets-5.toml"), "the names before are taken");
    assert_eq!(recipe.data.label, "category");
    desk.done(Done::Saved(Ok("runs/recipes/tickets-5.toml".into())));
    let open = Open::Train { recipe: "runs/recipes/tickets-5.toml".into(), name: "tickets-5".into() };
    assert_eq!(desk.asked(), [Effect::Quit(Outcome::Open(open))]);
}

#[test]
fn enter_does_what_a_run_allows() {
    let mut desk = home(COMMON, "dark");
    let folder = |name: &str| std::path::PathBuf::from("/home/ada/tickets/runs").join(name);
    let mut press = |keys: &str| {
        desk.asked();
        desk.press(keys);
        desk.asked()
    };
    // What trains stands first.
    assert_eq!(press("Enter"), [Effect::Quit(Outcome::Open(Open::Attach(folder("tickets-3"))))]);
    assert_eq!(press("Down Enter"), [Effect::Quit(Outcome::Open(Open::Inspect(vec![folder("tickets-4")])))]);
    assert_eq!(press("Down Enter"), []);
    assert_eq!(press("r"), [Effect::Quit(Outcome::Open(Open::Resume(folder("tickets-2"))))]);
}

#[test]
fn a_run_that_took_all_its_steps_is_given_more() {
    let mut desk = home(COMMON, "dark");
    let folder = std::path::PathBuf::from("/home/ada/tickets/runs/tickets-4");
    desk.asked();
    desk.press("Down r");
    assert_eq!(desk.jobs(), [Job::AskMore(folder.clone())]);
    desk.done(Done::More(folder.clone(), Ok(("train.epochs", 3.0))));
    insta::assert_snapshot!("more_steps_for_a_run", desk.text());
    desk.press("2 Enter");
    assert!(desk.text().contains("the run ended at 3; it goes on with more than that"), "{}", desk.text());
    desk.press("Esc");
    assert!(!desk.text().contains("more steps"));
    desk.press("r");
    desk.done(Done::More(folder.clone(), Ok(("train.epochs", 3.0))));
    desk.asked();
    desk.press("4 . 5 Enter");
    let open = Open::Extend { folder: folder.clone(), set: "train.epochs=4.5".into() };
    assert_eq!(desk.asked(), [Effect::Quit(Outcome::Open(open))]);
    desk.done(Done::More(folder, Err("it is a race".into())));
    assert!(desk.text().contains("it is a race"));
}

#[test]
fn a_run_that_trains_is_not_deleted_and_another_one_only_after_a_question() {
    let mut desk = home(COMMON, "dark");
    desk.asked();
    desk.press("d y");
    assert_eq!(desk.jobs(), []);
    desk.press("Down d Esc");
    assert_eq!(desk.jobs(), []);
    desk.press("d y");
    assert_eq!(desk.jobs(), [Job::DeleteRun("/home/ada/tickets/runs/tickets-4".into())]);
}

#[test]
fn a_run_gets_another_name_and_its_old_one_back() {
    let mut desk = home(COMMON, "dark");
    desk.asked();
    desk.press("R");
    assert!(desk.text().contains("a run that trains cannot be renamed") && desk.jobs().is_empty());
    desk.press("Down R Backspace Enter");
    let folder = |name: &str| std::path::PathBuf::from("/home/ada/tickets/runs").join(name);
    let job = |from: &str, to: &str| Job::RenameRun { folder: folder(from), name: to.into() };
    assert_eq!(desk.jobs(), [job("tickets-4", "tickets-")]);
    desk.done(Done::Renamed(folder("tickets-4"), Err("there is something of the name already".into())));
    assert!(desk.text().contains("of the name already") && desk.text().contains("another name for tickets-4"));
    desk.press("9");
    insta::assert_snapshot!("another_name_for_a_run", desk.text());
    desk.press("Enter");
    assert_eq!(desk.jobs(), [job("tickets-4", "tickets-9")]);
    desk.done(Done::Renamed(folder("tickets-4"), Ok(folder("tickets-9"))));
    assert!(desk.text().contains("tickets-4 is called tickets-9 now; u gives it its name back"), "{}", desk.text());
    desk.press("u u");
    assert_eq!(desk.jobs(), [job("tickets-9", "tickets-4")]);
    desk.press("R Esc R Enter");
    assert_eq!(desk.jobs(), [], "who keeps the name changes nothing");
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from("/home/ada/tickets/runs").join(name)
}

#[test]
fn a_name_that_is_proposed_is_replaced_by_what_is_typed() {
    let mut desk = home(COMMON, "dark");
    desk.asked();
    desk.press("Down R best Enter");
    assert_eq!(desk.jobs(), [Job::RenameRun { folder: folder("tickets-4"), name: "best".into() }]);
}

#[test]
fn several_runs_are_marked_and_deleted_compared_and_looked_at_together() {
    let mut desk = home(COMMON, "dark");
    desk.press("Down Space Down Space");
    insta::assert_snapshot!("home_with_marks", desk.text());
    desk.asked();
    desk.press("d");
    assert!(desk.text().contains("Delete 2 runs with their checkpoints"), "{}", desk.text());
    assert_eq!(desk.jobs(), [], "it asks first");
    desk.press("y");
    assert_eq!(desk.jobs(), ["tickets-4", "tickets"].map(|name| Job::DeleteRun(folder(name))));
    desk.press("v");
    let both = vec![folder("tickets-4"), folder("tickets")];
    assert_eq!(desk.asked(), [Effect::Quit(Outcome::Open(Open::Inspect(both.clone())))]);
    desk.press("m");
    assert_eq!(desk.asked(), [Effect::Quit(Outcome::Open(Open::Compare { runs: both, like: None }))]);
    // Those that a filter hides keep their marks, and nothing happens to them.
    desk.press("/ tickets-4 Enter");
    desk.asked();
    assert!(desk.text().contains("1 marked, and 1 out of sight"), "{}", desk.text());
    desk.press("d");
    assert!(desk.text().contains("Delete the run tickets-4 with"), "{}", desk.text());
    assert!(desk.text().contains("a marked run does not fit the filter and is left out"), "{}", desk.text());
    desk.press("Esc Esc");
    assert!(desk.text().contains("2 marked"), "{}", desk.text());
    // With one that trains among them, none is deleted.
    desk.press("A d y");
    assert!(desk.text().contains("tickets-3 trains and cannot be deleted"), "{}", desk.text());
    assert_eq!(desk.jobs(), []);
    desk.press("Esc d");
    assert!(!desk.text().contains("Delete 5 runs"), "no run is marked any more");
}

#[test]
fn runs_are_sorted_by_name_score_and_status() {
    let mut desk = home(COMMON, "dark");
    desk.press("s");
    insta::assert_snapshot!("home_by_name", desk.text());
    let order = |desk: &Desk| -> Vec<String> {
        let names = desk.launcher.home.shown().into_iter().map(|run| run.run.name.clone());
        names.collect()
    };
    assert_eq!(order(&desk), ["half-copied", "tickets", "tickets-2", "tickets-3", "tickets-4"]);
    desk.press("s");
    assert_eq!(order(&desk).last().map(String::as_str), Some("half-copied"), "what has no score comes last");
    desk.press("s");
    assert_eq!(order(&desk), ["tickets-3", "tickets-2", "tickets", "tickets-4", "half-copied"]);
    desk.press("S S S");
    assert_eq!(order(&desk)[0], "tickets-3", "by time, what trains stands first");
}

#[test]
fn tags_and_a_note_are_written_shown_and_found() {
    let mut desk = home(LARGE, "dark");
    desk.asked();
    desk.press("Down # baseline Space #good Enter");
    let notes = |tags: &[&str], note: &str| spartui_run::Notes {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        note: note.into(),
    };
    let said = notes(&["baseline", "good"], "");
    assert_eq!(desk.jobs(), [Job::Note { folder: folder("tickets-4"), notes: said }]);
    desk.done(Done::Noted(folder("tickets-4"), Ok(())));
    let mut known = runs();
    known[0].run.tags = vec!["baseline".into(), "good".into()];
    known[0].run.note = "the one to beat, with the rows of May".into();
    desk.done(Done::Runs(Ok(known)));
    insta::assert_snapshot!("home_with_tags", desk.text());
    desk.press("N ! Enter");
    let said = notes(&["baseline", "good"], "the one to beat, with the rows of May!");
    assert_eq!(desk.jobs(), [Job::Note { folder: folder("tickets-4"), notes: said }]);
    desk.done(Done::Noted(folder("tickets-4"), Err("the disk is full".into())));
    assert!(desk.text().contains("the disk is full") && desk.text().contains("a note about tickets-4"));
    desk.press("Esc / #good Enter");
    assert_eq!(desk.launcher.home.shown().len(), 1);
}

/// A race that was stopped: two lanes with it, one by itself before.
fn race() -> KnownRun {
    let lane = |number: usize, accuracy: f64, out: bool| {
        let mut lane = run(&format!("lane-{number}"), Some(State::Stopped), 1_764_000_500.0);
        lane.run.folder = folder("sweep/lanes").join(format!("lane-{number}"));
        lane.run.out = out;
        lane.varied = Some(format!("learning_rate 0.00{number}"));
        lane.best.as_mut().unwrap().accuracy = accuracy;
        lane
    };
    let lanes = vec![lane(1, 0.71, false), lane(2, 0.83, false), lane(3, 0.42, true)];
    let mut race = run("sweep", Some(State::Stopped), 1_764_000_500.0);
    race.run.method = Some("race of 3".into());
    race.run.lanes = lanes.iter().map(|lane| lane.run.clone()).collect();
    race.best = lanes[1].best;
    race.lanes = lanes;
    race
}

#[test]
fn a_race_opens_its_lanes_and_what_is_offered_works() {
    for (name, size) in [("race_common", COMMON), ("race_large", LARGE)] {
        let mut desk = home(size, "dark");
        desk.done(Done::Runs(Ok([vec![race()], runs()].concat())));
        desk.press("Down");
        insta::assert_snapshot!(name, desk.text());
        desk.asked();
        desk.press("r");
        assert_eq!(desk.asked(), [Effect::Quit(Outcome::Open(Open::Resume(folder("sweep"))))]);
        desk.press("Enter");
        insta::assert_snapshot!(format!("{name}_lanes"), desk.text());
        desk.asked();
        // Each lane is a run of its own, the best first.
        desk.press("r");
        assert_eq!(desk.asked(), [Effect::Quit(Outcome::Open(Open::Resume(folder("sweep/lanes/lane-2"))))]);
        desk.press("d y R");
        assert_eq!(desk.asked(), [], "the lanes of a race belong together");
        desk.press("A m");
        let lanes = ["lane-2", "lane-1", "lane-3"].map(|lane| folder("sweep/lanes").join(lane)).to_vec();
        assert_eq!(desk.asked(), [Effect::Quit(Outcome::Open(Open::Compare { runs: lanes, like: None }))]);
        desk.press("Esc Esc v");
        let lanes = ["lane-1", "lane-2", "lane-3"].map(|lane| folder("sweep/lanes").join(lane)).to_vec();
        assert_eq!(desk.asked(), [Effect::Quit(Outcome::Open(Open::Inspect(lanes)))]);
    }
    // A race of which nothing can go on is not offered to be resumed.
    let mut over = race();
    over.run.state = Some(State::Completed);
    let mut desk = home(COMMON, "dark");
    desk.done(Done::Runs(Ok(vec![over])));
    desk.asked();
    desk.press("r");
    assert_eq!(desk.asked(), []);
    assert!(desk.text().contains("every lane of sweep has ended"), "{}", desk.text());
}

#[test]
fn a_race_is_started_from_the_form() {
    let mut desk = Desk::planned(COMMON, "dark");
    desk.asked();
    desk.press("R");
    assert!(desk.text().contains("what its lanes differ in"), "{}", desk.text());
    desk.press("1e-3 Enter");
    assert!(desk.text().contains("that is one lane"), "{}", desk.text());
    assert_eq!(desk.jobs(), []);
    desk.press(",1e-2 Space halve=100");
    insta::assert_snapshot!("race_from_the_form", desk.text());
    desk.press("Enter");
    assert!(matches!(&desk.jobs()[..], [Job::SaveRecipe { .. }]));
    desk.done(Done::Saved(Ok("runs/recipes/tickets-5.toml".into())));
    let options = ["--vary", "optimizer.learning_rate=1e-3,1e-2", "--halve-every", "100"].map(str::to_owned).to_vec();
    let open = Open::Race { recipe: "runs/recipes/tickets-5.toml".into(), name: "tickets-5".into(), options };
    assert_eq!(desk.asked(), [Effect::Quit(Outcome::Open(open))]);
}

#[test]
fn a_model_is_found_in_a_folder_that_is_browsed_or_typed() {
    let entry = |name: &str, family: Option<&str>| Entry {
        name: name.into(),
        folder: true,
        bytes: 1000,
        family: family.map(str::to_owned),
    };
    let mut desk = home(COMMON, "dark");
    desk.press("n Enter");
    desk.done(Done::Models(Vec::new()));
    desk.done(Done::Listed("/home/ada/tickets".into(), Ok(vec![entry("own", None)])));
    desk.asked();
    // Down from the way up, and into the folder.
    desk.press("Left");
    assert_eq!(desk.jobs(), [Job::ListModels("/home/ada".into()), Job::FindModelsBelow("/home/ada".into())]);
    desk.done(Done::Listed("/home/ada".into(), Ok(vec![entry("small", Some("bert")), entry("tickets", None)])));
    assert!(desk.text().contains("looking"), "what is below is being looked for: {}", desk.text());
    // What was looked for below another folder is none of it.
    desk.done(Done::ModelsBelow("/home".into(), models()));
    desk.done(Done::ModelsBelow("/home/ada".into(), Vec::new()));
    insta::assert_snapshot!("browsing_for_a_model", desk.text());
    // A path that is typed is completed folder by folder.
    desk.press("~/mo");
    assert_eq!(desk.jobs(), [], "that folder is listed already");
    desk.press("Backspace Backspace til Backspace Backspace Backspace t Tab");
    assert!(desk.text().contains("› ~/tickets/"), "{}", desk.text());
    assert_eq!(desk.jobs(), [Job::ListModels("/home/ada/tickets".into())]);
    desk.done(Done::Listed("/home/ada/tickets".into(), Ok(vec![entry("best", Some("llama")), entry("own", None)])));
    desk.press("b Enter");
    let recipe = &desk.launcher.form.recipe;
    assert_eq!(recipe.model.path.to_str(), Some("best"));
    assert_eq!(recipe.task.kind, spartui_facts::recipe::TaskKind::CausalLm, "the model's family chooses the task");
}

#[test]
fn a_copy_begins_with_the_runs_recipe_and_says_how_it_differs() {
    let mut desk = home(COMMON, "dark");
    desk.asked();
    desk.press("Down c");
    let file = std::path::PathBuf::from("/home/ada/tickets/runs/tickets-4/recipe.toml");
    assert_eq!(desk.jobs(), [Job::LoadRecipe { folder: "/home/ada/tickets".into(), file: file.clone() }]);
    let Ok(recipe) = recipes().remove(0).recipe else { panic!("a recipe") };
    desk.done(Done::Loaded(file, Ok(recipe)));
    assert!(desk.text().contains("from the run tickets-4"));
    assert_eq!(desk.launcher.form.recipe.train.epochs, 6.0);
    assert!(desk.launcher.command().starts_with("spartui train runs/recipes/tickets-5.toml"));
    desk.press("Esc o");
    desk.done(Done::Recipes(recipes()));
    desk.press("Enter / epochs Enter Right");
    assert_eq!(desk.launcher.command(), "spartui train runs/recipes/tickets.toml --set train.epochs=7 --run tickets-5");
    desk.asked();
    desk.press("u s");
    let open = Open::Train { recipe: "runs/recipes/tickets.toml".into(), name: "tickets-5".into() };
    assert!(desk.asked().contains(&Effect::Quit(Outcome::Open(open))), "what is as its file says needs no other file");
}

#[test]
fn what_is_pasted_goes_into_the_selected_line() {
    let mut desk = home(COMMON, "dark");
    desk.press("n Down");
    desk.input(spartui_interface::Input::Paste("data/my rows.csv\n".into()));
    desk.press("Enter");
    assert_eq!(desk.launcher.form.recipe.data.train.to_str(), Some("data/my rows.csv"));
}

#[test]
fn fields_are_set_by_name_in_the_palette() {
    let mut desk = Desk::planned(COMMON, "dark");
    desk.press(": set Space epochs Enter 9 Enter");
    assert_eq!(desk.launcher.form.recipe.train.epochs, 9.0, "{}", desk.text());
}

#[test]
fn nothing_moves_while_nothing_happens() {
    use spartui_interface::Screen;
    let mut desk = home(COMMON, "dark");
    assert!(!desk.launcher.animated());
    desk.press("r");
    assert!(desk.launcher.animated(), "what is said goes away by itself");
    desk.pass(60.0);
    assert!(!desk.launcher.animated());
}

#[test]
fn ctrl_c_leads_out_step_by_step() {
    let mut desk = Desk::planned(COMMON, "dark");
    desk.asked();
    desk.press("e Ctrl-C");
    assert!(desk.launcher.form.typed.is_none() && desk.asked().is_empty());
    desk.press("Ctrl-C");
    assert!(desk.asked().is_empty());
    desk.press("Ctrl-C");
    assert_eq!(desk.asked(), [Effect::Quit(Outcome::Left)]);
}

#[test]
fn an_action_without_a_run_says_why_it_does_nothing() {
    let mut desk = Desk::new(COMMON, "dark");
    desk.press("i");
    assert!(desk.text().contains("the runs are still being read"), "{}", desk.text());
    desk.done(Done::Runs(Ok(Vec::new())));
    desk.press("i");
    assert!(desk.text().contains("there is no run yet"), "{}", desk.text());
    desk.done(Done::Runs(Ok(runs())));
    desk.press("/");
    desk.press("xyz");
    desk.press("Enter i");
    assert!(desk.text().matches("no run fits the filter").count() == 2, "{}", desk.text());
}

#[test]
fn every_field_of_the_recipe_is_reached_explained_and_checked() {
    let mut desk = Desk::planned(HUGE, "dark");
    for field in spartui_facts::recipe::FIELDS {
        desk.press("/");
        desk.press(field.name);
        desk.press("Enter");
        let found = desk.launcher.form.field().map(|field| field.name);
        assert_eq!(found, Some(field.name));
        let text = desk.text();
        assert!(text.contains(&format!("{}: {}", field.name, field.help.split(';').next().unwrap())), "{text}");
        desk.press("e");
        desk.input(spartui_interface::Input::Paste("[[".into()));
        let takes_text = desk.launcher.form.problem.is_none();
        let texts = ["path", "text", "name"];
        assert!(!takes_text || texts.iter().any(|word| field.kind.describe().contains(word)), "{}", field.name);
        desk.press("Esc");
    }
    assert_eq!(desk.launcher.form.recipe.train, Recipe::default().train);
}

mod properties {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    use proptest::prelude::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use spartui_facts::protocol::Planned;
    use spartui_interface::jobs::{Done, Job};
    use spartui_interface::{Effect, Input, Screen};

    use super::launcher_desk::{Desk, files, models, plan, recipes, runs, sample};
    use super::{COMMON, LARGE};

    fn key() -> impl Strategy<Value = Input> {
        let code = prop_oneof![
            12 => prop::sample::select("?q:tTncordvi/jkhlsuewNR.0159=yx #SAm,\u{6f22}".chars().collect::<Vec<_>>()).prop_map(KeyCode::Char),
            8 => prop::sample::select(vec![
                KeyCode::Enter, KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Left, KeyCode::Right,
                KeyCode::Up, KeyCode::Down, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home, KeyCode::End,
                KeyCode::Backspace, KeyCode::Delete,
            ]),
        ];
        code.prop_map(|code| Input::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    fn mouse() -> impl Strategy<Value = Input> {
        let kind = prop::sample::select(vec![
            MouseEventKind::ScrollDown,
            MouseEventKind::ScrollUp,
            MouseEventKind::Down(MouseButton::Left),
        ]);
        (kind, 0u16..210, 0u16..70).prop_map(|(kind, column, row)| {
            Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
        })
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![Just("plain".to_owned()), "\\PC{0,40}", Just("\x1b[2J\u{202e}\0漢字\n".to_owned())]
    }

    fn done() -> impl Strategy<Value = Done> {
        let part = prop_oneof![
            5 => prop::sample::select(plan()),
            1 => text().prop_map(|message| Planned::Refused { message }),
            1 => (text(), prop::option::of(prop::num::f32::ANY)).prop_map(|(what, fraction)| Planned::Doing { what, fraction }),
        ];
        let file = prop::sample::select(vec!["tickets.csv", "validation.jsonl", "x"]);
        prop_oneof![
            2 => (0usize..6).prop_map(|count| Done::Runs(Ok(runs().into_iter().take(count).collect()))),
            1 => text().prop_map(|why| Done::Runs(Err(why))),
            2 => Just(Done::Models(models())),
            1 => Just(Done::Models(Vec::new())),
            2 => Just(Done::Listed("/home/ada/tickets".into(), Ok(files()))),
            1 => text().prop_map(|why| Done::Listed("/home/ada/tickets".into(), Err(why))),
            2 => file.clone().prop_map(|file| Done::Sampled(file.into(), Box::new(Ok(sample())))),
            1 => (file, text()).prop_map(|(file, why)| Done::Sampled(file.into(), Box::new(Err(why)))),
            2 => Just(Done::Recipes(recipes())),
            4 => (0u64..12, prop::option::of(part)).prop_map(|(id, part)| Done::Planned(id, part.map(Box::new))),
            1 => text().prop_map(|why| Done::Saved(Err(why))),
            1 => Just(Done::Saved(Ok("runs/recipes/x.toml".into()))),
            1 => text().prop_map(|name| Done::Deleted(name.into(), Ok(()))),
            1 => (text(), text()).prop_map(|(from, to)| Done::Renamed(from.into(), Ok(to.into()))),
            1 => text().prop_map(Done::Broken),
            1 => Just(Done::Loaded("recipe.toml".into(), Ok(Box::default()))),
        ]
    }

    fn input() -> impl Strategy<Value = Input> {
        prop_oneof![
            10 => key(),
            2 => mouse(),
            6 => done().prop_map(|done| Input::Done(Box::new(done))),
            2 => (0u16..210, 0u16..70).prop_map(|(columns, rows)| Input::Resize(columns, rows)),
            1 => (0u64..100).prop_map(|seconds| Input::Tick(std::time::Duration::from_secs(seconds))),
            1 => text().prop_map(Input::Paste),
            1 => Just(Input::Signal(signal_hook::consts::SIGINT)),
            1 => any::<bool>().prop_map(|light| Input::Background { light }),
        ]
    }

    fn desk(early: bool) -> Desk {
        if early { Desk::new(COMMON, "dark") } else { Desk::planned(LARGE, "light") }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_that_comes_in_can_break_it(early: bool, inputs in prop::collection::vec(input(), 1..60)) {
            let mut desk = desk(early);
            for input in inputs {
                desk.input(input);
                for cell in desk.frame().content() {
                    prop_assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
                }
            }
        }

        #[test]
        fn any_size_can_be_drawn(columns in 0u16..220, rows in 0u16..75, believed in (0u16..220, 0u16..75), keys in prop::collection::vec(key(), 0..8)) {
            let mut desk = Desk::planned(COMMON, "dark");
            for key in keys {
                desk.input(key);
            }
            // What the launcher believes of the size may lag behind what there is to draw on.
            desk.launcher.env.size = believed;
            let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
            terminal.draw(|frame| desk.launcher.draw(frame)).unwrap();
        }

        #[test]
        fn nothing_is_deleted_or_started_by_keys_that_only_move(keys in prop::collection::vec(prop::sample::select(vec![
            "Up", "Down", "Left", "Right", "Tab", "PageDown", "Esc", "j", "k", "n", "i", "/",
        ]), 1..60)) {
            let mut desk = desk(false);
            desk.asked();
            for key in keys {
                desk.press(key);
            }
            for effect in desk.asked() {
                let harmless = !matches!(
                    effect,
                    Effect::Job(Job::DeleteRun(_) | Job::SaveRecipe { .. }) | Effect::Quit(_)
                );
                prop_assert!(harmless, "{effect:?}");
            }
        }
    }
}
