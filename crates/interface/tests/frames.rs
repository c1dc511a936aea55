//! What the user sees, frame by frame: real keys and a pretended engine in, the screen's text out.

#[path = "support/synthetic.rs"]
mod synthetic;

use ratatui::style::{Color, Modifier};
use spartui_facts::protocol::{Command, CommandStatus, Ending, Event, Intervention, Ready, ServerMessage, Step};
use spartui_facts::recipe::Value;
use spartui_interface::{Effect, Input, Outcome};

use synthetic::{Desk, change, consequences, kept, ready, step, summary};

const SMALL: (u16, u16) = (60, 20);
const COMMON: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);
const HUGE: (u16, u16) = (200, 60);

macro_rules! assert_frame {
    ($desk:expr) => {
        insta::assert_snapshot!($desk.text())
    };
}

fn steered(size: (u16, u16), theme: &str) -> Desk {
    let mut desk = Desk::training(size, theme, 210);
    desk.press("] Enter");
    desk.obey("method.sparsity", 0.99, 0.995);
    desk.train(190);
    desk.press("- Enter");
    desk.obey("optimizer.learning_rate", 5e-4, 2e-4);
    desk.train(137);
    desk
}

#[test]
fn training_small() {
    assert_frame!(steered(SMALL, "dark"));
}

#[test]
fn training_common() {
    assert_frame!(steered(COMMON, "dark"));
}

#[test]
fn training_large() {
    assert_frame!(steered(LARGE, "light"));
}

#[test]
fn training_huge() {
    assert_frame!(steered(HUGE, "colour-blind"));
}

#[test]
fn training_narrow_and_tall() {
    assert_frame!(steered((80, 50), "dark"));
}

#[test]
fn training_wide_and_low() {
    assert_frame!(steered((160, 24), "dark"));
}

#[test]
fn too_small() {
    assert_frame!(Desk::training((39, 20), "dark", 3));
}

#[test]
fn in_short_on_the_smallest_terminal() {
    assert_frame!(steered((40, 10), "dark"));
}

#[test]
fn in_short_below_the_size_that_panels_need() {
    assert_frame!(steered((59, 19), "dark"));
}

#[test]
fn in_short_on_a_wide_and_low_terminal() {
    assert_frame!(steered((120, 14), "dark"));
}

#[test]
fn in_short_keys_and_questions_work() {
    let mut desk = steered((40, 10), "dark");
    desk.press("]");
    desk.foresee(Ok(consequences()));
    assert_frame!(desk);
    desk.press("Esc q");
    assert_frame!(desk);
    desk.press("Esc ?");
    assert!(desk.text().contains("keys"), "{}", desk.text());
    desk.press("Esc s Enter");
    assert!(desk.sent().contains(&Command::Stop));
    desk.tell(Event::Finished(Box::new(summary(Ending::Stopped))));
    assert_frame!(desk);
}

#[test]
fn in_short_before_the_first_step() {
    let mut desk = Desk::new((40, 10), "dark");
    desk.tell(Event::Loading { what: "reading the training rows".into(), fraction: Some(0.2) });
    assert_frame!(desk);
    desk.load();
    assert_frame!(desk);
}

/// Whether a symbol belongs to a curve.
fn is_of_a_curve(symbol: &str) -> bool {
    symbol == "◆" || symbol.chars().all(|c| ('\u{2801}'..='\u{28ff}').contains(&c))
}

#[test]
fn what_was_changed_covers_no_point_of_a_curve() {
    for size in [COMMON, LARGE, HUGE, (100, 30), (160, 50)] {
        let curves = |changed: bool| {
            let mut desk = Desk::training(size, "dark", 600);
            if changed {
                for (step, from, to) in [(120, 5e-4, 2e-4), (300, 2e-4, 1e-4), (560, 1e-4, 5e-5)] {
                    desk.tell(Event::Intervention(change(step, from, to)));
                }
            }
            desk.pass(60.0);
            let frame = desk.frame();
            let points = frame.content().iter().enumerate().filter(|(_, cell)| is_of_a_curve(cell.symbol()));
            (points.map(|(at, _)| at).collect::<Vec<usize>>(), desk.text())
        };
        let ((plain, _), (marked, text)) = (curves(false), curves(true));
        // The lines of the marks themselves may take the place of single cells.
        let lost: Vec<usize> = plain.iter().copied().filter(|at| !marked.contains(at)).collect();
        let columns: std::collections::BTreeSet<usize> = lost.iter().map(|at| at % usize::from(size.0)).collect();
        assert!(columns.len() <= 3, "{size:?}: {columns:?}\n{text}");
        assert!(text.contains("560 learning_rate 1e-4 → 5e-5") || size == COMMON, "{text}");
        assert!(!text.contains("learning_rate 1e-4 → …"), "cut though there is room:\n{text}");
    }
}

