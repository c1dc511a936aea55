//! Parses the settings of a race typed in the form, in the syntax of `spartui race`.

use spartui_facts::protocol;
use spartui_facts::recipe::{FIELDS, LANES_SEED, Lane, MOST_LANES, Recipe, lanes};

/// A race that can be started.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The options of `spartui race`.
    pub options: Vec<String>,
    /// The settings of each lane that differ from the recipe.
    pub lanes: Vec<Lane>,
}

/// Parses `FIELD=A,B FIELD=C..D random=N halve=N`; a field may be named by its last part.
///
/// # Errors
/// One sentence about the invalid word.
pub fn read(text: &str, recipe: &Recipe) -> Result<Asked, String> {
    let (mut vary, mut random, mut halve) = (Vec::new(), None, None);
    for word in text.split_whitespace() {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| format!("{word} gives no values; write FIELD=A,B such as learning_rate=1e-4,1e-3"))?;
        match name {
            "random" => random = Some(number(name, value)?),
            "halve" | "halve-every" => halve = Some(number(name, value)?),
            name => vary.push(format!("{}={value}", full(name))),
        }
    }
    if vary.is_empty() {
        return Err("say what the lanes differ in, such as learning_rate=1e-4,1e-3".into());
    }
    let lanes = lanes(&vary, recipe, random, LANES_SEED, MOST_LANES);
    let lanes = lanes.map_err(|error| error.message().trim_start_matches("--vary ").to_owned())?;
    if lanes.len() < 2 {
        return Err("that is one lane; give a field two values or more, separated by commas".into());
    }
    let mut options: Vec<String> = vary.into_iter().flat_map(|vary| ["--vary".to_owned(), vary]).collect();
    options.extend(random.into_iter().flat_map(|lanes| ["--random".to_owned(), lanes.to_string()]));
    options.extend(halve.into_iter().flat_map(|steps| ["--halve-every".to_owned(), steps.to_string()]));
    Ok(Asked { options, lanes })
}

fn number(name: &str, value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{name} takes a number above 0")),
    }
}

/// The full name of a field given by its last part.
fn full(name: &str) -> &str {
    let mut known = FIELDS.iter().filter(|field| field.name.rsplit('.').next() == Some(name));
    match (known.next(), known.next()) {
        (Some(field), None) => field.name,
        _ => name,
    }
}

impl Asked {
    /// The lanes in one line, as far as it goes.
    #[must_use]
    pub fn described(&self) -> String {
        let label = |varied: &Lane| {
            let lane = protocol::Lane {
                name: String::new(),
                folder: "".into(),
                varied: varied.clone(),
                origin: None,
                out: false,
            };
            lane.label()
        };
        let shown: Vec<String> = self.lanes.iter().map(label).collect();
        format!("{} lanes: {}", shown.len(), shown.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_the_options_of_the_command_line() {
        let asked = read("learning_rate=1e-4,1e-3 method.sparsity=0.99,0.999 halve=100", &Recipe::default()).unwrap();
        assert_eq!(
            asked.options,
            [
                "--vary",
                "optimizer.learning_rate=1e-4,1e-3",
                "--vary",
                "method.sparsity=0.99,0.999",
                "--halve-every",
                "100"
            ]
        );
        assert_eq!(asked.lanes.len(), 4);
        assert!(
            asked.described().starts_with("4 lanes: learning_rate 0.0001, sparsity 0.99; "),
            "{}",
            asked.described()
        );
        let drawn = read("learning_rate=1e-4..1e-2 random=5", &Recipe::default()).unwrap();
        assert_eq!(drawn.lanes.len(), 5);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("", "differ in"),
            ("halve=10", "differ in"),
            ("learning_rate", "no values"),
            ("learning_rate=1e-3", "one lane"),
            ("learning_rat=1,2", "learning_rate"),
            ("sparsity=0.9,2", "from 0 to 1"),
            ("learning_rate=1e-4..1e-2", "--random"),
            ("learning_rate=1e-4,1e-3 halve=x", "above 0"),
            ("max_length=8,16", "share model and rows"),
            ("train.seed=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "17 lanes"),
        ] {
            let error = read(text, &Recipe::default()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
