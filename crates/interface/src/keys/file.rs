//! The user's key file: TOML with a table for each context, and in it `action = ["key", "ctrl-x"]`.

use toml::{Table, Value};

use super::{Action, Bound, Context, Keymap, Press};

/// The first lines of what [`Keymap::to_toml`] writes.
const INTRODUCTION: &str = "\
# Keys of spartui. To change some, keep their lines in $XDG_CONFIG_HOME/spartui/keys.toml (or ~/.config/spartui/keys.toml,
# or any file that --keys or SPARTUI_KEYS names); what is left out keeps its built-in keys, and [] takes all keys away.
# A key is called as z, Z, ?, space, enter, esc, tab, shift-tab, left, page-up, f5, ctrl-x or alt-x.
";

impl Keymap {
    /// The built-in keys, overridden by those of a file.
    ///
    /// # Errors
    /// One sentence that says what is wrong, where, and what would be right.
    pub fn read(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        })?;
        let mut keymap = Self::default();
        for (name, section) in &table {
            let context = find_context(name)?;
            let Value::Table(section) = section else {
                return Err(format!("{name} is not a table; write [{name}] and below it the actions with their keys"));
            };
            for (action, keys) in section {
                keymap.bind(context, action, keys)?;
            }
        }
        keymap.check()?;
        Ok(keymap)
    }

    /// All keys as such a file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::from(INTRODUCTION);
        for context in Context::ALL {
            text.push_str(&format!("\n# {}\n[{}]\n", context.heading(), context.name()));
            for bound in self.lines(context) {
                text.push_str(&format!("# {}\n", bound.line.help));
                for action in bound.actions() {
                    let keys = bound.keys.iter().filter(|(_, known)| *known == action);
                    let keys: Vec<Value> = keys.map(|(press, _)| Value::String(press.name())).collect();
                    text.push_str(&format!("{} = {}\n", action.name(), Value::Array(keys)));
                }
            }
        }
        text
    }

    /// Replaces the keys of an action in a context.
    fn bind(&mut self, context: Context, name: &str, keys: &Value) -> Result<(), String> {
        let wrong = |why: String| format!("{name} in [{}]: {why}", context.name());
        let presses: Vec<Press> = match keys {
            Value::String(key) => vec![Press::parse(key).map_err(wrong)?],
            Value::Array(keys) => keys
                .iter()
                .map(|key| key.as_str().ok_or("a key is a text in quotes".to_owned()).and_then(Press::parse))
                .collect::<Result<_, String>>()
                .map_err(wrong)?,
            _ => return Err(wrong("it takes a key in quotes or a list of them".into())),
        };
        let found = self.lines.iter_mut().filter(|bound| bound.line.context == context).find_map(|bound| {
            let action = bound.actions().find(|action| action.name() == name)?;
            Some((bound, action))
        });
        let Some((bound, action)) = found else { return Err(unknown_action(context, name)) };
        bound.rebind(action, &presses);
        Ok(())
    }

    /// Checks that each key has one meaning, that text can be typed, and that every dialog can be closed.
    fn check(&self) -> Result<(), String> {
        for context in Context::ALL {
            for bound in self.lines(context) {
                if let Some((press, action)) =
                    bound.keys.iter().find(|(press, _)| context.keeps_text() && press.is_text())
                {
                    let (key, action, context) = (press.name(), action.name(), context.name());
                    return Err(format!(
                        "the key {key} is text for [{context}]; give {action} a key such as ctrl-x or f5 there"
                    ));
                }
                let needed = |action: &Action| matches!(action, Action::Leave | Action::Discard | Action::Interrupt);
                if let Some(action) = bound.actions().filter(needed).find(|action| bound.label_of(*action).is_none()) {
                    return Err(format!("{} of [{}] needs a key: it is the way out", action.name(), context.name()));
                }
            }
        }
        let alone = Context::ALL.map(|context| [context]);
        for contexts in Context::TOGETHER.iter().copied().chain(alone.iter().map(|one| &one[..])) {
            let all = || contexts.iter().flat_map(|context| self.lines(*context));
            let keys: Vec<(Press, Action, Context)> = all()
                .flat_map(|bound| bound.keys.iter().map(|(press, action)| (*press, *action, bound.line.context)))
                .collect();
            for (index, (press, action, context)) in keys.iter().enumerate() {
                let other = keys[..index].iter().find(|(known, other, _)| known == press && other != action);
                if let Some((_, other, elsewhere)) = other {
                    return Err(format!(
                        "the key {} would mean both {} of [{}] and {} of [{}]; give one of them another key",
                        press.name(),
                        other.name(),
                        elsewhere.name(),
                        action.name(),
                        context.name()
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Bound {
    /// Replaces the keys of an action.
    fn rebind(&mut self, action: Action, presses: &[Press]) {
        let mut distinct: Vec<(Press, Action)> = Vec::new();
        for press in presses {
            if !distinct.iter().any(|(known, _)| known == press) {
                distinct.push((*press, action));
            }
        }
        if self.keys.iter().filter(|(_, known)| *known == action).eq(&distinct) {
            // In their order among those of the binding's other actions.
            return;
        }
        let place = self.keys.iter().position(|(_, known)| *known == action).unwrap_or(self.keys.len());
        self.keys.retain(|(_, known)| *known != action);
        let place = place.min(self.keys.len());
        self.keys.splice(place..place, distinct);
    }
}

fn find_context(name: &str) -> Result<Context, String> {
    Context::from_name(name).ok_or_else(|| {
        let near = nearest(name, Context::ALL.map(Context::name));
        format!("there is no context [{}]; did you mean [{near}]?", name.escape_debug())
    })
}

fn unknown_action(context: Context, name: &str) -> String {
    let elsewhere: Vec<String> = Context::ALL
        .into_iter()
        .filter(|context| context.actions().any(|action| action.name() == name))
        .map(|context| format!("[{}]", context.name()))
        .collect();
    let context_name = context.name();
    if elsewhere.is_empty() {
        let near = nearest(name, context.actions().map(Action::name));
        let name = name.escape_debug();
        return format!("[{context_name}] has no action \"{name}\"; did you mean \"{near}\"?");
    }
    format!("[{context_name}] has no action \"{name}\", but {} has", elsewhere.join(", "))
}

fn nearest(name: &str, known: impl IntoIterator<Item = &'static str>) -> &'static str {
    let likeness = |known: &str| strsim::jaro_winkler(name, known);
    known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;

    fn refused(text: &str) -> String {
        Keymap::read(text).expect_err("refused")
    }

    fn press(keymap: &Keymap, contexts: &[Context], name: &str) -> Option<Action> {
        let Press(code, modifiers) = Press::parse(name).expect("a key");
        keymap.action(contexts, KeyEvent::new(code, modifiers))
    }

    #[test]
    fn a_users_keys_take_the_place_of_the_built_in_ones() {
        let keymap = Keymap::read("[cockpit]\npause = ['P', 'ctrl-p']\nexport = []").expect("keys");
        let contexts = [Context::Cockpit, Context::Always];
        assert_eq!(press(&keymap, &contexts, "P"), Some(Action::Pause));
        assert_eq!(press(&keymap, &contexts, "ctrl-p"), Some(Action::Pause));
        assert_eq!((press(&keymap, &contexts, "space"), press(&keymap, &contexts, "x")), (None, None));
        assert_eq!(press(&keymap, &contexts, "e"), Some(Action::Evaluate));
        assert_eq!(keymap.label(Context::Cockpit, Action::Pause), Some("P".into()));
        assert_eq!(keymap.label(Context::Cockpit, Action::Export), None);
    }

    #[test]
    fn keys_can_be_exchanged() {
        let keymap = Keymap::read("[chart]\nzoom-in = 'Z'\nzoom-out = ['z']").expect("keys");
        assert_eq!(press(&keymap, &[Context::Chart], "Z"), Some(Action::Zoom(true)));
        assert_eq!(press(&keymap, &[Context::Chart], "z"), Some(Action::Zoom(false)));
    }

    #[test]
    fn clashes_are_refused_with_both_names() {
        let clash = refused("[cockpit]\npause = 'e'");
        assert!(clash.contains("pause of [cockpit]") && clash.contains("evaluate of [cockpit]"), "{clash}");
        let clash = refused("[cockpit]\npause = 'c'");
        assert!(clash.contains("pause of [cockpit]") && clash.contains("cursor of [chart]"), "{clash}");
        let clash = refused("[help]\nclose = 'ctrl-c'");
        assert!(clash.contains("close of [help]") && clash.contains("interrupt of [always]"), "{clash}");
        assert!(Keymap::read("[cockpit]\npause = 'r'").is_err(), "lost takes r");
        assert!(Keymap::read("[branches]\npin = 'z'").is_ok(), "the loss is not there together with the list");
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        assert!(refused("[cockpit]\npaus = 'p'").contains("did you mean \"pause\"?"));
        assert!(refused("[cockpitt]\npause = 'p'").contains("did you mean [cockpit]?"));
        assert_eq!(
            refused("[cockpit]\nzoom-in = 'p'"),
            "[cockpit] has no action \"zoom-in\", but [chart], [curves-chart], [race] has"
        );
        assert!(refused("[cockpit]\npause = 'control p'").contains("is no key"));
        assert!(refused("[cockpit]\npause = 3").starts_with("pause in [cockpit]:"));
        assert!(refused("pause = 'p'").contains("there is no context"));
        assert!(refused("cockpit = 'p'").contains("is not a table"));
        assert!(refused("\n[cockpit\n").starts_with("line 2:"));
        assert!(refused("[typing]\napply = 'a'").contains("is text"));
        assert!(refused("[always]\nredraw = 'R'").contains("is text"));
        assert!(refused("[quit]\nclose = []").contains("the way out"));
    }

    #[test]
    fn the_keys_as_a_file_are_the_same_keys() {
        let keymap = Keymap::default();
        assert_eq!(Keymap::read(&keymap.to_toml()), Ok(keymap));
        let other = Keymap::read("[cockpit]\npause = ['P', 'alt-x']").expect("keys");
        assert_eq!(Keymap::read(&other.to_toml()), Ok(other));
    }

    #[test]
    fn a_held_key_steps_but_does_not_toggle() {
        let keymap = Keymap::default();
        let held = |c: char| {
            let kind = crossterm::event::KeyEventKind::Repeat;
            KeyEvent::new_with_kind(KeyCode::Char(c), KeyModifiers::NONE, kind)
        };
        assert_eq!(keymap.action(&[Context::Cockpit], held(']')), Some(Action::Sparser(true)));
        assert_eq!(keymap.action(&[Context::Cockpit], held(' ')), None);
    }
}
