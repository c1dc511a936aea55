//! Settings from the environment variables that all Hugging Face tools share.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Hub;
use spartui_facts::error::{Error, Result};

const ENDPOINT: &str = "https://huggingface.co";
const TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);
/// The most bytes read of a token file.
const LONGEST_TOKEN: u64 = 4096;

impl Hub {
    /// The settings in the environment.
    ///
    /// # Errors
    /// Refuses an environment with neither a home folder nor a cache.
    pub fn from_environment() -> Result<Self> {
        Self::from_variables(|name| match name {
            "HOME" => std::env::home_dir().map(OsString::from),
            _ => std::env::var_os(name),
        })
    }

    /// The settings in these variables; empty ones count as unset.
    ///
    /// The cache is `HF_HUB_CACHE` or `HF_HOME/hub` or `XDG_CACHE_HOME/huggingface/hub` or `~/.cache/huggingface/hub`;
    /// the token is `HF_TOKEN` or the content of `HF_TOKEN_PATH` or `HF_HOME/token`. `HF_ENDPOINT`, `HF_HUB_OFFLINE`
    /// and `HF_HUB_DOWNLOAD_TIMEOUT` (seconds) as their names say.
    ///
    /// # Errors
    /// Refuses variables with neither a home folder nor a cache.
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let given = |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let text = |names: &[&str]| given(names).map(|value| value.to_string_lossy().trim().to_owned());
        let user = given(&["HOME"]).map(PathBuf::from);
        let path = |names: &[&str]| given(names).map(|value| expanded(PathBuf::from(value), user.as_deref()));
        let home = path(&["HF_HOME"]).or_else(|| {
            let caches = path(&["XDG_CACHE_HOME"]).or_else(|| user.as_ref().map(|user| user.join(".cache")));
            caches.map(|caches| caches.join("huggingface"))
        });
        let below_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let cache = path(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]).or_else(|| below_home("hub"));
        let token_file = path(&["HF_TOKEN_PATH"]).or_else(|| below_home("token"));
        let token = text(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]).filter(|token| !token.is_empty());
        let endpoint = text(&["HF_ENDPOINT"]).unwrap_or_else(|| ENDPOINT.into());
        let seconds = text(&["HF_HUB_DOWNLOAD_TIMEOUT"]).and_then(|text| text.parse().ok()).filter(|&n| n > 0);
        Ok(Self {
            cache: cache.ok_or_else(|| {
                Error::refused("there is no home folder to keep models in; set HF_HOME to a folder for them")
            })?,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: token.or_else(|| token_file.and_then(|file| read_token(&file))),
            offline: text(&["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]).is_some_and(|text| is_true(&text)),
            timeout: seconds.map_or(TIMEOUT, Duration::from_secs),
            pause: PAUSE,
        })
    }
}

/// The token stays out of logs and panics.
impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("cache", &self.cache)
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

fn is_true(text: &str) -> bool {
    ["1", "true", "yes", "on"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn expanded(path: PathBuf, user: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), user) {
        (Ok(rest), Some(user)) => user.join(rest),
        _ => path,
    }
}

/// A file that cannot be read counts as missing: most models need no token.
fn read_token(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(LONGEST_TOKEN).read_to_string(&mut text).ok()?;
    let token = text.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(variables: &[(&str, &str)]) -> Hub {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        Hub::from_variables(find).unwrap()
    }

    fn cache(variables: &[(&str, &str)]) -> String {
        hub(variables).cache.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_cache() {
        let (user, xdg) = (("HOME", "/home/ada"), ("XDG_CACHE_HOME", "/x"));
        assert_eq!(cache(&[user]), "/home/ada/.cache/huggingface/hub");
        assert_eq!(cache(&[user, xdg]), "/x/huggingface/hub");
        assert_eq!(cache(&[user, xdg, ("HF_HOME", "/h")]), "/h/hub");
        assert_eq!(cache(&[user, xdg, ("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")]), "/c");
        assert_eq!(cache(&[user, ("HF_HOME", "~/h"), ("HF_HUB_CACHE", "")]), "/home/ada/h/hub");
        assert_eq!(cache(&[("HF_HUB_CACHE", "/c")]), "/c");
        assert!(Hub::from_variables(|_| None).unwrap_err().message().contains("HF_HOME"));
    }

    #[test]
    fn the_endpoint_and_the_switch() {
        let user = ("HOME", "/home/ada");
        assert_eq!(hub(&[user]).endpoint, "https://huggingface.co");
        assert_eq!(hub(&[user, ("HF_ENDPOINT", "https://mirror.example/hf/")]).endpoint, "https://mirror.example/hf");
        for (text, offline) in [("1", true), ("TRUE", true), ("Yes", true), ("on", true), ("0", false), ("no", false)] {
            assert_eq!(hub(&[user, ("HF_HUB_OFFLINE", text)]).offline, offline, "{text}");
        }
        assert!(!hub(&[user]).offline);
        assert_eq!(hub(&[user, ("HF_HUB_DOWNLOAD_TIMEOUT", "7")]).timeout, Duration::from_secs(7));
        assert_eq!(hub(&[user, ("HF_HUB_DOWNLOAD_TIMEOUT", "soon")]).timeout, TIMEOUT);
    }

    #[test]
    fn the_token() {
        let folder = tempfile::tempdir().unwrap();
        let (home, other) = (folder.path().to_str().unwrap(), folder.path().join("other"));
        assert_eq!(hub(&[("HF_HOME", home)]).token, None);
        std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        std::fs::write(&other, " hf_other ").unwrap();
        let token = |more: &[(&str, &str)]| hub(&[&[("HF_HOME", home)], more].concat()).token.unwrap();
        assert_eq!(token(&[]), "hf_file");
        assert_eq!(token(&[("HF_TOKEN_PATH", other.to_str().unwrap())]), "hf_other");
        assert_eq!(token(&[("HF_TOKEN", " hf_variable\n")]), "hf_variable");
        assert_eq!(token(&[("HF_TOKEN", " ")]), "hf_file");
        assert!(!format!("{:?}", hub(&[("HF_HOME", home)])).contains("hf_file"));
    }
}
