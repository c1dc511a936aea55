//! What the inspector shows of folders of runs, frame by frame, and what it writes.

#[path = "support/inspector_desk.rs"]
mod inspector_desk;
#[path = "support/runs_folder.rs"]
mod runs_folder;

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use spartui_interface::{Input, Screen};

use inspector_desk::Desk;
use runs_folder::{run, step, steps, three};

macro_rules! assert_frame {
    ($name:expr, $desk:expr) => {
        insta::assert_snapshot!($name, $desk.text())
    };
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    folder
}

#[test]
fn styles_of_a_small_screen() {
    let folder = folder();
    insta::assert_debug_snapshot!("inspector_styles", Desk::new(folder.path(), &["faster"], (64, 20), "dark").frame());
}

#[test]
fn a_cursor_stands_on_samples_and_compares() {
    let folder = folder();
    let mut desk = Desk::new(folder.path(), &["support-tickets", "faster"], (120, 40), "dark");
    desk.press("g 150 Enter");
    assert!(desk.text().contains("step 150 ·"), "{}", desk.text());
    desk.press("a Right Right <");
    assert_frame!("inspector_two_cursors", desk);
    desk.press("b");
    let text = desk.text();
    assert!(text.contains("fixed"), "{text}");
    desk.press("Esc");
    assert!(!desk.text().contains("against"));
    desk.press("Esc");
    assert!(desk.left);
}

#[test]
fn jumps_find_the_lowest_and_the_highest() {
    let runs = tempfile::tempdir().unwrap();
    let metrics = steps(1, 200, 0, 0.3)
        .replace(&step(77, 0, 0.3), &step(77, 0, -3.0))
        .replace(&step(120, 0, 0.3), &step(120, 0, 40.0));
    run(runs.path(), "a", 1, &[], &metrics, "");
    let mut desk = Desk::new(runs.path(), &["a"], (100, 30), "dark");
    desk.press("<");
    assert!(desk.text().contains(" step 77 ·"), "{}", desk.text());
    desk.press(">");
    assert!(desk.text().contains(" step 120 ·"), "{}", desk.text());
    desk.press("Home");
    assert!(desk.text().contains(" step 1 ·"), "{}", desk.text());
    desk.press("End");
    assert!(desk.text().contains(" step 200 ·"), "{}", desk.text());
    desk.press("g x999 Enter");
    assert!(desk.text().contains(" step 200 ·"), "{}", desk.text());
}

#[test]
fn the_axis_counts_steps_epochs_tokens_and_time() {
    let folder = folder();
    let mut desk = Desk::new(folder.path(), &["faster"], (100, 30), "dark");
    desk.press("m g 250 Enter x");
    let text = desk.text();
    assert!(text.contains("over epoch") && text.contains("epoch 1.000 ·") && text.contains("at step 250"), "{text}");
    desk.press("x");
    let text = desk.text();
    assert!(text.contains("over tokens") && text.contains("152k tokens") && text.contains("at step 250"), "{text}");
    desk.press("x");
    let text = desk.text();
    assert!(text.contains("over time") && text.contains("after 11s") && text.contains("at step 250"), "{text}");
    desk.press("X y");
    assert_frame!("inspector_logarithmic_time", desk);
    desk.press("X x");
    assert!(desk.text().contains("over step"));
}

#[test]
fn how_runs_differ_is_told() {
    let folder = folder();
    let mut desk = Desk::new(folder.path(), &[], (100, 30), "dark");
    desk.press("d");
    assert_frame!("inspector_differences", desk);
    desk.press("Esc");
    assert!(!desk.left);
}

