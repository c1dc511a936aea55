//! `spartui generate`

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::loading::{Loaded, Source};
use super::print_line;
use spartui_data::{Arguments as ForTemplate, ChatTemplate};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::{one_line, place, quoted};
use spartui_facts::recipe::{TaskKind, TemplateArguments, check_template_argument, parse_assignment};
use spartui_model::{Sampling, generate};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Beginning of the text, or with --chat the message of the user.
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Put the prompt into the model's chat template and write the assistant's answer.
    #[arg(long)]
    chat: bool,
    /// With --chat: the system message.
    #[arg(long, value_name = "TEXT", requires = "chat")]
    system: Option<String>,
    /// With --chat: an argument of the chat template, such as `enable_thinking=false`; may be repeated.
    #[arg(long = "template-argument", value_name = "NAME=VALUE", requires = "chat")]
    switches: Vec<String>,
    /// With --chat: a JSON file with the list of tools that the model may call.
    #[arg(long, value_name = "FILE", requires = "chat")]
    tools: Option<PathBuf>,
    /// Maximum number of tokens to generate.
    #[arg(long, default_value_t = 128, value_name = "N")]
    max_new_tokens: usize,
    /// Sampling temperature; 0: always the most likely token.
    #[arg(long, default_value_t = 0.0, value_name = "T", value_parser = temperature)]
    temperature: f64,
    /// Sample from the most likely tokens that together have this probability (nucleus sampling).
    #[arg(long, default_value_t = 1.0, value_name = "P", value_parser = share)]
    top_p: f64,
    /// Seed of the sampling.
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Print one JSON object with prompt, text and tokens instead of the text.
    #[arg(long)]
    json: bool,
}

fn temperature(text: &str) -> std::result::Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number| (0.0..=100.0).contains(number))
        .ok_or_else(|| "give a number from 0 to 100".into())
}

fn share(text: &str) -> std::result::Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0.0 && *number <= 1.0)
        .ok_or_else(|| "give a number above 0, to 1".into())
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let loaded = arguments.source.load_for(Some(TaskKind::CausalLm), runs)?;
    let prompt = arguments.prompt_tokens(&loaded)?;
    let Arguments { temperature, top_p, seed, .. } = *arguments;
    let sampling = Sampling { temperature, top_p, seed };
    let mut shown = Shown { live: !arguments.json && std::io::stdout().is_terminal(), tokens: Vec::new(), bytes: 0 };
    let ends = loaded.tokenizer.end_tokens();
    let written =
        generate(&loaded.model, &prompt, arguments.max_new_tokens, ends, sampling, |token| shown.add(&loaded, token))?;
    let text = loaded.tokenizer.decode(&written)?;
    if arguments.json {
        return print_line(&json!({"prompt": arguments.prompt, "text": text, "tokens": written}).to_string());
    }
    if shown.live {
        return print_line(&printable(text.get(shown.bytes..).unwrap_or_default()));
    }
    print_line(&printable(&text))
}

impl Arguments {
    fn prompt_tokens(&self, loaded: &Loaded) -> Result<Vec<u32>> {
        if !self.chat {
            return loaded.tokenizer.encode(&self.prompt);
        }
        let template = ChatTemplate::load(&loaded.folder)?.ok_or_else(|| {
            Error::refused(format!("{}: the model has no chat template; leave --chat out", loaded.folder.display()))
        })?;
        let template = template.with_arguments(&self.for_template()?);
        let system = self.system.iter().map(|system| json!({"role": "system", "content": system}));
        let messages: Vec<_> = system.chain([json!({"role": "user", "content": self.prompt})]).collect();
        let text = template.render(&messages.into(), true).map_err(Error::refused)?;
        Ok(loaded.tokenizer.encode_with_offsets(&text, false)?.ids)
    }

    /// The arguments of the chat template besides the messages.
    fn for_template(&self) -> Result<ForTemplate> {
        let mut named = TemplateArguments::new();
        for given in &self.switches {
            let (name, value) = parse_assignment(given)
                .map_err(|_| Error::refused(format!("--template-argument takes name=value, not {}", quoted(given))))?;
            check_template_argument(&name, &value, true)
                .map_err(|why| Error::refused(format!("--template-argument {} {why}", one_line(&name))))?;
            named.insert(name, value);
        }
        let mut arguments = ForTemplate::of_recipe(&named);
        if let Some(path) = &self.tools {
            arguments.set("tools", read_tools(path)?);
        }
        arguments.check().map_err(|why| Error::refused(format!("what the chat template is given {why}; fix it")))?;
        Ok(arguments)
    }
}

fn read_tools(path: &Path) -> Result<serde_json::Value> {
    let text = spartui_facts::recipe::read_text(path)
        .map_err(|error| Error::refused(format!("cannot read the tools {}: {error}; give a JSON file", place(path))))?;
    serde_json::from_str(&text).map_err(|error| {
        Error::refused(format!("{} is not JSON ({}); give a list of tools", place(path), one_line(&error.to_string())))
    })
}

/// The part of the text that was written to the terminal so far.
struct Shown {
    live: bool,
    tokens: Vec<u32>,
    bytes: usize,
}

impl Shown {
    fn add(&mut self, loaded: &Loaded, token: u32) -> ControlFlow<()> {
        if !self.live {
            return ControlFlow::Continue(());
        }
        self.tokens.push(token);
        let text = loaded.tokenizer.decode(&self.tokens).unwrap_or_default();
        // A character of several tokens is complete only with its last one.
        if text.ends_with('\u{fffd}') {
            return ControlFlow::Continue(());
        }
        let new = printable(text.get(self.bytes..).unwrap_or_default());
        self.bytes = text.len();
        let mut out = std::io::stdout().lock();
        match out.write_all(new.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// The text with its control characters replaced, which a terminal would execute.
fn printable(text: &str) -> String {
    let safe = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().map(|c| if safe(c) { c } else { '\u{fffd}' }).collect()
}
