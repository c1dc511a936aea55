//! Names of layers as peft takes them: a module is meant by its name's end.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Map, Value};

/// Which modules an adapter says that it adapts, as peft understands it. What it says with a pattern that is not understood
/// means no module.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    wanted: Names,
    excluded: Names,
    /// Modules that were saved whole.
    saved: Vec<String>,
    /// Blocks that are adapted, where not all are.
    blocks: Vec<u64>,
    /// What stands before the number of a block; empty: anything.
    before: Vec<String>,
}

/// Ends of names, or a pattern for all of a name.
#[derive(Debug, Clone)]
enum Names {
    Ends(Vec<String>),
    Pattern(Regex),
}

impl Default for Names {
    fn default() -> Self {
        Self::Ends(Vec::new())
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ends(one), Self::Ends(other)) => one == other,
            (Self::Pattern(one), Self::Pattern(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl PartialEq for Targets {
    fn eq(&self, other: &Self) -> bool {
        let parts = |it: &Self| (it.saved.clone(), it.blocks.clone(), it.before.clone());
        self.wanted == other.wanted && self.excluded == other.excluded && parts(self) == parts(other)
    }
}

impl Names {
    fn of(value: Option<&Value>) -> Self {
        match value {
            // An adapter that means all layers has them by name, since peft writes them out.
            Some(Value::String(pattern)) => {
                Regex::new(&format!("^(?:{pattern})$")).map_or_else(|_| Self::default(), Self::Pattern)
            }
            value => Self::Ends(texts(value)),
        }
    }

    fn mean(&self, module: &str) -> bool {
        match self {
            Self::Ends(ends) => ends.iter().any(|end| is_meant(end, module)),
            Self::Pattern(pattern) => pattern.is_match(module),
        }
    }
}

/// The texts of a list, or the one that stands alone.
fn texts(value: Option<&Value>) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

impl Targets {
    /// What an `adapter_config.json` says.
    pub(super) fn of(json: &Map<String, Value>) -> Self {
        let numbers = match json.get("layers_to_transform") {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_u64).collect(),
            Some(value) => value.as_u64().into_iter().collect(),
            None => Vec::new(),
        };
        Self {
            wanted: Names::of(json.get("target_modules")),
            excluded: Names::of(json.get("exclude_modules")),
            saved: texts(json.get("modules_to_save")),
            blocks: numbers,
            before: texts(json.get("layers_pattern")),
        }
    }

    /// Whether they mean a module.
    pub(super) fn mean(&self, module: &str) -> bool {
        let is_saved = |name: &String| {
            let parts = format!(".{module}.");
            parts.contains(&format!(".{name}."))
        };
        self.wanted.mean(module)
            && !self.excluded.mean(module)
            && !self.saved.iter().any(is_saved)
            && self.is_in_a_block(module)
    }

    fn is_in_a_block(&self, module: &str) -> bool {
        if self.blocks.is_empty() || matches!(self.wanted, Names::Pattern(_)) {
            return true;
        }
        let parts: Vec<&str> = module.split('.').collect();
        let mut numbered = parts.windows(2).filter_map(|pair| Some((pair[0], pair[1].parse::<u64>().ok()?)));
        let fits = |(before, _): &(&str, u64)| self.before.is_empty() || self.before.iter().any(|name| name == before);
        numbered.find(fits).is_some_and(|(_, number)| self.blocks.contains(&number))
    }
}

/// What to name so that exactly the adapted ones of all modules are meant: the ends of their names behind the number of their
/// block, and whole names where such an end would mean others too.
pub(super) fn target_modules(adapted: &[&str], all: &[&str]) -> Vec<String> {
    let mut targets = BTreeSet::new();
    for module in adapted {
        let end = behind_number(module);
        let is_meant = |other: &&&str| is_meant(end, other);
        let others = all.iter().filter(is_meant).any(|other| !adapted.contains(other));
        targets.insert(if others { *module } else { end }.to_owned());
    }
    targets.into_iter().collect()
}

/// Whether a target means a module.
fn is_meant(target: &str, module: &str) -> bool {
    module.strip_suffix(target).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// What stands behind the first part of a name that is a number.
fn behind_number(module: &str) -> &str {
    let mut rest = module;
    while let Some((part, behind)) = rest.split_once('.') {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            return behind;
        }
        rest = behind;
    }
    module
}

/// Whether one of peft's patterns of names means a module: the name's end, or all of it behind a `^`.
///
/// # Errors
/// One sentence for a pattern that is more than a name.
pub(super) fn matches(pattern: &str, module: &str) -> Result<bool, String> {
    let (whole, name) = match pattern.strip_prefix('^') {
        Some(name) => (true, name),
        None => (false, pattern),
    };
    let name = name.strip_suffix('$').unwrap_or(name).replace("\\.", ".");
    if name.chars().any(|c| "\\^$*+?()[]{}|".contains(c)) {
        return Err(format!(
            "the pattern {} is more than a name, which is not read by this version",
            spartui_facts::quote::quoted(pattern)
        ));
    }
    Ok(if whole { module == name } else { is_meant(&name, module) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERT: [&str; 4] = [
        "bert.encoder.layer.0.attention.output.dense",
        "bert.encoder.layer.0.output.dense",
        "bert.encoder.layer.1.attention.output.dense",
        "bert.encoder.layer.1.output.dense",
    ];

    #[test]
    fn an_end_that_would_mean_others_too_gives_way_to_whole_names() {
        assert_eq!(target_modules(&[BERT[0], BERT[2]], &BERT), ["attention.output.dense"]);
        assert_eq!(target_modules(&[BERT[1], BERT[3]], &BERT), [BERT[1], BERT[3]]);
        assert_eq!(target_modules(&BERT, &BERT), ["attention.output.dense", "output.dense"]);
        let llama = ["model.layers.0.self_attn.q_proj", "model.layers.10.self_attn.q_proj"];
        assert_eq!(target_modules(&llama, &llama), ["self_attn.q_proj"]);
    }

    #[test]
    fn targets_mean_what_they_mean_to_peft() {
        let of = |json: Value| Targets::of(json.as_object().unwrap());
        let module = "model.layers.1.self_attn.q_proj";
        assert!(of(serde_json::json!({"target_modules": ["q_proj"]})).mean(module));
        assert!(!of(serde_json::json!({"target_modules": ["proj"]})).mean(module));
        assert!(!of(serde_json::json!({"target_modules": null})).mean(module));
        assert!(
            !of(serde_json::json!({"target_modules": ["q_proj"], "exclude_modules": ["self_attn.q_proj"]}))
                .mean(module)
        );
        assert!(!of(serde_json::json!({"target_modules": ["q_proj"], "modules_to_save": ["self_attn"]})).mean(module));
        for (blocks, meant) in
            [(serde_json::json!([1]), true), (serde_json::json!(0), false), (serde_json::json!([]), true)]
        {
            let json = serde_json::json!({"target_modules": ["q_proj"], "layers_to_transform": blocks});
            assert_eq!(of(json).mean(module), meant, "{blocks}");
        }
        let pattern = |pattern: &str| of(serde_json::json!({"target_modules": pattern}));
        assert!(pattern(r".*\.1\.self_attn\.(q|v)_proj").mean(module));
        assert!(!pattern("q_proj").mean(module));
        assert!(!pattern("(?=q)").mean(module));
    }

    #[test]
    fn patterns_mean_what_they_mean_to_peft() {
        let module = "model.layers.1.self_attn.q_proj";
        assert_eq!(matches("q_proj", module), Ok(true));
        assert_eq!(matches("layers.1.self_attn.q_proj", module), Ok(true));
        assert_eq!(matches("proj", module), Ok(false));
        assert_eq!(matches("^q_proj", module), Ok(false));
        assert_eq!(matches("^model\\.layers\\.1\\.self_attn\\.q_proj$", module), Ok(true));
        assert!(matches(".*q_proj", module).unwrap_err().contains("more than a name"));
    }
}