#[test]
fn nothing_moves_when_alerts_come_and_go_and_they_take_one_row() {
    for size in [SMALL, COMMON, LARGE, HUGE] {
        let mut desk = Desk::training(size, "dark", 240);
        desk.pass(60.0);
        let borders = |desk: &Desk| {
            let frame = desk.frame();
            let corners = frame.content().iter().enumerate().filter(|(_, cell)| matches!(cell.symbol(), "╭" | "╰"));
            corners.map(|(at, _)| at).collect::<Vec<_>>()
        };
        let before = borders(&desk);
        desk.tell(Event::Step(Step { loss: f64::NAN, ..step(241) }));
        desk.tell(Event::Step(Step { loss: 60.0, ..step(242) }));
        assert_eq!(borders(&desk), before);
        let text = desk.text();
        let row = text.lines().find(|line| line.starts_with(" ▲")).expect("an alert");
        assert!(row.contains("1 more") && row.contains("A acknowledges"), "{row}");
        assert_eq!(text.lines().filter(|line| line.starts_with(" ▲")).count(), 1, "{text}");
        // While something else is said, there is still a sign of them.
        desk.press("t Esc z");
        desk.press("u");
        assert_eq!(borders(&desk), before);
        assert!(desk.text().contains("▲ 2"), "{}", desk.text());
        desk.pass(60.0);
        desk.press("A");
        assert!(!desk.text().contains(" ▲ the loss"), "{}", desk.text());
        assert_eq!(borders(&desk), before);
    }
}

#[test]
fn training_loss_is_shown_raw_and_smoothed_beside_validation() {
    let desk = Desk::training(LARGE, "dark", 237);
    let raw = spartui_interface::text::number(step(237).loss);
    let smoothed = spartui_interface::text::number(desk.state.history.loss.smoothed_last().expect("steps").1);
    assert_ne!(raw, smoothed);
    let text = desk.text();
    let row = text.lines().find(|line| line.contains("1 loss")).expect("the panel");
    for said in [format!("train {raw}"), format!("smoothed {smoothed}"), "valid 0.".into()] {
        assert!(row.contains(&said), "{said} in {row}");
    }
}

#[test]
fn a_single_evaluation_is_seen() {
    let mut desk = Desk::training(LARGE, "dark", 101);
    desk.press("5 m");
    let text = desk.text();
    assert_eq!(text.matches('◆').count(), 1, "{text}");
}

#[test]
fn settings_say_how_many_train_and_not_the_nought_that_stands_for_it() {
    let desk = Desk::training(LARGE, "dark", 20);
    let text = desk.text();
    let line = text.lines().find(|line| line.contains("│trainable")).expect("the setting");
    assert!(line.contains("│trainable          227178"), "{line}");
}

#[test]
fn loading() {
    let mut desk = Desk::new(COMMON, "dark");
    desk.tell(Event::Loading { what: "reading the training rows".into(), fraction: Some(0.2) });
    desk.tell(Event::Loading { what: "reading the training rows".into(), fraction: Some(1.0) });
    desk.tell(Event::Loading { what: "reading model.safetensors\x1b[2J".into(), fraction: Some(0.62) });
    desk.pass(3.0);
    assert_frame!(desk);
}

#[test]
fn before_the_first_step() {
    let mut desk = Desk::new(COMMON, "dark");
    desk.load();
    assert_frame!(desk);
}

#[test]
fn the_first_steps() {
    assert_frame!(Desk::training(COMMON, "dark", 7));
}

#[test]
fn help_common() {
    let mut desk = Desk::training(COMMON, "dark", 20);
    desk.press("?");
    assert_frame!(desk);
}

#[test]
fn help_huge() {
    let mut desk = Desk::training(HUGE, "dark", 20);
    desk.press("?");
    assert_frame!(desk);
}

#[test]
fn quit_asks() {
    let mut desk = Desk::training(COMMON, "dark", 120);
    desk.press("q");
    assert_frame!(desk);
    desk.press("Esc");
    assert!(desk.state.layers.is_empty() && desk.sent().is_empty());
}

#[test]
fn a_pending_sparsity_shows_what_it_would_do() {
    let mut desk = Desk::training(COMMON, "dark", 150);
    desk.press("]");
    assert_eq!(
        desk.effects,
        [Effect::Send(Command::Preview { id: 1, field: "method.sparsity".into(), value: Value::Float(0.995) })]
    );
    desk.foresee(Ok(consequences()));
    assert_frame!(desk);
}

