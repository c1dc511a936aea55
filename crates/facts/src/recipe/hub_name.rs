//! Names of models: `owner/name` or `owner/name@revision`.

use std::fmt;

/// The hub's limit for owner and name, in characters.
const LONGEST_PART: usize = 96;
const LONGEST_REVISION: usize = 200;
const DEFAULT_REVISION: &str = "main";

/// A model on the hub, at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubName {
    /// The user or organization.
    pub owner: String,
    /// The name of the model.
    pub name: String,
    /// A branch, tag or commit. Safe as a relative path.
    pub revision: String,
}

/// Whether the text has the form of a model's name on the hub: `owner/name`, with or without `@revision`.
#[must_use]
pub fn is_hub_name(text: &str) -> bool {
    HubName::parse(text).is_some()
}

impl HubName {
    /// Parses the text; none if it has another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, revision) = text.split_once('@').unwrap_or((text, DEFAULT_REVISION));
        let (owner, name) = id.split_once('/')?;
        let good = is_part(owner) && is_part(name) && is_revision(revision);
        good.then(|| Self { owner: owner.into(), name: name.into(), revision: revision.into() })
    }

    /// `owner/name`
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)?;
        if self.revision == DEFAULT_REVISION { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}

/// The hub's rules. Two hyphens in a row would make the name of the folder in the cache ambiguous.
fn is_part(text: &str) -> bool {
    let edge = |character: char| matches!(character, '.' | '-');
    let doubled = text.contains("--") || text.contains("..");
    (1..=LONGEST_PART).contains(&text.len())
        && text.chars().all(is_allowed)
        && !text.starts_with(edge)
        && !text.ends_with(edge)
        && !doubled
}

/// Like `main`, `v1.0` or `refs/pr/1`: it becomes a path in the cache.
fn is_revision(text: &str) -> bool {
    let segment = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_allowed);
    text.len() <= LONGEST_REVISION && text.split('/').all(segment)
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = HubName::parse("owner/Some-Model_1.5").unwrap();
        assert_eq!(
            (name.owner.as_str(), name.name.as_str(), name.revision.as_str()),
            ("owner", "Some-Model_1.5", "main")
        );
        assert_eq!(name.to_string(), "owner/Some-Model_1.5");
        let name = HubName::parse("o/n@refs/pr/1").unwrap();
        assert_eq!(name.revision, "refs/pr/1");
        assert_eq!(name.to_string(), "o/n@refs/pr/1");
    }

    #[test]
    fn what_is_no_name() {
        let long = format!("o/{}", "x".repeat(97));
        for text in [
            "",
            "name",
            "/",
            "o/",
            "/n",
            "a/b/c",
            "./n",
            "../n",
            "o/..",
            "~/n",
            "/o/n",
            "o/n/",
            "o n/x",
            "o/n@",
            "o/n@..",
            "o/n@../../x",
            "o/n@a//b",
            "o/n@/a",
            "o/n@a/.b",
            "o/n@a@b",
            "o/n\n",
            "o/a--b",
            "o/é",
            "o\\n/x",
            "-o/n",
            "o/n.",
            &long,
        ] {
            assert!(!is_hub_name(text), "{text:?}");
        }
    }
}
