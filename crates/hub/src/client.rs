//! Requests to the hub.

use std::sync::Arc;
use std::time::Duration;

use ureq::http::header::{ACCEPT_ENCODING, AUTHORIZATION, LOCATION, RANGE, RETRY_AFTER};
use ureq::http::{HeaderValue, Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::Hub;
use super::endpoint::{Endpoint, is_local, redirected};
use super::trouble::{RequestError, of_network, of_status, of_store};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::HubName;

const MOST_REDIRECTS: usize = 10;

/// A client for the requests about one model.
pub(super) struct Client<'a> {
    agent: Agent,
    endpoint: Endpoint,
    authorization: Option<HeaderValue>,
    hub: &'a Hub,
    name: &'a HubName,
}

/// A response, or why there is none.
pub(super) type Answer<T = Response<Body>> = std::result::Result<T, RequestError>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// A request for the bytes from this position on.
    Bytes(u64),
    /// A request for the hub's own headers of a file, which may be stored elsewhere.
    Headers,
}

impl<'a> Client<'a> {
    pub fn new(hub: &'a Hub, name: &'a HubName) -> Result<Self> {
        let authorization = hub.token.as_deref().map(authorization).transpose()?;
        Ok(Self { agent: agent(hub.timeout), endpoint: Endpoint::new(&hub.endpoint)?, authorization, hub, name })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub fn name(&self) -> &HubName {
        self.name
    }

    /// The hub's host, for messages.
    pub fn server(&self) -> &str {
        self.endpoint.server()
    }

    pub fn has_token(&self) -> bool {
        self.authorization.is_some()
    }

    pub fn pause(&self) -> Duration {
        self.hub.pause
    }

    /// The listing of the model.
    pub fn listing(&self) -> Answer {
        self.ask(&self.endpoint.listing(self.name), Ask::Bytes(0))
    }

    /// The bytes of a file from `start` on. The server may ignore the start: see the status.
    pub fn file(&self, commit: &str, file: &str, start: u64) -> Answer {
        self.ask(&self.endpoint.file(self.name, commit, file), Ask::Bytes(start))
    }

    /// The hub's headers of a file.
    pub fn headers(&self, commit: &str, file: &str) -> Answer {
        self.ask(&self.endpoint.file(self.name, commit, file), Ask::Headers)
    }

    /// Why the body of a response was cut off.
    pub fn broken_off(&self, error: std::io::Error) -> RequestError {
        of_network(self.server(), self.hub.timeout, &ureq::Error::from(error))
    }

    fn ask(&self, url: &str, ask: Ask) -> Answer {
        let mut uri: Uri = url.parse().map_err(|_| self.bad_redirect())?;
        for _ in 0..MOST_REDIRECTS {
            let response = self.send(&uri, ask)?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return self.check_status(&uri, response);
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| redirected(&uri, location)).ok_or_else(|| self.bad_redirect())?;
            if ask == Ask::Headers && !self.endpoint.is_own(&next) {
                return Ok(response);
            }
            uri = next;
        }
        Err(self.bad_redirect().into())
    }

    fn send(&self, uri: &Uri, ask: Ask) -> Answer {
        let mut request = match ask {
            Ask::Bytes(_) => self.agent.get(uri),
            Ask::Headers => self.agent.head(uri),
        };
        // Sizes and ranges refer to the file's own bytes.
        request = request.header(ACCEPT_ENCODING, "identity");
        if let Ask::Bytes(start @ 1..) = ask {
            request = request.header(RANGE, format!("bytes={start}-"));
        }
        if let Some(authorization) = self.authorization.as_ref().filter(|_| self.endpoint.is_own(uri)) {
            request = request.header(AUTHORIZATION, authorization);
        }
        if is_local(uri) {
            request = request.config().proxy(None).build();
        }
        request.call().map_err(|error| of_network(uri.host().unwrap_or_default(), self.hub.timeout, &error))
    }

    fn check_status(&self, uri: &Uri, response: Response<Body>) -> Answer {
        let status = response.status().as_u16();
        if matches!(status, 200 | 206) {
            return Ok(response);
        }
        if !self.endpoint.is_own(uri) {
            return Err(of_store(uri.host().unwrap_or_default(), status));
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let wait = header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok()).map(Duration::from_secs);
        Err(of_status(self, status, header("x-error-code").unwrap_or_default(), wait))
    }

    fn bad_redirect(&self) -> Error {
        Error::failed(format!("{} leads to no usable web address; check HF_ENDPOINT", self.server()))
    }
}

fn agent(timeout: Duration) -> Agent {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider).root_certs(RootCerts::PlatformVerifier);
    Agent::config_builder()
        .tls_config(tls.build())
        .user_agent(concat!("spartui/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        // Redirects are followed here, so that the token is sent to no other host.
        .max_redirects(0)
        .timeout_connect(Some(timeout))
        .timeout_per_read(Some(timeout))
        .timeout_per_write(Some(timeout))
        .build()
        .new_agent()
}

fn authorization(token: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
        Error::refused(
            "the hub's token holds characters that no token has; set HF_TOKEN to the token alone, or unset it",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}
