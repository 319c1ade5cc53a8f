//! The reference's settings of security, and librdkafka's where it has names of its own.

use std::sync::Arc;

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
        _ => Err(fault(key, name, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, as far as built in")),
    }
}

/// Name and password, of `sasl.jaas.config` or librdkafka's settings.
fn credentials(properties: &Properties) -> Result<(String, String), PropertyError> {
    let of_jaas = |name: &str| {
        let config = properties.get("sasl.jaas.config")?;
        let (_, rest) = config.split_once(&format!("{name}="))?;
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest[1..].split(quote).next().map(str::to_owned)
    };
    let given = |name: &str| {
        let own = properties.get(&format!("sasl.{name}")).map(str::to_owned);
        let rule = format!("set, or sasl.jaas.config with {name}=\"...\" in it");
        of_jaas(name).or(own).ok_or_else(|| fault(&format!("sasl.{name}"), "", rule))
    };
    Ok((given("username")?, given("password")?))
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
    let text = |own: &str, files: &[&str]| {
        if let Some(text) = properties.get(own) {
            return Ok(Some(text.to_owned()));
        }
        for key in files {
            if let Some(path) = properties.get(key) {
                let read = std::fs::read_to_string(path);
                let unreadable = |error| fault(key, path, format!("a file of PEM: {error}"));
                return read.map(Some).map_err(unreadable);
            }
        }
        Ok(None)
    };
    let roots =
        text("ssl.truststore.certificates", &["ssl.truststore.location", "ssl.ca.location"])?;
    // It holds both, the certificate and its key.
    let store = text("", &["ssl.keystore.location"])?;
    let chain = text("ssl.keystore.certificate.chain", &["ssl.certificate.location"])?;
    let key = text("ssl.keystore.key", &["ssl.key.location"])?;
    let (chain, key) = (chain.or_else(|| store.clone()), key.or(store));
    let algorithm = properties.get("ssl.endpoint.identification.algorithm").unwrap_or("https");
    let checks_name = !matches!(algorithm.trim(), "" | "none");
    let own = chain.as_deref().zip(key.as_deref());
    let tls = super::Tls::new(roots.as_deref(), own, checks_name);
    let tls = tls.map_err(|error| fault("security.protocol", "SSL", error.to_string()))?;
    Ok(Arc::new(tls))
}