#[test]
fn a_pending_sparsity_on_a_small_screen() {
    let mut desk = Desk::training(SMALL, "dark", 150);
    desk.press("2 ]");
    desk.foresee(Ok(consequences()));
    assert_frame!(desk);
}

#[test]
fn a_groups_density_is_typed_in_place() {
    let mut desk = Desk::training(LARGE, "dark", 150);
    desk.press("2 Down Down Down Enter 0.02");
    desk.foresee(Ok(consequences()));
    assert_frame!(desk);
    desk.press("Enter");
    let set = Command::Set { id: 5, field: "method.density.value".into(), value: Value::Float(0.02) };
    assert_eq!(desk.sent().last(), Some(&set));
}

#[test]
fn a_setting_that_is_no_value_is_refused_before_it_is_sent() {
    let mut desk = Desk::training(COMMON, "dark", 150);
    desk.press("3 Down Down Down Down Enter fast");
    desk.effects.clear();
    desk.press("Enter");
    assert!(desk.sent().is_empty());
    assert_frame!(desk);
    desk.press("Esc");
    assert!(desk.state.edit.is_none());
}

#[test]
fn nothing_is_applied_before_the_engine_says_so() {
    let mut desk = Desk::training(COMMON, "dark", 150);
    desk.press("]");
    desk.foresee(Ok(consequences()));
    desk.press("Enter");
    desk.tell(Event::CommandStatus { id: desk.last_id(), status: CommandStatus::Queued });
    assert_eq!(desk.state.settings["method.sparsity"], Value::Float(0.99));
    assert_frame!(desk);
    desk.obey("method.sparsity", 0.99, 0.995);
    assert_eq!(desk.state.settings["method.sparsity"], Value::Float(0.995));
    assert!(desk.state.requests.is_empty());
    insta::assert_snapshot!("applied", desk.text());
}

#[test]
fn a_refusal_says_why() {
    let mut desk = Desk::training(COMMON, "dark", 150);
    desk.press("= Enter");
    let why = "optimizer.learning_rate takes a number from 0 to 10".into();
    desk.tell(Event::CommandStatus { id: desk.last_id(), status: CommandStatus::Rejected { why } });
    assert_eq!(desk.state.settings["optimizer.learning_rate"], Value::Float(5e-4));
    assert_frame!(desk);
}

#[test]
fn undo_takes_changes_back_one_by_one() {
    let mut desk = Desk::training(COMMON, "dark", 150);
    desk.press("] Enter");
    desk.obey("method.sparsity", 0.99, 0.995);
    desk.press("] Enter");
    desk.obey("method.sparsity", 0.995, 0.998);
    for (from, to) in [(0.998, 0.995), (0.995, 0.99)] {
        desk.sent();
        desk.press("u");
        let sent = desk.sent();
        assert!(
            matches!(&sent[..], [Command::Set { field, value, .. }] if field == "method.sparsity" && *value == Value::Float(to)),
            "{sent:?}"
        );
        desk.obey("method.sparsity", from, to);
    }
    desk.press("u");
    assert!(desk.sent().is_empty());
}

#[test]
fn what_was_taken_back_comes_back_until_something_else_is_changed() {
    let mut desk = Desk::training(COMMON, "dark", 150);
    let asked = |desk: &mut Desk, keys: &str, from: f64, to: f64| {
        desk.sent();
        desk.press(keys);
        let sent = desk.sent();
        let is_asked = |command: &Command| matches!(command, Command::Set { value, .. } if *value == Value::Float(to));
        assert!(sent.iter().any(is_asked), "{keys}: {sent:?}");
        desk.obey("method.sparsity", from, to);
    };
    asked(&mut desk, "] Enter", 0.99, 0.995);
    asked(&mut desk, "u", 0.995, 0.99);
    assert!(desk.text().contains("taken back; Ctrl-Y brings it back"), "{}", desk.text());
    asked(&mut desk, "Ctrl-Y", 0.99, 0.995);
    asked(&mut desk, "u", 0.995, 0.99);
    asked(&mut desk, "] Enter", 0.99, 0.995);
    desk.press("Ctrl-Y");
    assert!(desk.sent().iter().all(|command| !matches!(command, Command::Set { .. })));
    assert!(desk.text().contains("there is nothing to redo"), "{}", desk.text());

    desk.press("U");
    let step = desk.state.step() - 20;
    desk.rewind(step, 1);
    let id = desk.last_id();
    desk.tell(Event::CommandStatus { id, status: CommandStatus::Applied { step } });
    desk.sent();
    desk.press("Ctrl-Y");
    assert!(matches!(desk.sent()[..], [Command::SwitchBranch { branch: 0, .. }]));
}