#[test]
fn runs_are_filtered_hidden_pinned_and_shown_alone() {
    let folder = folder();
    let mut desk = Desk::new(folder.path(), &[], (100, 30), "dark");
    assert!(desk.text().contains("3 of 3 runs"));
    desk.press("/fast Enter");
    let text = desk.text();
    assert!(text.contains("runs: fast") && text.contains("● faster") && !text.contains("support"), "{text}");
    desk.press("p");
    assert!(desk.text().contains("◆ faster"));
    desk.press("/ Esc Down Enter");
    assert!(desk.text().contains("2 of 3 runs"), "{}", desk.text());
    desk.press("Space");
    assert!(desk.text().contains("1 of 3 runs"), "{}", desk.text());
    desk.press("a");
    assert!(desk.text().contains("3 of 3 runs"));
    desk.press("a");
    assert!(desk.text().contains("1 of 3 runs"));
    // Without a pin the selected run stays; and a run that began since is found.
    run(folder.path(), "new", 99, &[], &steps(1, 9, 0, 0.2), "");
    desk.press("Up Up Up Up p a a");
    assert!(desk.text().contains("1 of 3 runs"), "{}", desk.text());
    desk.press("Tab Tab Tab");
    assert!(desk.text().contains("1 of 4 runs") && desk.text().contains("○ new"), "{}", desk.text());
    desk.press("Tab Space Down Down Down Down Down Enter");
    let text = desk.text();
    assert!(text.contains("╭ learning rate ") && !text.contains("╭ loss "), "{text}");
}

#[test]
fn a_run_that_trains_grows() {
    let folder = tempfile::tempdir().unwrap();
    let a = run(folder.path(), "a", 1, &[], &steps(1, 50, 0, 0.3), "");
    // This process holds the run, as one that trains it does.
    std::fs::write(a.join("status.json"), "{\"state\":\"running\",\"pid\":1,\"started\":1.7e9}").unwrap();
    let lock = std::fs::File::options().create(true).truncate(false).write(true).open(a.join(".lock")).unwrap();
    lock.lock().unwrap();
    let mut desk = Desk::new(folder.path(), &["a"], (100, 30), "dark");
    assert!(desk.inspector.animated());
    desk.press("c");
    assert!(desk.text().contains(" step 50 ·"));
    desk.press("c");
    std::fs::write(a.join("metrics.jsonl"), steps(1, 80, 0, 0.3)).unwrap();
    desk.input(Input::Tick(Duration::from_secs(2)));
    desk.press("c");
    assert!(desk.text().contains(" step 80 ·"), "{}", desk.text());
    // As a resumed run does it: back to a checkpoint, then on.
    std::fs::write(a.join("metrics.jsonl"), steps(1, 60, 0, 0.3)).unwrap();
    std::fs::write(
        a.join("journal.jsonl"),
        "{\"step\":60,\"kind\":\"rewind\",\"to\":40,\"branch\":1,\"id\":2,\"time\":1.7e9}\n",
    )
    .unwrap();
    desk.input(Input::Tick(Duration::from_secs(4)));
    desk.press("c c");
    assert!(desk.text().contains(" step 60 ·"), "{}", desk.text());
    std::fs::write(a.join("metrics.jsonl"), steps(1, 60, 0, 0.3) + &steps(41, 55, 1, 0.2)).unwrap();
    desk.input(Input::Tick(Duration::from_secs(6)));
    assert!(desk.text().contains("branch 1 from 40"), "{}", desk.text());
    drop(lock);
}

