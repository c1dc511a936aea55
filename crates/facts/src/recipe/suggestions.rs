//! Suggestions for an unknown name or value in a recipe: first by the names of other tools, then by spelling.

use super::fields::number;
use super::{FIELDS, Field, Kind, Value};

/// Names of other tools for a field, in lower case and only letters and digits, and the field.
const NAMES: &[(&str, &str)] = &[
    ("model", "model.path"),
    ("modelname", "model.path"),
    ("modelnameorpath", "model.path"),
    ("basemodel", "model.path"),
    ("pretrainedmodelnameorpath", "model.path"),
    ("newtokens", "model.new_tokens"),
    ("additionalspecialtokens", "model.new_tokens"),
    ("frozenmodules", "method.sparta.frozen_modules"),
    ("trainabletokens", "method.sparta.trainable_tokens"),
    ("trainabletokenindices", "method.sparta.trainable_tokens"),
    ("trainnewtokens", "method.sparta.train_new_tokens"),
    ("torchdtype", "model.dtype"),
    ("precision", "model.dtype"),
    ("mixedprecision", "model.dtype"),
    ("gpu", "model.device"),
    ("cuda", "model.device"),
    ("usecpu", "model.device"),
    ("nocuda", "model.device"),
    ("task", "task.kind"),
    ("tasktype", "task.kind"),
    ("numlabels", "task.labels"),
    ("classes", "task.labels"),
    ("id2label", "task.labels"),
    ("label2id", "task.labels"),
    ("dataset", "data.train"),
    ("datasetname", "data.train"),
    ("data", "data.train"),
    ("trainfile", "data.train"),
    ("traindata", "data.train"),
    ("trainingdata", "data.train"),
    ("eval", "data.validation"),
    ("evaldata", "data.validation"),
    ("evaldataset", "data.validation"),
    ("valid", "data.validation"),
    ("val", "data.validation"),
    ("valsetsize", "data.validation"),
    ("validationfile", "data.validation"),
    ("validationsplit", "data.validation"),
    ("testsize", "data.validation"),
    ("testsplit", "data.validation"),
    ("textcolumn", "data.text"),
    ("textfield", "data.text"),
    ("datasettextfield", "data.text"),
    ("labelcolumn", "data.label"),
    ("labelfield", "data.label"),
    ("response", "data.completion"),
    ("conversations", "data.messages"),
    ("maxlen", "data.max_length"),
    ("maxseqlen", "data.max_length"),
    ("maxseqlength", "data.max_length"),
    ("maxsequencelength", "data.max_length"),
    ("seqlen", "data.max_length"),
    ("sequencelen", "data.max_length"),
    ("cutofflen", "data.max_length"),
    ("modelmaxlength", "data.max_length"),
    ("blocksize", "data.max_length"),
    ("contextlength", "data.max_length"),
    ("truncation", "data.too_long"),
    ("truncate", "data.too_long"),
    ("prompttemplate", "data.template"),
    ("addeostoken", "data.append_end"),
    ("eos", "data.append_end"),
    ("method", "method.kind"),
    ("pefttype", "method.kind"),
    ("adapter", "method.kind"),
    ("r", "method.rank"),
    ("lorar", "method.rank"),
    ("lorarank", "method.rank"),
    ("loraalpha", "method.alpha"),
    ("loradropout", "method.dropout"),
    ("targetmodules", "method.targets"),
    ("loratargetmodules", "method.targets"),
    ("modules", "method.targets"),
    ("userslora", "method.variant"),
    ("usedora", "method.variant"),
    ("density", "method.sparsity"),
    ("frozen", "method.sparsity"),
    ("numtrainable", "method.trainable"),
    ("trainableparameters", "method.trainable"),
    ("optim", "optimizer.kind"),
    ("optimizer", "optimizer.kind"),
    ("lr", "optimizer.learning_rate"),
    ("rate", "optimizer.learning_rate"),
    ("stepsize", "optimizer.learning_rate"),
    ("maxlr", "optimizer.learning_rate"),
    ("headlr", "optimizer.head_learning_rate"),
    ("adambeta1", "optimizer.betas"),
    ("adambeta2", "optimizer.betas"),
    ("beta1", "optimizer.betas"),
    ("beta2", "optimizer.betas"),
    ("adamepsilon", "optimizer.epsilon"),
    ("eps", "optimizer.epsilon"),
    ("wd", "optimizer.weight_decay"),
    ("decay", "optimizer.weight_decay"),
    ("clip", "optimizer.max_grad_norm"),
    ("clipnorm", "optimizer.max_grad_norm"),
    ("gradclip", "optimizer.max_grad_norm"),
    ("gradclipping", "optimizer.max_grad_norm"),
    ("gradientclipping", "optimizer.max_grad_norm"),
    ("maxgradientnorm", "optimizer.max_grad_norm"),
    ("scheduler", "schedule.kind"),
    ("schedule", "schedule.kind"),
    ("lrscheduler", "schedule.kind"),
    ("lrschedulertype", "schedule.kind"),
    ("warmup", "schedule.warmup_steps"),
    ("warmupratio", "schedule.warmup_steps"),
    ("numwarmupsteps", "schedule.warmup_steps"),
    ("minlr", "schedule.min_learning_rate"),
    ("endlr", "schedule.min_learning_rate"),
    ("epoch", "train.epochs"),
    ("nepochs", "train.epochs"),
    ("numepochs", "train.epochs"),
    ("numtrainepochs", "train.epochs"),
    ("maxepochs", "train.epochs"),
    ("steps", "train.max_steps"),
    ("numsteps", "train.max_steps"),
    ("iterations", "train.max_steps"),
    ("iters", "train.max_steps"),
    ("batch", "train.batch_size"),
    ("bs", "train.batch_size"),
    ("trainbatchsize", "train.batch_size"),
    ("globalbatchsize", "train.batch_size"),
    ("microbatch", "train.micro_batch_size"),
    ("devicebatchsize", "train.micro_batch_size"),
    ("perdevicetrainbatchsize", "train.micro_batch_size"),
    ("gradientaccumulation", "train.micro_batch_size"),
    ("gradientaccumulationsteps", "train.micro_batch_size"),
    ("gradaccum", "train.micro_batch_size"),
    ("evalsteps", "train.evaluate_every"),
    ("evalevery", "train.evaluate_every"),
    ("evalstrategy", "train.evaluate_every"),
    ("evaluationstrategy", "train.evaluate_every"),
    ("savesteps", "train.checkpoint_every"),
    ("saveevery", "train.checkpoint_every"),
    ("savestrategy", "train.checkpoint_every"),
    ("savetotallimit", "train.keep_checkpoints"),
    ("gradientcheckpointing", "train.recompute"),
    ("activationcheckpointing", "train.recompute"),
    ("checkpointing", "train.recompute"),
    ("patience", "train.early_stopping_patience"),
    ("earlystopping", "train.early_stopping_patience"),
    ("randomseed", "train.seed"),
];

