//! A user at a keyboard and an engine that only pretends, for tests of the interface.

#![allow(dead_code, reason = "each test uses its part")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are made up, and small"
)]

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use spartui_facts::protocol::{
    Audience, Branch, Client, Command, CommandStatus, Consequences, Ending, Evaluation, Event, Gpu, Group, Holds, Host,
    Intervention, KeptState, Layer, Memory, ModelSummary, Place, Ready, ServerMessage, Sparsity, Step, Summary, Vitals,
};
use spartui_facts::recipe::Value;
use spartui_interface::theme::{Depth, Themes};
use spartui_interface::{Effect, Input, Look, Screen, State};

/// A screen with someone in front of it.
pub struct Desk {
    pub state: State,
    pub effects: Vec<Effect>,
    seconds: f64,
}

impl Desk {
    pub fn new(size: (u16, u16), theme: &str) -> Self {
        let state = State::new(Look::new(Themes::load(None, Depth::True), Some(theme)), size);
        Self { state, effects: Vec::new(), seconds: 0.0 }
    }

    /// A desk at which a run has taken so many steps.
    pub fn training(size: (u16, u16), theme: &str, steps: u64) -> Self {
        let mut desk = Self::new(size, theme);
        desk.load();
        desk.train(steps);
        desk
    }

    pub fn tell(&mut self, event: Event) {
        self.input(Input::Engine(Box::new(event)));
    }

    pub fn input(&mut self, input: Input) {
        self.effects.extend(self.state.update(input));
    }

