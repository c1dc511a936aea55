//! Names of layers as peft takes them: a module is meant by its name's end.

use std::collections::BTreeSet;

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
            crate::data::quoted(pattern)
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
