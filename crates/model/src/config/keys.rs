//! Typed access to the keys of config.json; each error is one sentence.

use serde_json::{Map, Value};

use spartui_facts::family::{Activation, Family};

/// The keys of a config.json. Some families use other names for some of them.
pub(super) struct Keys<'a> {
    pub json: &'a Map<String, Value>,
    pub family: &'static Family,
}

type Read<T> = Result<T, String>;

impl<'a> Keys<'a> {
    /// The value of a key that is present and not null.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        let own = self.family.keys.iter().find(|(general, _)| *general == name).map_or(name, |(_, own)| own);
        self.json.get(own).or_else(|| self.json.get(name)).filter(|value| !value.is_null())
    }

    /// A whole number above 0.
    pub fn size(&self, name: &str) -> Read<i64> {
        self.size_if(name)?.ok_or_else(|| format!("{name} is missing; get the model's files again"))
    }

    /// A whole number above 0, if the key is present.
    pub fn size_if(&self, name: &str) -> Read<Option<i64>> {
        self.get(name).map(|value| whole(name, value)).transpose()
    }

    pub fn size_or(&self, name: &str, default: i64) -> Read<i64> {
        Ok(self.size_if(name)?.unwrap_or(default))
    }

    pub fn number_if(&self, name: &str) -> Read<Option<f64>> {
        self.get(name).map(|value| number(name, value)).transpose()
    }

    pub fn number_or(&self, name: &str, default: f64) -> Read<f64> {
        Ok(self.number_if(name)?.unwrap_or(default))
    }

    /// As [`Keys::number_or`], but refuses numbers below 0.
    pub fn amount_or(&self, name: &str, default: f64) -> Read<f64> {
        match self.number_or(name, default)? {
            amount if amount < 0.0 => Err(format!("{name} {amount} is below 0; get the model's files again")),
            amount => Ok(amount),
        }
    }

    pub fn flag_or(&self, name: &str, default: bool) -> Read<bool> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(format!("{name} is {}, not true or false; get the model's files again", shown(other))),
        }
    }

    pub fn activation(&self, name: &str, default: Activation) -> Read<Activation> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => match value.as_str() {
                Some("gelu") => Ok(Activation::Gelu),
                Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Ok(Activation::GeluTanh),
                Some("relu") => Ok(Activation::Relu),
                Some("relu2") => Ok(Activation::SquaredRelu),
                Some("silu" | "swish") => Ok(Activation::Silu),
                _ => Err(format!(
                    "{name} {} is not implemented; known: gelu, gelu_new, gelu_pytorch_tanh, relu, relu2, silu",
                    shown(value)
                )),
            },
        }
    }
}

/// A whole number from 1 to below 2^31.
pub(super) fn whole(name: &str, value: &Value) -> Read<i64> {
    let number = value.as_i64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0).map(saturating));
    number
        .filter(|size| (1..1 << 31).contains(size))
        .ok_or_else(|| format!("{name} is {}, not a whole number above 0; get the model's files again", shown(value)))
}

#[expect(clippy::cast_possible_truncation, reason = "the caller checks the range")]
fn saturating(number: f64) -> i64 {
    number as i64
}

/// A finite number.
pub(super) fn number(name: &str, value: &Value) -> Read<f64> {
    value
        .as_f64()
        .filter(|number| number.is_finite())
        .ok_or_else(|| format!("{name} is {}, not a number; get the model's files again", shown(value)))
}

/// A value as text for a message: shortened and escaped.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    let short: String = text.chars().take(80).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", short.escape_debug()).replace("\\\"", "\"")
}