    /// Presses keys, one after another, by their names in the table of keys.
    pub fn press(&mut self, keys: &str) {
        for key in keys.split(' ') {
            let (code, modifiers) = match key {
                "Enter" => (KeyCode::Enter, KeyModifiers::NONE),
                "Esc" => (KeyCode::Esc, KeyModifiers::NONE),
                "Tab" => (KeyCode::Tab, KeyModifiers::NONE),
                "Space" => (KeyCode::Char(' '), KeyModifiers::NONE),
                "Up" => (KeyCode::Up, KeyModifiers::NONE),
                "Down" => (KeyCode::Down, KeyModifiers::NONE),
                "Left" => (KeyCode::Left, KeyModifiers::NONE),
                "Right" => (KeyCode::Right, KeyModifiers::NONE),
                "Backspace" => (KeyCode::Backspace, KeyModifiers::NONE),
                "Ctrl-C" => (KeyCode::Char('c'), KeyModifiers::CONTROL),
                "Ctrl-L" => (KeyCode::Char('l'), KeyModifiers::CONTROL),
                "Ctrl-R" => (KeyCode::Char('r'), KeyModifiers::CONTROL),
                "Ctrl-Y" => (KeyCode::Char('y'), KeyModifiers::CONTROL),
                text => {
                    for c in text.chars() {
                        self.input(Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
                    }
                    continue;
                }
            };
            self.input(Input::Key(KeyEvent::new(code, modifiers)));
        }
    }

    /// What was sent to the engine since the last time.
    pub fn sent(&mut self) -> Vec<Command> {
        let sent = self.effects.iter().filter_map(|effect| match effect {
            Effect::Send(command) => Some(command.clone()),
            _ => None,
        });
        let sent = sent.collect();
        self.effects.clear();
        sent
    }

    /// The screen.
    pub fn frame(&self) -> Buffer {
        let mut terminal =
            Terminal::new(TestBackend::new(self.state.env.size.0, self.state.env.size.1)).expect("a terminal");
        terminal.draw(|frame| self.state.draw(frame)).expect("drawn");
        terminal.backend().buffer().clone()
    }

    /// The screen's text.
    pub fn text(&self) -> String {
        let frame = self.frame();
        let width = usize::from(frame.area.width.max(1));
        let lines = frame.content().chunks(width).map(|row| {
            let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
            line.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn pass(&mut self, seconds: f64) {
        self.seconds += seconds;
        self.input(Input::Tick(Duration::from_secs_f64(self.seconds)));
    }

    pub fn load(&mut self) {
        for what in ["reading the training rows", "reading model.safetensors", "choosing what trains"] {
            self.tell(Event::Loading { what: what.into(), fraction: Some(1.0) });
            self.pass(0.4);
        }
        for (field, value) in settings() {
            self.tell(Event::Setting { field: field.into(), value });
        }
        self.tell(Event::Ready(Box::new(ready())));
        self.tell(Event::Sparsity(sparsity(0, 0.99)));
        self.tell(Event::Memory(memory(0)));
    }

    pub fn train(&mut self, steps: u64) {
        let from = self.state.step();
        for number in from + 1..=from + steps {
            self.pass(0.048);
            let branch = self.state.history.tree.current;
            let loss = step(number).loss * 0.8f64.powi(branch.cast_signed());
            self.tell(Event::Step(Step { branch, loss, ..step(number) }));
            if number % 10 == 0 {
                self.tell(Event::Memory(memory(number)));
            }
            if number % 50 == 0 {
                let share = self.state.sparsity.as_ref().map_or(0.99, |sparsity| sparsity.sparsity);
                self.tell(Event::Sparsity(sparsity(number, share)));
            }
            if number % 100 == 0 {
                self.tell(Event::Evaluating { done: 150, of: 300 });
                self.pass(1.2);
                self.tell(Event::Evaluated(Evaluation { branch, ..evaluation(number) }));
                self.tell(Event::Checkpointed {
                    step: number,
                    path: PathBuf::from(format!("/home/ada/runs/support-tickets/checkpoints/step-{number:08}")),
                    bytes: 3_912_411,
                });
            }
        }
    }

    /// This interface is the client `me` among these, one of which steers.
    pub fn among(&mut self, me: u32, clients: &[&str], steering: Option<u32>) {
        self.state.connection.client = me;
        let clients = clients.iter().zip(0..).map(|(from, id)| Client { id, from: (*from).into() }).collect();
        self.input(Input::ServerMessage(Box::new(ServerMessage::Audience(Audience { clients, steering }))));
    }

    /// The run goes back to a step on a branch that is new, or on to the tip of a known one.
    pub fn rewind(&mut self, step: u64, branch: u32) {
        let left = (self.state.history.tree.current, self.state.step());
        self.tell(Event::Rewound { step, branch, left });
        let mut branches = self.state.history.tree.listed.clone();
        if branches.is_empty() {
            branches.push(self::branch(0, None, 0, left.1));
        }
        if branches.iter().all(|known| known.id != branch) {
            branches.push(self::branch(branch, Some(left.0), step, step));
        }
        for known in &mut branches {
            known.current = known.id == branch;
            if known.id == left.0 {
                known.tip = left.1;
            }
        }
        self.tell(Event::Branches { branches });
    }

    /// The engine does what the last command asked for.
    pub fn obey(&mut self, field: &str, from: f64, to: f64) {
        let id = self.last_id();
        let step = self.state.step();
        self.tell(Event::CommandStatus { id, status: CommandStatus::Applied { step } });
        self.tell(Event::Setting { field: field.into(), value: Value::Float(to) });
        self.tell(Event::Intervention(Intervention {
            step,
            field: field.into(),
            from: Value::Float(from),
            to: Value::Float(to),
            id,
            time: 1.7e9,
        }));
        if field == "method.sparsity" {
            self.tell(Event::Sparsity(sparsity(step, to)));
        }
    }

    /// The engine answers the last question what a value would do.
    pub fn foresee(&mut self, outcome: Result<Consequences, String>) {
        let id = self
            .effects
            .iter()
            .rev()
            .find_map(|effect| match effect {
                Effect::Send(Command::Preview { id, .. }) => Some(*id),
                _ => None,
            })
            .expect("a preview was asked for");
        self.tell(Event::Previewed { id, outcome });
    }

    pub fn last_id(&self) -> u64 {
        self.state.requests.last().expect("a request is under way").id
    }
}

pub fn ready() -> Ready {
    Ready {
        run: "support-tickets".into(),
        folder: "/home/ada/runs/support-tickets".into(),
        model: ModelSummary {
            name: "all-MiniLM-L6-v2".into(),
            family: "bert".into(),
            parameters: 22_717_836,
            layers: 6,
            hidden: 384,
            dtype: "float32".into(),
            device: "cpu".into(),
        },
        method: "sparta".into(),
        sparsity_bounds: (0.922_114_3, 0.999_796_6),
        total_steps: 1000,
        steps_per_epoch: 250,
        train_examples: 6000,
        validation_examples: 300,
        labels: (0..12).map(|label| format!("label {label}")).collect(),
        step: 0,
        seconds: 0.0,
        branch: 0,
        chat: false,
        predicted: Some(Memory { total: 401_604_608, ..memory(0) }),
    }
}

pub fn settings() -> Vec<(&'static str, Value)> {
    vec![
        ("method.sparsity", Value::Float(0.99)),
        ("method.trainable", Value::Integer(0)),
        ("method.density", Value::Table(toml::Table::new())),
        ("method.on_shrink", Value::String("retire".into())),
        ("optimizer.kind", Value::String("adamw".into())),
        ("optimizer.learning_rate", Value::Float(5e-4)),
        ("optimizer.head_learning_rate", Value::Float(0.02)),
        ("optimizer.weight_decay", Value::Float(0.0)),
        ("optimizer.max_grad_norm", Value::Float(1.0)),
        ("train.evaluate_every", Value::Integer(100)),
        ("train.checkpoint_every", Value::Integer(100)),
        ("train.keep_checkpoints", Value::Integer(3)),
    ]
}

/// A number between -1 and 1 that looks random and never changes.
fn noise(number: u64) -> f64 {
    let mixed = (number ^ 0x5eed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11;
    mixed as f64 / (1u64 << 52) as f64 - 1.0
}

pub fn step(number: u64) -> Step {
    let progress = number as f64;
    Step {
        step: number,
        epoch: progress / 250.0,
        loss: 2.05 * (-progress / 160.0).exp() + 0.34 + 0.13 * noise(number) * (1.0 + 2.0 * (-progress / 100.0).exp()),
        learning_rate: 5e-4 * (progress / 100.0).min(1.0),
        grad_norm: 1.4 + 0.4 * noise(number + 7),
        examples: 24,
        tokens: 612,
        seconds: 0.046 + 0.004 * noise(number + 99),
        trainable: 227_178,
        sparsity: 0.99,
        branch: 0,
    }
}

pub fn evaluation(number: u64) -> Evaluation {
    let progress = number as f64;
    let accuracy = 0.914 - 0.72 * (-progress / 150.0).exp();
    Evaluation {
        step: number,
        eval_loss: 1.9 * (-progress / 170.0).exp() + 0.41,
        accuracy,
        mcc: Some(accuracy - 0.02),
        examples: 300,
        seconds: 1.2,
        branch: 0,
    }
}

pub fn memory(number: u64) -> Memory {
    let activations = 61_341_696 + (noise(number).abs() * 9e6) as u64;
    let parts = (90_871_344, 2_726_136, 1_817_424, activations, 4_718_592, 187_432_960, 8_388_608);
    Memory {
        step: number,
        weights: parts.0,
        deltas: parts.1,
        moments: parts.2,
        activations: parts.3,
        data: parts.4,
        program: parts.5,
        other: parts.6,
        total: parts.0 + parts.1 + parts.2 + parts.3 + parts.4 + parts.5 + parts.6,
        limit: 16_777_216_000,
        peak: 0,
    }
}

pub fn sparsity(number: u64, share: f64) -> Sparsity {
    let parameters = 22_717_836;
    let trainable = ((1.0 - share) * parameters as f64).round() as u64;
    let (head, site) = (4620, 884_736);
    let group = |name: &str, parameters: u64, targeted: bool| {
        let trainable = if targeted { trainable.saturating_sub(head) / 2 } else { 0 };
        Group {
            name: name.into(),
            parameters,
            trainable,
            targeted,
            whole: false,
            density: None,
            by_layer: vec![trainable / 6; if targeted { 6 } else { 0 }],
            surviving: (targeted && number > 0).then_some(0.998),
            delta_rms: if targeted { 2.3e-4 * (number as f64 / 100.0).sqrt() } else { 0.0 },
            layers: (0..6)
                .map(|layer| Layer {
                    parameters: parameters / 6,
                    trainable: trainable / 6,
                    surviving: (targeted && number > 0).then_some(1.0 - 0.03 * f64::from(layer)),
                    delta_rms: if targeted { 1e-5 * f64::from(1 + layer * layer) * number as f64 } else { 0.0 },
                })
                .collect(),
        }
    };
    Sparsity {
        step: number,
        parameters,
        trainable,
        head,
        retired: 0,
        sparsity: share,
        groups: vec![
            group("query", site, false),
            group("key", site, false),
            group("value", site, true),
            group("attention.output", site, true),
            group("intermediate", 4 * site, false),
            group("output", 4 * site, false),
        ],
        remark: None,
    }
}

/// The machine and, if there is one, its device at so many samples.
pub fn vitals(sample: u64, device: bool) -> Vitals {
    let gib = 1 << 30;
    let gpu = Gpu {
        name: Some("NVIDIA H100 80GB HBM3".into()),
        memory_used: Some(31 * gib),
        memory_total: Some(80 * gib),
        busy: Some(0.9 + 0.09 * noise(sample)),
        memory_busy: Some(0.41),
        power: Some(512.0),
        power_limit: Some(700.0),
        temperature: Some(61.0),
        clock: Some(1755.0),
        clock_limit: Some(1980.0),
    };
    let host = Host {
        cpu: (sample > 0).then(|| 0.5 + 0.4 * noise(sample + 5)),
        cores: 16,
        process_cores: Some(1.8),
        memory_used: 41 * gib,
        memory_total: 128 * gib,
        swap_used: 0,
        resident: Some(344 << 20),
        disk_free: Some(212 * gib),
        disk_total: Some(900 * gib),
    };
    Vitals { host, gpu: device.then_some(gpu) }
}

pub fn branch(id: u32, parent: Option<u32>, from: u64, tip: u64) -> Branch {
    let best = Some(evaluation(tip / 100 * 100)).filter(|best| best.step > 0);
    Branch { id, parent, from, tip, best, pinned: false, current: false }
}

/// A state kept every hundred steps, the older ones on the disk too.
pub fn kept(branch: u32, steps: u64) -> Vec<KeptState> {
    let step = (1..=steps / 100).map(|hundreds| hundreds * 100);
    step.map(|step| KeptState {
        branch,
        step,
        bytes: 2_726_136,
        pinned: step == 100,
        place: if step + 100 > steps { Place::Memory } else { Place::Both },
        evaluation: Some(evaluation(step)),
        best: (branch, step) == (0, 300),
    })
    .collect()
}

pub fn consequences() -> Consequences {
    Consequences {
        trainable: (227_178, 113_589),
        sparsity: (0.99, 0.995),
        bytes: (4_543_560, 2_271_780),
        step_ms: Some((46.2, 44.9)),
        leaving: 113_589,
        joining: 0,
        rate: Some((5e-4, 7e-4)),
    }
}

/// A change of the learning rate by hand.
pub fn change(step: u64, from: f64, to: f64) -> Intervention {
    let (from, to) = (Value::Float(from), Value::Float(to));
    Intervention { step, field: "optimizer.learning_rate".into(), from, to, id: step, time: 1.7e9 }
}

pub fn summary(ending: Ending) -> Summary {
    Summary {
        ending,
        folder: "/home/ada/runs/support-tickets".into(),
        adapter: Some("/home/ada/runs/support-tickets/adapter".into()),
        holds: Some(Holds { branch: 0, step: 1000, evaluation: Some(evaluation(1000)) }),
        steps: 1000,
        seconds: 63.7,
        loss: Some(0.3121),
        best: Some(evaluation(900)),
        last: Some(evaluation(1000)),
        trainable: 227_178,
        sparsity: 0.99,
        peak_memory: 412_876_800,
        predicted_memory: Some(401_604_608),
        median_step_seconds: Some(0.0462),
    }
}