#[test]
fn more_steps_are_told_to_the_header_and_no_key_takes_them_back() {
    let mut desk = Desk::training(COMMON, "dark", 150);
    let total = desk.state.ready.as_ref().unwrap().total_steps;
    desk.tell(Event::TotalSteps { total_steps: total + 77 });
    assert!(desk.text().contains(&format!("/{}", total + 77)), "{}", desk.text());
    desk.press("] Enter");
    desk.obey("method.sparsity", 0.99, 0.995);
    let (step, from, to) = (desk.state.step(), Value::Float(1.0), Value::Float(2.0));
    let field = "train.epochs".into();
    desk.tell(Event::Intervention(Intervention { step, field, from, to, id: 1 << 40, time: 1.7e9 }));
    desk.sent();
    desk.press("u");
    assert!(matches!(&desk.sent()[..], [Command::Set { field, .. }] if field == "method.sparsity"));
}

#[test]
fn a_run_that_goes_on_counts_the_time_that_it_had_trained() {
    let mut desk = Desk::new(COMMON, "dark");
    desk.load();
    let ready = Ready { seconds: 3600.0, ..ready() };
    desk.tell(Event::Ready(Box::new(ready)));
    desk.pass(5.0);
    assert!(desk.text().contains("elapsed 1:00:05"), "{}", desk.text());
}

#[test]
fn the_ladder_ends_at_the_bounds() {
    let mut desk = Desk::training(COMMON, "dark", 10);
    desk.press("]]]]]]]]]]]]");
    let last = desk.sent().pop();
    assert!(
        matches!(last, Some(Command::Preview { value: Value::Float(highest), .. }) if (0.9997..0.999_796_6).contains(&highest))
    );
}

#[test]
fn a_choice_is_turned_and_applied() {
    let mut desk = Desk::training(COMMON, "dark", 10);
    desk.press("3 Down Down Down Enter Enter");
    let set = desk.sent().pop();
    assert!(
        matches!(set, Some(Command::Set { field, value: Value::String(word), .. }) if field == "method.on_shrink" && word == "revert")
    );
}

#[test]
fn loss_that_is_no_number_is_a_gap() {
    let mut desk = Desk::training(COMMON, "dark", 80);
    for number in 81..=95 {
        desk.tell(Event::Step(Step { loss: f64::NAN, ..step(number) }));
    }
    desk.train(40);
    assert_frame!(desk);
}

#[test]
fn one_spike_does_not_flatten_the_curve() {
    let mut desk = Desk::training(COMMON, "dark", 200);
    desk.tell(Event::Step(Step { loss: 4000.0, ..step(201) }));
    desk.train(60);
    assert_frame!(desk);
}

#[test]
fn zoomed_panned_and_logarithmic() {
    let mut desk = Desk::training(COMMON, "dark", 400);
    desk.press("zz Left y");
    let before = desk.text();
    insta::assert_snapshot!(before.clone());
    let title = |text: &str| text.lines().find(|line| line.contains("fixed")).map(str::len);
    desk.train(5);
    assert_eq!(title(&desk.text()), title(&before));
}

#[test]
fn paused() {
    let mut desk = Desk::training(COMMON, "dark", 120);
    desk.press("Space");
    assert_eq!(desk.sent().last(), Some(&Command::Pause));
    desk.tell(Event::Paused { step: 120 });
    desk.pass(20.0);
    assert_frame!(desk);
    desk.press("Space");
    assert_eq!(desk.sent().last(), Some(&Command::Resume));
}

#[test]
fn header_and_log_go_by_one_clock_which_a_pause_stops() {
    let mut desk = Desk::training(LARGE, "dark", 120);
    let elapsed = |desk: &mut Desk| {
        let text = desk.text();
        let at = text.find("elapsed ").expect("the header says it") + "elapsed ".len();
        text[at..].split_whitespace().next().unwrap_or_default().to_owned()
    };
    desk.tell(Event::Paused { step: 120 });
    let before = elapsed(&mut desk);
    desk.pass(600.0);
    desk.tell(Event::Resumed { step: 120, stood: 600.0 });
    assert_eq!(elapsed(&mut desk), before);
    let line = desk.text().lines().find(|line| line.contains("goes on after step 120")).map(str::to_owned);
    let line = line.expect("the log says it");
    assert!(line.contains(&before), "{line}\n{before}");
}

#[test]
fn evaluating() {
    let mut desk = Desk::training(LARGE, "dark", 230);
    desk.press("e");
    assert!(matches!(desk.sent().last(), Some(Command::Evaluate { .. })));
    desk.tell(Event::Evaluating { done: 120, of: 300 });
    assert_frame!(desk);
}

