//! Errors of requests: whether a retry may help, and the sentence that says what to do.

use std::thread::sleep;
use std::time::Duration;

use super::client::Client;
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::one_line;

/// The most consecutive attempts without receiving a byte.
const ATTEMPTS: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why a request failed or was incomplete.
pub(super) struct RequestError {
    error: Error,
    again: Retry,
}

enum Retry {
    Never,
    /// After this time, if the server gives one.
    Later(Option<Duration>),
    /// Some bytes arrived: the attempts are counted anew.
    Gained,
}

impl RequestError {
    /// An error after which a retry may help.
    pub fn passing(error: Error) -> Self {
        Self { error, again: Retry::Later(None) }
    }

    /// The same, after some bytes arrived.
    pub fn after_gain(self) -> Self {
        match self.again {
            Retry::Later(_) => Self { again: Retry::Gained, ..self },
            _ => self,
        }
    }
}

/// An error after which a retry is useless.
impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        Self { error, again: Retry::Never }
    }
}

/// Retries until it succeeds, a retry is useless, or the attempts are exhausted; `pause` doubles with each attempt.
pub(super) fn with_retries<T>(
    pause: Duration,
    mut attempt: impl FnMut() -> std::result::Result<T, RequestError>,
) -> Result<T> {
    let mut failures = 0;
    loop {
        let RequestError { error, again } = match attempt() {
            Ok(value) => return Ok(value),
            Err(trouble) => trouble,
        };
        let (count, asked) = match again {
            Retry::Never => return Err(error),
            Retry::Later(asked) => (failures + 1, asked),
            Retry::Gained => (1, None),
        };
        failures = count;
        if failures == ATTEMPTS {
            return Err(error);
        }
        sleep(asked.unwrap_or(pause * 2_u32.pow(failures - 1)).min(LONGEST_PAUSE));
    }
}

/// The error for a status of the hub itself. `code` is the hub's error code.
pub(super) fn of_status(client: &Client, status: u16, code: &str, wait: Option<Duration>) -> RequestError {
    let (name, server, token) = (client.name(), client.server(), client.has_token());
    let (page, tokens) = (client.endpoint().page(name), client.endpoint().tokens());
    let id = name.id();
    let refused = |sentence: String| RequestError::from(Error::refused(sentence));
    let passing = |sentence: String| RequestError { error: Error::failed(sentence), again: Retry::Later(wait) };
    match (status, code) {
        (401 | 403, "GatedRepo") if token => refused(format!(
            "{id} is gated; accept its conditions at {page} with the account of your token, and start again"
        )),
        (401 | 403, "GatedRepo") => refused(format!(
            "{id} is gated; accept its conditions at {page}, set HF_TOKEN to a token from {tokens}, and start again"
        )),
        (404, "RevisionNotFound") => {
            refused(format!("{id} has no revision {}; choose one of those at {page}", name.revision))
        }
        (401 | 404, _) if !token => refused(format!(
            "there is no folder {id}, and {server} shows no model of that name without a token; check the spelling, or set \
             HF_TOKEN if the model is private"
        )),
        (401, _) => refused(format!("{server} does not accept your token; set HF_TOKEN to a valid one from {tokens}")),
        (404, _) => refused(format!(
            "there is no folder {id}, and {server} has no model of that name that your token may see; check the spelling, \
             and the token at {tokens}"
        )),
        (403, _) if token => refused(format!("your token may not read {id}; give it the right to at {tokens}")),
        (403, _) => refused(format!("{server} does not let everyone read {id}; set HF_TOKEN to a token that may")),
        (429, _) => {
            passing(format!("{server} is asked too often; wait some minutes, or set HF_TOKEN, and start again"))
        }
        (408 | 500.., _) => passing(format!("{server} is in trouble (status {status}); start again later")),
        _ => Error::failed(format!(
            "{server} gives an answer that is not understood (status {status}); check HF_ENDPOINT"
        ))
        .into(),
    }
}

/// The error for a status of the file storage. Its addresses expire; the hub gives new ones.
pub(super) fn of_store(server: &str, status: u16) -> RequestError {
    RequestError::passing(Error::failed(format!(
        "{server} does not give the file (status {status}); start again later"
    )))
}

/// The error for a missing or incomplete response.
pub(super) fn of_network(server: &str, timeout: Duration, error: &ureq::Error) -> RequestError {
    let reason = one_line(&error.to_string());
    if matches!(error, ureq::Error::Timeout(_)) {
        return RequestError::passing(Error::failed(format!(
            "{server} was silent for {:.0} s; check the network and start again: what was downloaded is kept",
            timeout.as_secs_f64().max(1.0)
        )));
    }
    if is_of_certificates(error) {
        let sentence = format!(
            "there is no secure connection to {server} ({reason}); check the clock and the system's certificates, or name \
             your own in SSL_CERT_FILE"
        );
        return Error::failed(sentence).into();
    }
    RequestError::passing(Error::failed(format!(
        "the connection to {server} failed ({reason}); check the network and HF_ENDPOINT, and start again: what was \
         downloaded is kept"
    )))
}

/// A failed handshake is reported as an I/O error.
fn is_of_certificates(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
        ureq::Error::Io(error) => matches!(error.get_ref(), Some(inner) if inner.is::<rustls::Error>()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn trouble(error: io::Error) -> RequestError {
        of_network("hub.example", Duration::from_secs(1), &ureq::Error::from(error))
    }

    #[test]
    fn an_unknown_certificate_is_not_retried() {
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let RequestError { error, again } = trouble(io::Error::new(io::ErrorKind::InvalidData, unknown));
        assert!(matches!(again, Retry::Never));
        assert!(error.message().contains("SSL_CERT_FILE"), "{error}");
        let RequestError { error, again } = trouble(io::ErrorKind::ConnectionReset.into());
        assert!(matches!(again, Retry::Later(None)));
        assert!(error.message().contains("hub.example") && error.message().contains("check the network"), "{error}");
    }

    #[test]
    fn retries_end_unless_bytes_arrive() {
        let failing = |gains: usize| {
            let mut attempts = 0;
            let result = with_retries(Duration::ZERO, || -> std::result::Result<(), RequestError> {
                attempts += 1;
                let trouble = RequestError::passing(Error::failed("x"));
                Err(if attempts <= gains { trouble.after_gain() } else { trouble })
            });
            assert!(result.is_err());
            attempts
        };
        assert_eq!(failing(0), 5);
        assert_eq!(failing(3), 7);
        let mut attempts = 0;
        let lasting = with_retries(Duration::ZERO, || {
            attempts += 1;
            Err::<(), _>(RequestError::from(Error::refused("x")).after_gain())
        });
        assert!(lasting.is_err() && attempts == 1);
    }
}
