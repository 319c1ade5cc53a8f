//! The reference's settings of security, and librdkafka's where it has names of its own.

use std::sync::Arc;

#[cfg(feature = "tls")]
use super::TlsPart;
use super::{Plain, SaslMechanism, Security, Transport};
use crate::{Properties, PropertyError};

impl Security {
    /// What `security.protocol` and the settings that go with it say.
    ///
    /// # Errors
    /// A value that is none, a setting that is missing, or what this build leaves out.
    pub fn of(properties: &Properties) -> Result<Self, PropertyError> {
        let rule = "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL";
        let protocol = properties.read("security.protocol", rule, |name| {
            match name.to_ascii_uppercase().as_str() {
                "PLAINTEXT" => Some((false, false)),
                "SSL" => Some((true, false)),
                "SASL_PLAINTEXT" => Some((false, true)),
                "SASL_SSL" => Some((true, true)),
                _ => None,
            }
        })?;
        let (is_tls, is_sasl) = protocol.unwrap_or((false, false));
        Ok(Self {
            transport: if is_tls { Some(transport(properties)?) } else { None },
            sasl: if is_sasl { Some(mechanism(properties)?) } else { None },
        })
    }
}

fn fault(key: &str, value: &str, rule: impl Into<String>) -> PropertyError {
    PropertyError::Value { key: key.to_owned(), value: value.to_owned(), rule: rule.into() }
}

fn mechanism(properties: &Properties) -> Result<Arc<dyn SaslMechanism>, PropertyError> {
    let key = "sasl.mechanism";
    let name = properties.get(key).or_else(|| properties.get("sasl.mechanisms"));
    let name = name.unwrap_or("GSSAPI");
    let known = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
    if !known.contains(&name) {
        return Err(fault(key, name, format!("one of {}", known.join(", "))));
    }
    let (user, password) = credentials(properties)?;
    match name {
        "PLAIN" => Ok(Arc::new(Plain::new(user, password))),
        #[cfg(feature = "scram")]
        "SCRAM-SHA-256" => {
            Ok(Arc::new(super::Scram::new(super::ScramHash::Sha256, user, password)))
        }
        #[cfg(feature = "scram")]
        "SCRAM-SHA-512" => {
            Ok(Arc::new(super::Scram::new(super::ScramHash::Sha512, user, password)))
        }
        _ => Err(fault(key, name, "PLAIN: this build leaves SCRAM out")),
    }
}

/// Name and password, of `sasl.jaas.config` or librdkafka's settings.
fn credentials(properties: &Properties) -> Result<(String, String), PropertyError> {
    let of_jaas = |name: &str| jaas_option(properties.get("sasl.jaas.config")?, name);
    let given = |name: &str| {
        let own = properties.get(&format!("sasl.{name}")).map(str::to_owned);
        let rule = format!("set, or sasl.jaas.config with {name}=\"...\" in it");
        of_jaas(name).or(own).ok_or_else(|| fault(&format!("sasl.{name}"), "", rule))
    };
    Ok((given("username")?, given("password")?))
}

/// An option of a login module, as `… required username="alice" password="a\"b" debug=true;` has
/// them.
pub(super) fn jaas_option(config: &str, name: &str) -> Option<String> {
    let mut rest = config;
    while let Some(at) = rest.find('=') {
        let key = rest[..at].trim_end().rsplit(char::is_whitespace).next()?;
        let (value, behind) = jaas_value(rest[at + 1..].trim_start());
        if key == name {
            return Some(value);
        }
        rest = behind;
    }
    None
}

/// The value at the start of a text, a word or in quotes, and what is behind it.
fn jaas_value(text: &str) -> (String, &str) {
    let mut chars = text.chars();
    let Some(quote) = chars.next().filter(|c| matches!(c, '"' | '\'')) else {
        let end = text.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.extend(chars.next()),
            c if c == quote => break,
            c => value.push(c),
        }
    }
    (value, chars.as_str())
}

#[cfg(not(feature = "tls"))]
fn transport(properties: &Properties) -> Result<Arc<dyn Transport>, PropertyError> {
    let protocol = properties.get("security.protocol").unwrap_or_default();
    Err(fault("security.protocol", protocol, "one without TLS: this build leaves it out"))
}

#[cfg(feature = "tls")]
fn transport(properties: &Properties) -> Result<Arc<dyn Transport>, PropertyError> {
    for key in ["ssl.truststore.type", "ssl.keystore.type"] {
        let kind = properties.get(key);
        if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("PEM")) {
            return Err(fault(key, kind, "PEM; keytool and openssl make it of other stores"));
        }
    }
    if properties.get("ssl.key.password").is_some_and(|password| !password.is_empty()) {
        let rule = "left out: a key is read without a passphrase, as `openssl pkey -in` writes it";
        return Err(fault("ssl.key.password", "***", rule));
    }
    let roots = Pem::of(
        properties,
        "ssl.truststore.certificates",
        &["ssl.truststore.location", "ssl.ca.location"],
    )?;
    // It holds both, the certificate and its key.
    let store = Pem::of_file(properties, "ssl.keystore.location")?;
    let chain =
        Pem::of(properties, "ssl.keystore.certificate.chain", &["ssl.certificate.location"])?;
    let key = Pem::of(properties, "ssl.keystore.key", &["ssl.key.location"])?;
    let (chain, key) = (chain.or_else(|| store.clone()), key.or(store));
    let algorithm = properties.get("ssl.endpoint.identification.algorithm").unwrap_or("https");
    let checks_name = !matches!(algorithm, "" | "none");
    let missing = |key: &str| fault(key, "", "set where the other of certificate and key is");
    let own = match (&chain, &key) {
        (Some(chain), Some(key)) => Some((chain.text.as_str(), key.text.as_str())),
        (None, None) => None,
        (Some(_), None) => return Err(missing("ssl.keystore.key")),
        (None, Some(_)) => return Err(missing("ssl.keystore.certificate.chain")),
    };
    let tls = super::Tls::new(roots.as_ref().map(|pem| pem.text.as_str()), own, checks_name);
    let tls = tls.map_err(|error| {
        let pem = match error.part {
            TlsPart::Roots => &roots,
            TlsPart::Chain => &chain,
            TlsPart::Key => &key,
        };
        let rule = format!("PEM that fits: {}", error.reason);
        match pem {
            Some(pem) => fault(pem.key, &pem.shown, rule),
            None => fault("ssl.truststore.location", "", rule),
        }
    })?;
    Ok(Arc::new(tls))
}

/// PEM, and which setting has brought it.
#[cfg(feature = "tls")]
#[derive(Clone)]
struct Pem {
    key: &'static str,
    /// The setting's value, if it may be shown.
    shown: String,
    text: String,
}

#[cfg(feature = "tls")]
impl Pem {
    /// - `own`: the setting that has the text itself.
    /// - `files`: those that name a file of it.
    fn of(
        properties: &Properties,
        own: &'static str,
        files: &[&'static str],
    ) -> Result<Option<Self>, PropertyError> {
        if let Some(text) = properties.get(own) {
            return Ok(Some(Self { key: own, shown: "***".to_owned(), text: text.to_owned() }));
        }
        for key in files {
            if let Some(pem) = Self::of_file(properties, key)? {
                return Ok(Some(pem));
            }
        }
        Ok(None)
    }

    fn of_file(properties: &Properties, key: &'static str) -> Result<Option<Self>, PropertyError> {
        let Some(path) = properties.get(key) else { return Ok(None) };
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| fault(key, path, format!("a file of PEM: {error}")))?;
        Ok(Some(Self { key, shown: path.to_owned(), text }))
    }
}