/// Switches of other tools, and the field with its value for the same.
const SWITCHES: &[(&str, &str)] = &[
    ("fp16", "model.dtype = \"float16\""),
    ("float16", "model.dtype = \"float16\""),
    ("half", "model.dtype = \"float16\""),
    ("bf16", "model.dtype = \"bfloat16\""),
    ("bfloat16", "model.dtype = \"bfloat16\""),
    ("fp32", "model.dtype = \"float32\""),
    ("float32", "model.dtype = \"float32\""),
    ("lora", "method.kind = \"lora\""),
    ("dora", "method.variant = \"dora\""),
    ("rslora", "method.variant = \"rslora\""),
    ("fullfinetuning", "method.kind = \"full\""),
    ("full", "method.kind = \"full\""),
    ("freeze", "method.kind = \"head\""),
    ("seed", "train.seed (order of the rows) and method.seed (what trains)"),
];

/// Values of other tools, and the word for the same here.
const WORDS: &[(&str, &str)] = &[
    ("fp16", "float16"),
    ("half", "float16"),
    ("f16", "float16"),
    ("bf16", "bfloat16"),
    ("fp32", "float32"),
    ("f32", "float32"),
    ("float", "float32"),
    ("full", "float32"),
    ("classification", "sequence-classification"),
    ("textclassification", "sequence-classification"),
    ("seqcls", "sequence-classification"),
    ("sequenceclassification", "sequence-classification"),
    ("causallm", "causal-lm"),
    ("clm", "causal-lm"),
    ("lm", "causal-lm"),
    ("sft", "causal-lm"),
    ("generation", "causal-lm"),
    ("textgeneration", "causal-lm"),
    ("languagemodeling", "causal-lm"),
    ("fullfinetuning", "full"),
    ("finetune", "full"),
    ("ft", "full"),
    ("sparse", "sparta"),
    ("linearprobe", "head"),
    ("probe", "head"),
    ("adam", "adamw"),
    ("adamwtorch", "adamw"),
    ("none", "constant"),
    ("instruction", "completion"),
    ("chat", "messages"),
    ("conversations", "messages"),
    ("rs", "rslora"),
    ("lora", "plain"),
    ("magnitude", "largest"),
];

