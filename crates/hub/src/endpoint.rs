//! Web addresses: the hub's, those of its files, and redirect targets.

use ureq::http::Uri;

use spartui_facts::error::{Error, Result};
use spartui_facts::quote::quoted;
use spartui_facts::recipe::HubName;

/// The hub's address.
pub(super) struct Endpoint {
    base: String,
    uri: Uri,
}

impl Endpoint {
    pub fn new(base: &str) -> Result<Self> {
        let uri = base.parse::<Uri>().ok().filter(is_web).filter(|uri| uri.query().is_none());
        // A user name and a password in the address would appear in messages.
        let uri = uri.filter(|_| !base.contains('@')).ok_or_else(|| {
            Error::refused(format!(
                "HF_ENDPOINT is {}, which is no web address; set it to one such as https://huggingface.co, or unset it",
                quoted(base)
            ))
        })?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), uri })
    }

    /// The host, for messages.
    pub fn server(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// The web page of the model.
    pub fn page(&self, name: &HubName) -> String {
        format!("{}/{}", self.base, name.id())
    }

    /// The web page for creating tokens.
    pub fn tokens(&self) -> String {
        format!("{}/settings/tokens", self.base)
    }

    /// The address of a revision's listing: its commit and its files with their sizes and checksums.
    pub fn listing(&self, name: &HubName) -> String {
        format!("{}/api/models/{}/revision/{}?blobs=true", self.base, name.id(), encoded(&name.revision))
    }

    pub fn file(&self, name: &HubName, commit: &str, file: &str) -> String {
        let path: Vec<String> = file.split('/').map(encoded).collect();
        format!("{}/{}/resolve/{commit}/{}", self.base, name.id(), path.join("/"))
    }

    /// Whether an address belongs to the hub itself: the token is sent only there.
    pub fn is_own(&self, uri: &Uri) -> bool {
        origin(uri) == origin(&self.uri)
    }
}

/// The target of a redirect from `from`, if it is a web address that is no less secure.
pub(super) fn redirected(from: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    let whole = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        location.to_owned()
    };
    let safe = |to: &Uri| is_web(to) && (scheme == "http" || to.scheme_str() == Some("https"));
    whole.parse().ok().filter(safe)
}

/// Whether the address is on this machine, which no proxy can reach.
pub(super) fn is_local(uri: &Uri) -> bool {
    matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

fn is_web(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
}

fn origin(uri: &Uri) -> (Option<&str>, Option<String>, Option<u16>) {
    let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    (uri.scheme_str(), uri.host().map(str::to_ascii_lowercase), uri.port_u16().or(Some(usual)))
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let endpoint = Endpoint::new("https://hub.example:8443/hf").unwrap();
        let name = HubName::parse("o/n@refs/pr/1").unwrap();
        assert_eq!(endpoint.server(), "hub.example");
        assert_eq!(
            endpoint.listing(&name),
            "https://hub.example:8443/hf/api/models/o/n/revision/refs%2Fpr%2F1?blobs=true"
        );
        assert_eq!(
            endpoint.file(&name, "c0", "a b/m#.json"),
            "https://hub.example:8443/hf/o/n/resolve/c0/a%20b/m%23.json"
        );
        for bad in
            ["", "huggingface.co", "ftp://x", "https://", "https://user:secret@x", "https://x?y=1", "file:///etc"]
        {
            assert!(Endpoint::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_same_scheme_host_and_port_get_the_token() {
        let endpoint = Endpoint::new("https://Hub.example").unwrap();
        let own = |text: &str| endpoint.is_own(&text.parse().unwrap());
        assert!(own("https://hub.example/x") && own("https://hub.example:443/x"));
        for other in
            ["http://hub.example/x", "https://hub.example:8443/x", "https://cdn.hub.example/", "https://x.org/"]
        {
            assert!(!own(other), "{other}");
        }
    }

    #[test]
    fn redirects() {
        let to = |from: &str, location: &str| redirected(&from.parse().unwrap(), location).map(|uri| uri.to_string());
        let from = "https://hub.example/a/b?c=1";
        assert_eq!(to(from, "/d?e=2").unwrap(), "https://hub.example/d?e=2");
        assert_eq!(to(from, "//cdn.example/d").unwrap(), "https://cdn.example/d");
        assert_eq!(to(from, "https://cdn.example/d").unwrap(), "https://cdn.example/d");
        assert_eq!(to("http://hub.example/", "http://cdn.example/d").unwrap(), "http://cdn.example/d");
        for bad in ["http://cdn.example/d", "file:///etc/passwd", "", "d", "https://"] {
            assert_eq!(to(from, bad), None, "{bad}");
        }
    }
}
