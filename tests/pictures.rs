//! Draws the README's picture from a frame of a real run: `make pictures`.

use std::path::Path;

use spartui::engine::{Engine, Launch};
use spartui::interface::svg::{Ground, svg};
use spartui::interface::theme::{Depth, Themes};
use spartui::interface::{Input, Look, State, draw_into, update};
use spartui::protocol::{Command, Event};
use spartui::recipe::{Recipe, Value};

#[test]
#[ignore = "trains the demo for a minute; `make pictures` runs it"]
fn cockpit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut recipe = Recipe::load(&root.join("examples/support/recipe.toml"), &[]).unwrap();
    recipe.model.path = root.join("models/all-MiniLM-L6-v2");
    let runs = tempfile::tempdir().unwrap();
    let engine = Engine::start(Launch { recipe, runs: runs.path().join("runs"), name: Some("demo".into()) });
    let mut state = State::new(Look::new(Themes::load(None, Depth::True), Some("dark")), (120, 40));
    for event in &engine.events {
        let step = if let Event::Step(step) = &event { step.step } else { 0 };
        let set = |field: &str, value: f64| Command::Set { id: step, field: field.into(), value: Value::Float(value) };
        match step {
            110 => engine.commands.send(set("method.sparsity", 0.995)).unwrap(),
            150 => engine.commands.send(set("optimizer.learning_rate", 1e-3)).unwrap(),
            _ => {}
        }
        update(&mut state, Input::Engine(Box::new(event)));
        if step == 215 {
            break;
        }
    }
    engine.commands.send(Command::Abort).unwrap();
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 120, 40));
    draw_into(&mut buffer, &state);
    std::fs::create_dir_all(root.join("docs")).unwrap();
    std::fs::write(root.join("docs/cockpit.svg"), svg(&buffer, Ground::DARK)).unwrap();
    engine.join();
}