/// Lowest similarity (Jaro-Winkler) for a suggestion by spelling.
const NEAR: f64 = 0.8;

/// The name in lower case, only letters and digits.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The entry for a name in a table.
fn known(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(other, _)| *other == name).map(|(_, suggested)| *suggested)
}

/// A suggestion for an unknown field, as the rest of an error message.
pub(super) fn suggest_field(name: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    let ask = |field: &str| format!("did you mean \"{field}\"?");
    let keys = || FIELDS.iter().map(|field| (field.name, field.name.split_once('.').map_or("", |(_, key)| key)));
    for part in [plain(last), plain(name)] {
        if let Some(switch) = known(SWITCHES, &part) {
            return format!("did you mean {switch}?");
        }
        let same = keys().find(|(_, key)| plain(key) == part).map(|(field, _)| field);
        if let Some(field) = same.or_else(|| known(NAMES, &part)) {
            return ask(field);
        }
    }
    // Names are compared without their tables: an equal table does not make two fields similar.
    let near = |(field, key): (&'static str, &str)| (strsim::jaro_winkler(last, key), field);
    match keys().map(near).max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((nearness, field)) if nearness > NEAR => ask(field),
        _ => "docs/recipe.md and `spartui train --help` list all of them".into(),
    }
}

/// A suggestion for a value that the field does not take, if there is one.
pub(super) fn suggest_value(field: &Field, value: &Value) -> Option<String> {
    match (field.kind, value) {
        (Kind::Choice(words), Value::String(word)) => {
            let given = plain(word);
            let same = words.iter().copied().find(|word| plain(word) == given);
            let suggested = WORDS.iter().filter(|(other, _)| *other == given).map(|(_, suggested)| *suggested);
            let by_name = suggested.into_iter().find(|suggested| words.contains(suggested));
            let near = |known: &&&str| strsim::jaro_winkler(&given, known);
            let by_spelling = || {
                let best = words.iter().max_by(|a, b| near(a).total_cmp(&near(b)))?;
                (near(&best) > NEAR).then_some(*best)
            };
            Some(format!("did you mean \"{}\"?", same.or(by_name).or_else(by_spelling)?))
        }
        (Kind::Number(_, 1.0) | Kind::PathOrShare | Kind::NumberByName(..), value) => {
            let percent = number(value).filter(|percent| *percent > 1.0 && *percent < 100.0)?;
            // Rounded, since 99.9 / 100 would show its rounding error.
            let share = format!("{:.12}", percent / 100.0);
            Some(format!("{percent} % is {}", share.trim_end_matches('0')))
        }
        (
            Kind::Integer(..)
            | Kind::Number(..)
            | Kind::NumberOrAuto(..)
            | Kind::Rate(..)
            | Kind::Positive(_)
            | Kind::Steps(_),
            Value::String(text),
        ) => suggest_number(field, text),
        (Kind::Steps(_), value) => {
            let whole = number(value).filter(|number| *number >= 1.0 && number.fract() == 0.0)?;
            Some(format!("{whole:.1} is neither; did you mean {whole:.0}?"))
        }
        _ => None,
    }
}

