use super::*;

#[test]
fn no_key_has_two_meanings() {
    let alone = Context::ALL.map(|context| [context]);
    for contexts in Context::TOGETHER.iter().copied().chain(alone.iter().map(|one| &one[..])) {
        let keys: Vec<Press> = TABLE
            .iter()
            .filter(|binding| contexts.contains(&binding.context))
            .flat_map(|binding| binding.keys.iter().map(|(press, _)| *press))
            .collect();
        for (index, press) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(press), "{} means two things in {contexts:?}", press.name());
        }
    }
}

#[test]
fn what_is_pending_takes_only_keys_that_move_or_answer() {
    let below: Vec<Press> = TABLE
        .iter()
        .filter(|binding| [Context::Cockpit, Context::Chart, Context::Rows].contains(&binding.context))
        .flat_map(|binding| binding.keys.iter().map(|(press, _)| *press))
        .collect();
    for binding in TABLE.iter().filter(|binding| binding.context == Context::Pending) {
        for (press, action) in binding.keys {
            let moves = matches!(action, Action::Apply | Action::Discard | Action::Turn(_));
            assert!(moves || !below.contains(press), "{}", press.name());
        }
    }
}

#[test]
fn a_name_means_one_action_of_a_context() {
    for context in Context::ALL {
        let mut named: Vec<(&str, Action)> = Vec::new();
        for (_, action) in TABLE.iter().filter(|binding| binding.context == context).flat_map(|binding| binding.keys) {
            let name = action.name();
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
            let known = named.iter().find(|(known, _)| *known == name);
            assert!(known.is_none_or(|(_, known)| known == action), "{name} means two actions in {context:?}");
            named.push((name, *action));
        }
        assert!(!named.is_empty(), "{context:?} has no key");
    }
}

#[test]
fn an_action_stands_on_one_line_of_a_context() {
    for (index, binding) in TABLE.iter().enumerate() {
        for other in TABLE[..index].iter().filter(|other| other.context == binding.context) {
            for (_, action) in binding.keys {
                assert!(!other.keys.iter().any(|(_, known)| known == action), "{action:?} in {:?}", binding.context);
            }
        }
    }
}

#[test]
fn esc_takes_nothing_away_and_no_key_needs_alt() {
    // tmux, screen and slow connections turn Esc followed by a key into Alt.
    for (press, action) in TABLE.iter().flat_map(|binding| binding.keys) {
        assert!(!press.1.contains(crossterm::event::KeyModifiers::ALT), "{}", press.name());
        if press.0 == crossterm::event::KeyCode::Esc {
            let leaves = matches!(
                action,
                Action::Leave | Action::Discard | Action::CursorUp | Action::JumpNowhere | Action::PlaygroundLeave
            );
            assert!(leaves, "{action:?}");
        }
    }
}