#[test]
fn finished_common() {
    let mut desk = Desk::training(COMMON, "dark", 1000);
    desk.tell(Event::Finished(Box::new(summary(Ending::Completed))));
    desk.pass(30.0);
    assert_frame!(desk);
    desk.press("q");
    assert!(matches!(desk.effects.last(), Some(Effect::Quit(Outcome::Finished(_)))));
}

#[test]
fn finished_small() {
    let mut desk = Desk::training(SMALL, "monochrome", 1000);
    desk.tell(Event::Finished(Box::new(summary(Ending::Stopped))));
    assert_frame!(desk);
}

#[test]
fn a_fault_stays_on_the_screen_with_the_curves() {
    let mut desk = Desk::training(COMMON, "dark", 300);
    let message =
        "the engine's thread panicked at step 300: index out of bounds\nsee /home/ada/runs/support-tickets/log.txt";
    desk.tell(Event::Fault { message: message.into(), refused: false });
    assert_frame!(desk);
    desk.press("q");
    assert!(matches!(desk.effects.last(), Some(Effect::Quit(Outcome::Faulted { refused: false, .. }))));
}

#[test]
fn refused_while_loading() {
    let mut desk = Desk::new(COMMON, "dark");
    desk.tell(Event::Loading { what: "reading the training rows".into(), fraction: None });
    let message = "train.jsonl, line 17: the label \"biling\" is not in task.labels; add it there or fix the row";
    desk.tell(Event::Fault { message: message.into(), refused: true });
    assert_frame!(desk);
}

#[test]
fn the_panels_of_a_small_screen_take_turns() {
    let mut desk = steered(SMALL, "dark");
    for (panel, name) in [("3", "settings"), ("4", "memory"), ("5", "validation"), ("6", "log")] {
        desk.press(panel);
        insta::assert_snapshot!(format!("small_{name}"), desk.text());
    }
}

#[test]
fn a_maximised_panel() {
    let mut desk = steered(COMMON, "dark");
    desk.press("6 m");
    assert_frame!(desk);
    desk.press("Esc");
    assert!(!desk.state.maximised);
}

#[test]
fn interrupts_ask_then_stop_then_abort() {
    let mut desk = Desk::training(COMMON, "dark", 10);
    desk.press("Ctrl-C");
    assert!(desk.sent().is_empty());
    desk.press("Ctrl-C");
    assert_eq!(desk.sent(), [Command::Stop]);
    desk.press("Ctrl-C");
    assert_eq!(desk.sent(), [Command::Abort]);
    desk.tell(Event::Finished(Box::new(summary(Ending::Aborted))));
    assert!(matches!(desk.effects.last(), Some(Effect::Quit(Outcome::Finished(_)))));
}

#[test]
fn stopping_from_the_cockpit_leaves_the_summary_on_the_screen() {
    let mut desk = Desk::training(COMMON, "dark", 10);
    desk.press("s Enter");
    assert_eq!(desk.sent(), [Command::Stop]);
    desk.tell(Event::Finished(Box::new(summary(Ending::Stopped))));
    assert!(desk.effects.is_empty());
}