/// A suggestion for a number in quotes, or with too many digits.
fn suggest_number(field: &Field, text: &str) -> Option<String> {
    let text = text.trim();
    if super::is_too_large(text) {
        return Some(format!("numbers go up to {}", i64::MAX));
    }
    let value = super::parse_value(text);
    (number(&value).is_some() && field.check(field.name, value).is_ok()).then(|| "remove the quotes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    fn why(name: &str, value: impl Into<Value>) -> String {
        Recipe::default().set(name, value.into()).unwrap_err()
    }

    #[test]
    fn every_name_that_is_advised_is_one() {
        for (name, field) in NAMES {
            assert!(FIELDS.iter().any(|known| known.name == *field), "{name}: {field}");
            assert!(Field::find(name).is_err() && *name == plain(name), "{name}");
        }
        for (name, switch) in SWITCHES.iter().filter(|(name, _)| *name != "seed") {
            let (field, value) = switch.split_once(" = ").unwrap();
            Recipe::default().set(field, crate::recipe::parse_value(value)).unwrap();
            assert_eq!(*name, plain(name));
        }
        for (word, suggested) in WORDS {
            let takes = |field: &Field| matches!(field.kind, Kind::Choice(words) if words.contains(suggested));
            assert!(FIELDS.iter().any(takes) && *word == plain(word), "{word}: {suggested}");
        }
    }

    #[test]
    fn names_of_other_tools_are_understood() {
        for (name, suggested) in [
            ("epochs", "\"train.epochs\""),
            ("num_train_epochs", "\"train.epochs\""),
            ("training.epochs", "\"train.epochs\""),
            ("optimizer.lr", "\"optimizer.learning_rate\""),
            ("lr", "\"optimizer.learning_rate\""),
            ("learning_rate", "\"optimizer.learning_rate\""),
            ("method.lora_rank", "\"method.rank\""),
            ("lora.r", "\"method.rank\""),
            ("r", "\"method.rank\""),
            ("batch", "\"train.batch_size\""),
            ("warmup_ratio", "\"schedule.warmup_steps\""),
            ("warmup", "\"schedule.warmup_steps\""),
            ("sparsity", "\"method.sparsity\""),
            ("fp16", "model.dtype = \"float16\""),
            ("train.bf16", "model.dtype = \"bfloat16\""),
            ("method.sparsty", "\"method.sparsity\""),
        ] {
            let why = why(name, 1);
            assert_eq!(why, format!("the recipe has no field \"{name}\"; did you mean {suggested}?"));
        }
        for name in ["qwertz", "train.num_workers", "model.threads", "optimizer.momentum", "train.logging_steps"] {
            assert!(why(name, 1).ends_with("list all of them"), "{}", why(name, 1));
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_told_with_its_line() {
        for number in
            ["18446744073709551615", "-9_999_999_999_999_999_999", "99999999999999999999999999999999999999999"]
        {
            let text = format!("[schedule]\nwarmup_steps = {number}\n");
            let why = Recipe::parse(&text, std::path::Path::new(""), &[]).unwrap_err();
            let expected = format!("line 2: {number} is too large; numbers go up to 9223372036854775807");
            assert_eq!(why.message(), expected);
        }
    }

    #[test]
    fn values_of_other_tools_are_understood() {
        for (name, value, suggested) in [
            ("model.dtype", Value::from("fp16"), "did you mean \"float16\"?"),
            ("model.dtype", "BF16".into(), "did you mean \"bfloat16\"?"),
            ("task.kind", "classification".into(), "did you mean \"sequence-classification\"?"),
            ("task.kind", "causal_lm".into(), "did you mean \"causal-lm\"?"),
            ("method.kind", "LoRA".into(), "did you mean \"lora\"?"),
            ("schedule.kind", "cosin".into(), "did you mean \"cosine\"?"),
            ("method.sparsity", Value::Integer(99), "99 % is 0.99"),
            ("method.sparsity", Value::Float(99.9), "99.9 % is 0.999"),
            ("data.validation", Value::Integer(10), "10 % is 0.1"),
            ("train.evaluate_every", Value::Float(50.0), "50.0 is neither; did you mean 50?"),
            ("schedule.warmup_steps", "18446744073709551615".into(), "numbers go up to 9223372036854775807"),
            ("train.seed", "18446744073709551615".into(), "numbers go up to 9223372036854775807"),
            ("schedule.warmup_steps", "100".into(), "remove the quotes"),
            ("optimizer.learning_rate", "1e-3".into(), "remove the quotes"),
        ] {
            let why = why(name, value);
            assert!(why.ends_with(&format!("; {suggested}")), "{why}");
        }
        assert!(!why("model.dtype", "qwertz").contains("did you mean"));
        assert!(!why("method.sparsity", Value::Integer(-1)).contains('%'));
        assert!(why("train.epochs", "-5").ends_with("not \"-5\"") && why("train.epochs", "").ends_with("not \"\""));
    }
}