#[test]
fn a_view_is_written_as_rows_pictures_and_text_and_nothing_is_overwritten() {
    let (folder, out) = (folder(), tempfile::tempdir().unwrap());
    let mut desk = Desk::new(folder.path(), &["support-tickets", "faster"], (120, 40), "dark");
    desk.press("z");
    let csv = desk.write("ec", out.path());
    assert_eq!(csv.file_name().unwrap(), "curves-1.csv");
    let text = std::fs::read_to_string(&csv).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "run,branch,step,epoch,tokens,time,loss,loss_smoothed_0.9,eval_loss,accuracy,grad_norm,grad_norm_smoothed_0.9"
    );
    // The newest half of 400 steps: of the first branch 201 to 300, of the second all, of the other run 201 to 350.
    assert_eq!(lines.len(), 1 + 100 + 200 + 150, "{}", lines.len());
    let row = lines.iter().find(|line| line.starts_with("support-tickets,1,300,")).unwrap();
    let cells: Vec<&str> = row.split(',').collect();
    let loss: f64 = step(300, 1, 0.25).split("\"loss\":").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!((cells[6].parse::<f64>().unwrap() - loss).abs() < 1e-6, "{row}");
    assert!(!cells[8].is_empty() && cells[3] == "1.2", "{row}");
    assert_eq!(desk.write("ec", out.path()).file_name().unwrap(), "curves-2.csv");

    let svg = std::fs::read_to_string(desk.write("es", out.path())).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.matches("<polyline").count() > 20);
    for said in
        ["loss over step, smoothed by 0.9", "support-tickets, branch 1", "faster", "260 learning_rate 5e-4 → 2e-4"]
    {
        assert!(svg.contains(said), "{said}");
    }
    let place = folder.path().to_string_lossy();
    assert!(!svg.contains(&*place) && !text.contains(&*place), "a path of this machine is in a file");

    let png = std::fs::read(desk.write("ep", out.path())).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 10_000);

    let text = std::fs::read_to_string(desk.write("et", out.path())).unwrap();
    insta::assert_snapshot!("inspector_as_text", text);
}

#[test]
fn an_empty_folder_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::new(folder.path(), &[], (80, 24), "dark");
    assert_frame!("inspector_without_runs", desk);
    desk.press("c g 5 Enter < ec z d Esc e s");
    assert!(desk.text().contains("nothing to write"), "{}", desk.text());
    let mut desk = Desk::new(&folder.path().join("none"), &["gone"], (80, 24), "dark");
    desk.press("d");
    assert!(desk.text().contains("gone"));
}

fn input() -> impl Strategy<Value = Input> {
    let code = prop_oneof![
        12 => prop::sample::select("?q :tTzZcab<>gfxXyv,.rde/p ohjklmOs0123456789".chars().collect::<Vec<_>>())
            .prop_map(KeyCode::Char),
        6 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Left, KeyCode::Right, KeyCode::Up,
            KeyCode::Down, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home, KeyCode::End, KeyCode::Backspace,
        ]),
    ];
    let kind = prop::sample::select(vec![
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollUp,
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Drag(MouseButton::Left),
    ]);
    prop_oneof![
        12 => code.prop_map(|code| {
            Input::Key(KeyEvent::new_with_kind(code, KeyModifiers::NONE, KeyEventKind::Press))
        }),
        3 => (kind, 0u16..130, 0u16..45).prop_map(|(kind, column, row)| {
            Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
        }),
        1 => (0u16..210, 0u16..70).prop_map(|(columns, rows)| Input::Resize(columns, rows)),
        1 => (0u64..100).prop_map(|seconds| Input::Tick(Duration::from_secs(seconds))),
        1 => "\\PC{0,5}".prop_map(Input::Paste),
        1 => any::<bool>().prop_map(|light| Input::Background { light }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_comes_in_can_break_it(
        inputs in prop::collection::vec(input(), 1..60),
        drawn in (0u16..210, 0u16..70),
        bytes in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n')], 0..200),
        lines in prop::collection::vec((0u64..300, 0u32..3, prop_oneof![4 => -5.0..5.0f64, 1 => Just(1e300), 1 => Just(-1e-300)]), 0..120),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let metrics: String = lines.iter().map(|(number, branch, floor)| step(*number, *branch, *floor)).collect();
        run(folder.path(), "any", 1, &[], &metrics, "");
        run(folder.path(), "\u{202e}b\u{7}", 2, &[], "", "");
        std::fs::write(folder.path().join("\u{202e}b\u{7}/metrics.jsonl"), &bytes).unwrap();
        std::fs::write(folder.path().join("\u{202e}b\u{7}/journal.jsonl"), &bytes).unwrap();
        let mut desk = Desk::new(folder.path(), &[], (100, 30), "dark");
        for input in inputs {
            desk.input(input);
            // The size that is believed may lag behind what there is to draw on.
            let mut buffer = Buffer::empty(Rect::new(0, 0, drawn.0, drawn.1));
            desk.inspector.draw_into(&mut buffer);
            for cell in buffer.content() {
                prop_assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
            }
        }
    }
}
