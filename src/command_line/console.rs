//! What the environment says about the terminal: whether it can show the interface, and whether it has more than ASCII.

use std::env;
use std::io::IsTerminal;

/// Why the interface cannot be shown; none if it can.
#[must_use]
pub fn why_unusable() -> Option<String> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Some("there is no terminal on standard input and output".into());
    }
    let term = env::var("TERM").ok();
    (!can_position_cursor(term.as_deref())).then(|| match term {
        Some(term) if !term.is_empty() => {
            format!("the terminal cannot show an interface, according to TERM={}", term.escape_debug())
        }
        _ => "TERM is not set, so it is not known whether the terminal can show an interface".into(),
    })
}

/// Whether a terminal with this name can position its cursor.
fn can_position_cursor(term: Option<&str>) -> bool {
    !matches!(term, None | Some("" | "dumb" | "unknown"))
}

/// Whether the locale is UTF-8, or not set: then nothing is known about the terminal, and nearly all support UTF-8.
#[must_use]
pub fn knows_unicode() -> bool {
    let variable = |name: &str| env::var(name).ok();
    is_unicode(["LC_ALL", "LC_CTYPE", "LANG"].map(variable).each_ref().map(Option::as_deref))
}

/// The first variable that is not empty counts, as in POSIX.
fn is_unicode(variables: [Option<&str>; 3]) -> bool {
    let locale = variables.into_iter().flatten().find(|value| !value.is_empty());
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_without_a_name_or_with_that_of_a_printer_is_not_drawn_on() {
        assert!([None, Some(""), Some("dumb"), Some("unknown")].iter().all(|term| !can_position_cursor(*term)));
        assert!(
            ["xterm", "xterm-256color", "linux", "vt100", "screen"].iter().all(|term| can_position_cursor(Some(term)))
        );
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_characters() {
        for locale in ["C", "POSIX", "en_US", "de_DE@euro", "de_DE.ISO-8859-1", "fr_FR.iso885915@euro", "ja_JP.eucJP"] {
            assert!(!is_unicode([None, None, Some(locale)]), "{locale}");
        }
        for locale in ["C.UTF-8", "en_US.utf8", "de_DE.UTF-8@euro", "UTF-8"] {
            assert!(is_unicode([None, Some(locale), Some("C")]), "{locale}");
        }
        assert!(!is_unicode([Some("C"), Some("en_US.UTF-8"), Some("en_US.UTF-8")]));
        assert!(is_unicode([Some(""), None, Some("en_US.UTF-8")]));
        assert!(is_unicode([None, Some(""), None]));
    }
}
