//! TLS by rustls: certificates in PEM, as files or as text.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Protecting, Stream, Transport};
use crate::BrokerAddress;

/// TLS towards brokers.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
}

/// Why TLS can't be set up. It has nothing of the PEM in it, in which a key may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError {
    pub(super) part: TlsPart,
    pub(super) reason: String,
}

/// What of TLS is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsPart {
    /// The certificates that are trusted.
    Roots,
    /// The client's own certificates.
    Chain,
    /// The client's key.
    Key,
}

impl TlsPart {
    fn fault(self, reason: impl fmt::Display) -> TlsError {
        TlsError { part: self, reason: reason.to_string() }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.part {
            TlsPart::Roots => "the certificates that are trusted",
            TlsPart::Chain => "the client's certificate",
            TlsPart::Key => "the client's key",
        };
        write!(f, "{what}: {}", self.reason)
    }
}

impl std::error::Error for TlsError {}

impl Tls {
    /// - `roots`: PEM with the certificates that are trusted; those of the system, if there are
    ///   none.
    ///   PEM is taken with its lines, or with blanks in their place.
    /// - `own`: PEM with the client's certificate and those that stand for it, and PEM with its
    ///   key, where brokers ask for them.
    /// - `checks_name`: whether a broker has to prove its name, and not only that it is trusted.
    ///
    /// # Errors
    /// PEM that isn't any, or a key that isn't the certificate's.
    pub fn new(
        roots: Option<&str>,
        own: Option<(&str, &str)>,
        checks_name: bool,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(root_store(roots)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let verifier = verifier.build().map_err(|error| TlsPart::Roots.fault(error))?;
        let verifier: Arc<dyn ServerCertVerifier> =
            if checks_name { verifier } else { Arc::new(Nameless(verifier)) };
        let builder = ClientConfig::builder_with_provider(provider);
        let versions = builder.with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| TlsPart::Roots.fault(error))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain, TlsPart::Chain)?;
                let key = PrivateKeyDer::from_pem_slice(lines(key).as_bytes());
                let key = key.map_err(|_| TlsPart::Key.fault(NO_KEY))?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| TlsPart::Key.fault(error))?
            }
        };
        Ok(Self { config: Arc::new(config) })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Transport for Tls {
    fn protect<'a>(&'a self, stream: TcpStream, address: &'a BrokerAddress) -> Protecting<'a> {
        Box::pin(async move {
            let name = ServerName::try_from(address.host.clone());
            let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            let connector = TlsConnector::from(Arc::clone(&self.config));
            let stream = connector.connect(name, stream).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// Whether it is over by itself: the broker has ended the connection for a reason of its own, or
/// what came was damaged on its way. What certificates and hello messages say stays the same, and
/// so does what an alert means that nobody knows.
///
/// Source: RFC 8446 §6. Of bad_record_mac, record_overflow and decode_error it says that they are
/// only seen "when messages were corrupted in the network"; decryption_failed is what TLS 1.0 had
/// for the first of them.
pub(super) fn may_pass(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|inner| inner.downcast_ref());
    match error {
        Some(rustls::Error::AlertReceived(alert)) => matches!(
            alert,
            AlertDescription::CloseNotify
                | AlertDescription::UserCanceled
                | AlertDescription::InternalError
                | AlertDescription::BadRecordMac
                | AlertDescription::DecryptionFailed
                | AlertDescription::RecordOverflow
                | AlertDescription::DecodeError
        ),
        Some(rustls::Error::DecryptError) => true,
        _ => false,
    }
}

/// What the parser says of a text may have parts of it.
const NO_KEY: &str = "there is no private key in the PEM that can be read";
const NO_CERTIFICATE: &str = "there is no certificate in the PEM";
const DAMAGED: &str = "a certificate in the PEM can't be read";

fn certificates(pem: &str, part: TlsPart) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = lines(pem);
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|_| part.fault(DAMAGED))?;
    if found.is_empty() {
        return Err(part.fault(NO_CERTIFICATE));
    }
    Ok(found)
}

/// The sections of PEM, each with its marks on lines of their own, as the parser wants them. In a
/// file of settings all of it may be one line. One that isn't whole stays as it is.
fn lines(pem: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    const DASHES: &str = "-----";
    let section = |text| {
        let (label, text) = str::split_once(text, DASHES)?;
        let (body, text) = text.split_once(END)?;
        let (end, behind) = text.split_once(DASHES)?;
        Some((label, body, end, behind))
    };
    let (mut lines, mut rest) = (String::with_capacity(pem.len()), pem);
    while let Some((_, begun)) = rest.split_once(BEGIN) {
        let Some((label, body, end, behind)) = section(begun) else {
            lines.extend([BEGIN, begun]);
            break;
        };
        lines.extend([BEGIN, label, DASHES, "\n"]);
        body.split_whitespace().for_each(|line| lines.extend([line, "\n"]));
        lines.extend([END, end, DASHES, "\n"]);
        rest = behind;
    }
    lines
}

fn root_store(pem: Option<&str>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match pem {
        Some(pem) => {
            for certificate in certificates(pem, TlsPart::Roots)? {
                roots.add(certificate).map_err(|error| TlsPart::Roots.fault(error))?;
            }
        }
        None => {
            // One that can't be read is left out, as everywhere.
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    Ok(roots)
}

/// Believes whoever is trusted, whatever the name (`ssl.endpoint.identification.algorithm=`).
#[derive(Debug)]
struct Nameless(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Nameless {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(own, others, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