#[test]
fn themes_change_live_and_monochrome_has_no_colour() {
    let mut desk = Desk::training(COMMON, "dark", 60);
    desk.press("T T T T");
    assert_eq!(desk.state.env.look.theme().name, "monochrome");
    let frame = desk.frame();
    assert!(frame.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert!(frame.content().iter().any(|cell| cell.modifier.contains(Modifier::BOLD)));
}

#[test]
fn the_mouse_focuses_zooms_scrolls_and_drags() {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    use spartui_interface::keys::Panel;
    use spartui_interface::widgets::chart::Range;
    let mouse = |desk: &mut Desk, kind, column, row| {
        desk.input(Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    };
    let (down, drag, up) = (
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Drag(MouseButton::Left),
        MouseEventKind::Up(MouseButton::Left),
    );
    let mut desk = Desk::training(COMMON, "dark", 400);
    mouse(&mut desk, down, 60, 6);
    assert_eq!((desk.state.focus, desk.state.setting_row), (Panel::Settings, 2));
    mouse(&mut desk, MouseEventKind::ScrollDown, 60, 6);
    assert_eq!(desk.state.setting_row, 3);
    for _ in 0..2 {
        mouse(&mut desk, MouseEventKind::ScrollUp, 25, 8);
    }
    let start = |desk: &Desk| match desk.state.view.range {
        Range::Fixed { start, steps } => (start, steps),
        range => panic!("{range:?}"),
    };
    let before = start(&desk);
    mouse(&mut desk, drag, 30, 8);
    assert_eq!(start(&desk), before, "nothing is dragged that was not taken");
    mouse(&mut desk, down, 25, 8);
    mouse(&mut desk, drag, 30, 9);
    mouse(&mut desk, drag, 35, 9);
    let after = start(&desk);
    assert_eq!(after.1, before.1);
    let cells = (before.0 - after.0) / before.1 * 39.0;
    assert!((cells - 10.0).abs() < 0.5, "dragged by ten cells, moved by {cells}");
    mouse(&mut desk, up, 35, 9);
    mouse(&mut desk, drag, 50, 9);
    assert_eq!((desk.state.focus, start(&desk)), (Panel::Loss, after));
    desk.press("?");
    mouse(&mut desk, MouseEventKind::ScrollDown, 5, 5);
    assert!(desk.text().contains("↓"), "the help scrolls");
    desk.press("Esc t");
    mouse(&mut desk, MouseEventKind::ScrollDown, 5, 5);
    assert_eq!(desk.state.env.look.theme().name, "light");
}

#[test]
fn a_theme_is_seen_before_it_is_kept() {
    let mut desk = Desk::training(COMMON, "dark", 60);
    let shown = |desk: &Desk| desk.state.env.look.theme().name.clone();
    desk.press("t Down");
    assert_eq!(shown(&desk), "light");
    assert_frame!(desk);
    desk.press("Esc");
    assert_eq!((shown(&desk), desk.state.env.overlay.is_none()), ("dark".into(), true));
    desk.press("t Up Enter");
    assert_eq!((shown(&desk), desk.state.env.overlay.is_none()), ("phosphor".into(), true));
}

#[test]
fn the_palette_finds_what_can_be_done() {
    let mut desk = Desk::training(COMMON, "dark", 60);
    desk.press(":");
    assert_frame!(desk);
    desk.press("rate");
    insta::assert_snapshot!("the_palette_after_four_letters", desk.text());
    desk.press("Backspace Backspace Backspace Backspace ev Enter");
    assert_eq!(desk.sent(), [Command::Evaluate { id: 1 }]);
    assert!(desk.state.env.overlay.is_none());
    desk.press(": the ember Enter");
    assert_eq!(desk.state.env.look.theme().name, "ember");
    desk.press(": zzz Enter Esc");
    assert!(desk.state.env.overlay.is_none());
}

#[test]
fn what_lies_over_the_cockpit_on_larger_screens() {
    for (size, name, theme) in [(LARGE, "large", "tide"), (HUGE, "huge", "high-contrast")] {
        let mut desk = steered(size, theme);
        desk.press(": ra");
        insta::assert_snapshot!(format!("the_palette_{name}"), desk.text());
        desk.press("Esc t");
        insta::assert_snapshot!(format!("the_themes_{name}"), desk.text());
    }
}

#[test]
fn the_palette_sets_a_field_and_shows_what_it_would_do() {
    let mut desk = Desk::training(LARGE, "dark", 60);
    desk.press(": set Space rate Enter");
    let typed = desk.text();
    assert!(typed.contains("set optimizer.learning_rate ▏"), "{typed}");
    desk.press("2e-4");
    assert_frame!(desk);
    desk.press("Enter");
    let value = Value::Float(2e-4);
    let preview = Command::Preview { id: 1, field: "optimizer.learning_rate".into(), value: value.clone() };
    assert_eq!(desk.sent(), [preview]);
    desk.press("Enter");
    assert_eq!(desk.sent(), [Command::Set { id: 2, field: "optimizer.learning_rate".into(), value }]);
    desk.press(": set Space rate Space fast Enter");
    assert!(desk.state.edit.as_ref().is_some_and(|edit| edit.value.is_err()));
}

#[test]
fn the_palette_goes_where_an_action_is_at_home() {
    let mut desk = Desk::training(COMMON, "dark", 60);
    desk.press("3 : rewind Enter");
    assert!(desk.sent().is_empty() && desk.state.cursor.is_some(), "a rewind deserves a look at the cursor");
    desk.press(": abort Enter");
    assert!(desk.sent().is_empty() && desk.state.layers.last() == Some(&spartui_interface::cockpit::Dialog::Quit));
    desk.press("Esc 3 : zoom-in Enter");
    assert_eq!(desk.state.focus, spartui_interface::keys::Panel::Loss);
}

#[test]
fn a_users_keys_are_shown_wherever_keys_are() {
    use spartui_interface::keys::Keymap;
    let mut desk = Desk::training(COMMON, "dark", 60);
    let keys = "[screen]\nhelp = 'H'\n[cockpit]\npause = ['P']\nquit = ['Q']\n[quit]\nclose = ['x']\nstop-now = 'S'";
    desk.state.env.look.keys = Keymap::read(keys).unwrap();
    desk.press("P");
    assert_eq!(desk.sent(), [Command::Pause]);
    desk.press("Space q ?");
    assert!(desk.sent().is_empty() && desk.state.layers.is_empty() && desk.state.env.overlay.is_none());
    desk.tell(Event::Paused { step: 60 });
    desk.press("Esc");
    let footer = desk.text();
    assert!(footer.contains("H help") && footer.contains("Q quit") && footer.contains("P resume"), "{footer}");
    desk.press("Q");
    let question = desk.text();
    assert!(question.contains("x      stay") && question.contains("S      stop"), "{question}");
    desk.press("x H");
    let help = desk.text();
    assert!(help.contains("P ") && help.contains("pause and resume"), "{help}");
}

#[test]
fn in_ascii() {
    for size in [SMALL, COMMON, LARGE, HUGE] {
        let mut desk = steered(size, "dark");
        desk.state.env.look = desk.state.env.look.clone().in_ascii(true);
        assert!(desk.text().is_ascii(), "{}", desk.text());
        for keys in ["?", "Esc :", "Esc t", "Esc b", "Esc v", "Esc q", "Esc c Left ]"] {
            desk.press(keys);
            assert!(desk.text().is_ascii(), "{}", desk.text());
        }
    }
    let mut desk = steered(LARGE, "dark");
    desk.state.env.look = desk.state.env.look.clone().in_ascii(true);
    assert_frame!(desk);
    desk.press("?");
    insta::assert_snapshot!("in_ascii_the_help", desk.text());
}

#[test]
fn styles_of_the_common_screen() {
    let mut desk = Desk::training(SMALL, "dark", 60);
    desk.press("]");
    desk.foresee(Ok(consequences()));
    insta::assert_debug_snapshot!(desk.frame());
}

#[test]
fn ctrl_l_draws_anew() {
    let mut desk = Desk::training(COMMON, "dark", 2);
    desk.press("Ctrl-L");
    assert_eq!(desk.effects, [Effect::Redraw]);
    desk.input(Input::Resize(0, 0));
    assert_eq!(desk.text(), "");
}

#[test]
fn who_watches_is_told_so_and_changes_nothing() {
    let mut desk = Desk::training(COMMON, "dark", 150);
    desk.among(1, &["pts/0", "pts/3"], Some(0));
    desk.press("] u e x s n U");
    assert!(desk.sent().is_empty() && desk.state.layers.is_empty());
    assert_frame!(desk);
    desk.press("w");
    assert_eq!(desk.effects, [Effect::TakeOver]);
    desk.effects.clear();
    desk.press("q");
    assert_eq!(desk.effects, [Effect::Quit(Outcome::Left)]);
}

#[test]
fn who_steers_sees_that_others_watch_and_loses_what_is_pending_with_the_wheel() {
    let mut desk = Desk::training(LARGE, "dark", 150);
    desk.among(0, &["pts/0", "pts/3", "evil\x1b[2J"], Some(0));
    desk.press("]");
    assert_frame!(desk);
    desk.among(0, &["pts/0", "pts/3", "evil\x1b[2J"], Some(2));
    assert!(desk.state.edit.is_none());
    insta::assert_snapshot!("taken_over", desk.text());
}

#[test]
fn a_run_is_left_without_a_question() {
    let mut desk = Desk::new(COMMON, "dark");
    desk.press("d");
    assert!(desk.effects.is_empty(), "there is nothing to come back to yet");
    desk.load();
    desk.press("d");
    assert_eq!(desk.effects, [Effect::Quit(Outcome::Left)]);
}

#[test]
fn a_lost_connection_keeps_the_curves_and_can_be_made_again() {
    let mut desk = Desk::training(COMMON, "dark", 150);
    let why = "the connection to the run broke".into();
    desk.input(Input::ServerMessage(Box::new(ServerMessage::Lost { why, alive: true })));
    assert_frame!(desk);
    desk.press("] r");
    assert_eq!(desk.effects, [Effect::Quit(Outcome::Reconnect)]);
}

fn rewound(size: (u16, u16)) -> Desk {
    let mut desk = Desk::training(size, "dark", 260);
    desk.press("] Enter");
    desk.obey("method.sparsity", 0.99, 0.995);
    desk.train(80);
    desk.rewind(180, 1);
    desk.train(230);
    desk.effects.clear();
    desk
}

#[test]
fn what_a_rewind_left_behind_is_dim() {
    assert_frame!(rewound(COMMON));
    insta::assert_snapshot!("rewound_large", rewound(LARGE).text());
}

#[test]
fn a_rewind_forgets_what_it_left_behind_and_going_back_finds_it() {
    let mut desk = rewound(COMMON);
    let points = |desk: &Desk| desk.state.history.loss.raw().points().map(|point| point.0).collect::<Vec<_>>();
    assert!(points(&desk).into_iter().eq(1..=410));
    assert!(desk.state.history.interventions.is_empty() && desk.state.undo.is_empty());
    let evaluated = desk.state.history.evaluations.iter().map(|one| (one.step, one.branch));
    assert_eq!(evaluated.collect::<Vec<_>>(), [(100, 0), (200, 1), (300, 1), (400, 1)]);
    desk.rewind(340, 0);
    assert!(points(&desk).into_iter().eq(1..=340));
    assert_eq!((desk.state.step(), desk.state.history.interventions.len()), (340, 1));
}

#[test]
fn the_cursor_stands_on_samples_and_compares() {
    let mut desk = Desk::training(COMMON, "dark", 400);
    desk.press("c Left Left a Left Left Left Left Left Left Left Left");
    assert_frame!(desk);
    let cursor = desk.state.cursor.unwrap();
    desk.press("r");
    assert_eq!(desk.sent(), [Command::Rewind { id: 1, step: cursor.step }]);
    desk.press("<");
    let lowest = desk.state.cursor.unwrap().step;
    let loss = &desk.state.history.loss;
    let least = loss.raw().points().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert_eq!(lowest, least.0);
    desk.press("Esc");
    assert_eq!(desk.state.cursor, None);
}

#[test]
fn the_cursor_on_a_large_screen() {
    let mut desk = steered(LARGE, "dark");
    desk.press("c Left Left Left Left Left Left Left Left Left Left");
    assert_frame!(desk);
}

#[test]
fn branches_and_kept_states() {
    let mut desk = rewound(COMMON);
    desk.tell(Event::Snapshots { snapshots: [kept(0, 340), kept(1, 400)].concat() });
    desk.press("b");
    assert_frame!(desk);
    desk.press("Up Enter");
    assert!(matches!(desk.sent()[..], [Command::SwitchBranch { branch: 0, .. }]));
    desk.press("b p Down p Down Down Enter");
    let sent = desk.sent();
    assert!(matches!(sent[..], [Command::Pin { branch: 1, step: 400, pinned: true, .. }]), "{sent:?}");
    insta::assert_snapshot!("a_state_of_another_branch", desk.text());
    let mut desk = rewound(LARGE);
    desk.tell(Event::Snapshots { snapshots: kept(1, 400) });
    desk.press("b Down Down Enter");
    assert!(matches!(desk.sent()[..], [Command::Rewind { step: 300, .. }]));
    assert!(desk.state.layers.is_empty());
    desk.tell(Event::Recomputing { done: 3, of: 20 });
    desk.press("b");
    insta::assert_snapshot!("timeline_large", desk.text());
}

#[test]
fn the_last_change_as_if_it_had_never_been() {
    let mut desk = Desk::training(COMMON, "dark", 50);
    desk.press("U n");
    assert_eq!(desk.sent(), [Command::Undo { id: 1 }, Command::Snapshot { id: 2 }]);
}

#[test]
fn the_table_of_keys() {
    use spartui_interface::keys::{Binding, TABLE};
    let labels = |binding: &Binding| binding.keys.iter().map(|(press, _)| press.label(false)).collect::<Vec<_>>();
    let line = |binding: &Binding| format!("{:?}: {} = {}", binding.context, labels(binding).join(" "), binding.help);
    let table: Vec<String> = TABLE.iter().map(line).collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn another_metric_on_the_large_chart() {
    let mut desk = steered(LARGE, "dark");
    desk.press("o o o o c");
    assert_frame!(desk);
    desk.press("Esc O O O O");
    assert!(desk.text().contains("1 loss "));
}

#[test]
fn the_charts_of_a_small_screen_take_turns() {
    let mut desk = steered(COMMON, "dark");
    desk.press("7");
    assert_frame!(desk);
    desk.press("j");
    assert!(desk.text().contains("learning rate"));
    desk.press("o");
    assert!(desk.text().contains("tokens a second"), "{}", desk.text());
}

#[test]
fn the_inspector_lies_over_a_run_that_goes_on() {
    let mut desk = Desk::training(COMMON, "dark", 120);
    desk.press("i");
    assert!(desk.effects.iter().any(|effect| matches!(effect, Effect::Job(_))));
    assert!(desk.text().contains("curves") && !desk.text().contains("sparsity"), "{}", desk.text());
    desk.train(10);
    desk.press("Space ]");
    assert!(desk.sent().is_empty(), "its keys are not the cockpit's");
    desk.press("q");
    assert!(desk.text().contains("step 130/1000"), "{}", desk.text());
    desk.press("i Ctrl-C");
    assert!(desk.text().contains("How shall it end?"), "{}", desk.text());
}
