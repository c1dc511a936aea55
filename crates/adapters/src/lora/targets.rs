//! Target modules as in PEFT: a module matches a target if its name ends with it.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Map, Value};

/// The target modules of an adapter, by PEFT's rules. A regular expression that is not supported matches no module.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    wanted: Names,
    excluded: Names,
    /// Modules in `modules_to_save`.
    saved: Vec<String>,
    /// Indices of the adapted blocks; empty where all are adapted.
    blocks: Vec<u64>,
    /// Accepted name parts before the index of a block; empty accepts any.
    before: Vec<String>,
}

/// A list of suffixes of names, or a pattern for whole names.
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
            // PEFT writes "all-linear" out as a list of names.
            Some(Value::String(pattern)) => {
                Regex::new(&format!("^(?:{pattern})$")).map_or_else(|_| Self::default(), Self::Pattern)
            }
            value => Self::Ends(texts(value)),
        }
    }

    fn contains(&self, module: &str) -> bool {
        match self {
            Self::Ends(ends) => ends.iter().any(|end| name_matches(end, module)),
            Self::Pattern(pattern) => pattern.is_match(module),
        }
    }
}

/// The strings of a list, or a single string.
fn texts(value: Option<&Value>) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

impl Targets {
    /// The targets of an `adapter_config.json`.
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

    /// Whether a module is a target.
    pub(super) fn contains(&self, module: &str) -> bool {
        let is_saved = |name: &String| {
            let parts = format!(".{module}.");
            parts.contains(&format!(".{name}."))
        };
        self.wanted.contains(module)
            && !self.excluded.contains(module)
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

/// Values of `target_modules` that match exactly the adapted ones of all modules: suffixes after the index of the
/// block, and whole names where such a suffix would match other modules too.
pub fn target_modules(adapted: &[&str], all: &[&str]) -> Vec<String> {
    let mut targets = BTreeSet::new();
    for module in adapted {
        let end = behind_number(module);
        let matches_end = |other: &&&str| name_matches(end, other);
        let others = all.iter().filter(matches_end).any(|other| !adapted.contains(other));
        targets.insert(if others { *module } else { end }.to_owned());
    }
    targets.into_iter().collect()
}

/// Whether a module's name equals a target or ends with it after a dot.
fn name_matches(target: &str, module: &str) -> bool {
    module.strip_suffix(target).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The name after its first numeric part.
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

/// Whether a key of PEFT's `rank_pattern` or `alpha_pattern` matches a module: a suffix of the name, or after a `^` the
/// whole name.
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
    Ok(if whole { module == name } else { name_matches(&name, module) })
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
        assert!(of(serde_json::json!({"target_modules": ["q_proj"]})).contains(module));
        assert!(!of(serde_json::json!({"target_modules": ["proj"]})).contains(module));
        assert!(!of(serde_json::json!({"target_modules": null})).contains(module));
        assert!(
            !of(serde_json::json!({"target_modules": ["q_proj"], "exclude_modules": ["self_attn.q_proj"]}))
                .contains(module)
        );
        assert!(
            !of(serde_json::json!({"target_modules": ["q_proj"], "modules_to_save": ["self_attn"]})).contains(module)
        );
        for (blocks, meant) in
            [(serde_json::json!([1]), true), (serde_json::json!(0), false), (serde_json::json!([]), true)]
        {
            let json = serde_json::json!({"target_modules": ["q_proj"], "layers_to_transform": blocks});
            assert_eq!(of(json).contains(module), meant, "{blocks}");
        }
        let pattern = |pattern: &str| of(serde_json::json!({"target_modules": pattern}));
        assert!(pattern(r".*\.1\.self_attn\.(q|v)_proj").contains(module));
        assert!(!pattern("q_proj").contains(module));
        assert!(!pattern("(?=q)").contains(module));
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
