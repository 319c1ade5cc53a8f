//! Plan: a scripted broker asks who the client is; with TLS a server of rustls stands in for it.

use std::sync::Arc;
use std::time::Duration;

use logboom_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use logboom_protocol::messages::sasl_authenticate::{
    SaslAuthenticateRequest, SaslAuthenticateResponse,
};
use logboom_protocol::messages::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};
use logboom_protocol::{ApiKey, ErrorCode};

use crate::testing::{Arrived, ScriptedBroker};
use crate::{ClientConfig, Connection, Plain, Properties, Remedy, Security};

const SECOND: Duration = Duration::from_secs(1);

/// A broker that believes one password, for so many milliseconds.
async fn broker(lifetime_ms: i64) -> crate::BrokerAddress {
    let broker = ScriptedBroker::bind().await;
    let address = broker.address.clone();
    broker.run(move |asked: &Arrived| {
        Some(match asked.api {
            ApiKey::SaslHandshake => {
                let request: SaslHandshakeRequest = asked.decode();
                let is_known = request.mechanism == "PLAIN";
                let unknown = ErrorCode::UNSUPPORTED_SASL_MECHANISM;
                asked.answer(&SaslHandshakeResponse {
                    error_code: if is_known { ErrorCode::NONE } else { unknown },
                    mechanisms: vec!["PLAIN".into()],
                })
            }
            ApiKey::SaslAuthenticate => {
                let request: SaslAuthenticateRequest = asked.decode();
                let is_right = request.auth_bytes == b"\0alice\0secret"[..];
                let wrong = ErrorCode::SASL_AUTHENTICATION_FAILED;
                asked.answer(&SaslAuthenticateResponse {
                    error_code: if is_right { ErrorCode::NONE } else { wrong },
                    error_message: Some("who are you?".into()),
                    session_lifetime_ms: lifetime_ms,
                    ..SaslAuthenticateResponse::default()
                })
            }
            _ => asked.answer(&MetadataResponse::default()),
        })
    });
    address
}

fn config(text: &str) -> ClientConfig {
    let mut config = ClientConfig::default();
    config.apply(&Properties::parse(text).unwrap()).unwrap();
    config
}

#[tokio::test]
async fn a_client_says_who_it_is_before_it_asks() {
    let config = config(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
         sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"alice\" password=\"secret\";",
    );
    let connection = Connection::connect(&broker(0).await, &config).await.unwrap();
    connection.send(&MetadataRequest::default(), SECOND).await.unwrap();
    assert!(connection.is_usable());
}

#[tokio::test]
async fn who_isn_t_believed_hears_why_and_needn_t_try_again() {
    let address = broker(0).await;
    for (user, mechanism, expected) in [
        ("mallory", "PLAIN", "PLAIN: SASL_AUTHENTICATION_FAILED (58): who are you?"),
        #[cfg(feature = "scram")]
        (
            "alice",
            "SCRAM-SHA-256",
            "SCRAM-SHA-256: UNSUPPORTED_SASL_MECHANISM (33); it knows PLAIN",
        ),
    ] {
        let config = config(&format!(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism={mechanism}\n\
             sasl.username={user}\nsasl.password=secret"
        ));
        let error = Connection::connect(&address, &config).await.unwrap_err();
        assert_eq!(error.to_string(), format!("broker {address}: {expected}"));
        assert_eq!(error.remedy(), Remedy::FixCall);
        assert!(!format!("{error:?}{config:?}").contains("secret"));
    }
}

#[tokio::test]
async fn a_session_that_is_about_to_end_is_not_used() {
    let sasl: Arc<dyn super::SaslMechanism> = Arc::new(Plain::new("alice", "secret"));
    let security = Security { sasl: Some(sasl), transport: None };
    let config = ClientConfig { security, ..ClientConfig::default() };
    let connection = Connection::connect(&broker(1).await, &config).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert!(!connection.is_usable());
    assert!(connection.closed().is_none(), "what is under way goes on");
}

#[test]
fn a_login_is_read_as_java_reads_it() {
    let password = |options: &str| {
        let text = format!("module required {options};");
        super::properties::jaas_option(&text, "password")
    };
    assert_eq!(password(r#"username="a" password="b=c""#).unwrap(), "b=c");
    assert_eq!(password(r#"password = 'x' username="a""#).unwrap(), "x");
    assert_eq!(password(r#"username="password=1" password="a\"b\\c""#).unwrap(), r#"a"b\c"#);
    assert_eq!(password(r#"debug=true password="x" username=a"#).unwrap(), "x");
    assert_eq!(password("username=a password=x").unwrap(), "x");
    assert_eq!(password(r#"mypassword="x""#), None);
}

#[test]
fn settings_that_are_missing_are_named() {
    let reason = |text: &str| {
        let properties = Properties::parse(text).unwrap();
        Security::of(&properties).unwrap_err().to_string()
    };
    assert!(reason("security.protocol=TLS").starts_with("security.protocol=TLS: "));
    let sasl = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n";
    assert!(reason(sasl).starts_with("sasl.username=: it has to be set"), "{}", reason(sasl));
    let user = format!("{sasl}sasl.username=a\n");
    assert!(reason(&user).starts_with("sasl.password="), "{}", reason(&user));
    let user = "security.protocol=SASL_PLAINTEXT\nsasl.username=a\nsasl.password=b\n";
    assert!(reason(user).starts_with("sasl.mechanism=GSSAPI: "), "{}", reason(user));
    let mechanism = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=OAUTHBEARER\n";
    let reason = reason(mechanism);
    assert!(reason.starts_with("sasl.mechanism=OAUTHBEARER: "), "before the name: {reason}");
}

#[cfg(feature = "tls")]
mod tls {
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::ClientError;

    /// A listener that protects one connection and hears its first byte.
    ///
    /// - `asks`: whether it wants the client to have a certificate that it has signed.
    async fn server(key: &rcgen::CertifiedKey<rcgen::KeyPair>, asks: bool) -> crate::BrokerAddress {
        let chain = vec![key.cert.der().clone()];
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(key.cert.der().clone()).unwrap();
        let (roots, of) = (Arc::new(roots), Arc::clone(&provider));
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots, of);
        let builder = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match asks {
            true => builder.with_client_cert_verifier(verifier.build().unwrap()),
            false => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(chain, private.unwrap()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    crate::testing::serve_versions(stream).await;
                }
            }
        });
        crate::BrokerAddress { host: "127.0.0.1".to_owned(), port }
    }

    fn certificate(name: &str) -> rcgen::CertifiedKey<rcgen::KeyPair> {
        rcgen::generate_simple_self_signed([name.to_owned()]).unwrap()
    }

    async fn connect(
        address: &crate::BrokerAddress,
        roots: &str,
        more: &str,
    ) -> Result<Connection, ClientError> {
        Connection::connect(address, &config(roots, more)).await
    }

    fn config(roots: &str, more: &str) -> ClientConfig {
        let mut properties = Properties::parse(more).unwrap();
        properties.set("security.protocol", "SSL");
        properties.set("ssl.truststore.type", "PEM");
        properties.set("ssl.truststore.certificates", roots);
        let api_timeout = Duration::from_secs(2);
        let mut config = ClientConfig { api_timeout, ..ClientConfig::default() };
        config.apply(&properties).unwrap();
        config
    }

    #[tokio::test]
    async fn a_broker_proves_its_name_unless_nobody_wants_it() {
        let (own, other) = (certificate("127.0.0.1"), certificate("elsewhere"));
        let address = server(&own, false).await;
        connect(&address, &own.cert.pem(), "").await.unwrap();
        let error = connect(&address, &other.cert.pem(), "").await.unwrap_err();
        is_disbelief(&error);
        let address = server(&other, false).await;
        let error = connect(&address, &other.cert.pem(), "").await.unwrap_err();
        is_disbelief(&error);
        let nameless = "ssl.endpoint.identification.algorithm=";
        connect(&address, &other.cert.pem(), nameless).await.unwrap();
        let error = connect(&address, &own.cert.pem(), nameless).await.unwrap_err();
        is_disbelief(&error);
    }

    /// It isn't tried again.
    fn is_disbelief(error: &ClientError) {
        assert_eq!(error.remedy(), Remedy::FixCall, "{error}");
        assert!(error.to_string().contains(": TLS: "), "{error}");
    }

    #[tokio::test]
    async fn a_broker_that_is_not_believed_is_told_of_at_once() {
        let (own, other) = (certificate("127.0.0.1"), certificate("127.0.0.1"));
        let address = server(&own, false).await;
        let cluster = crate::Cluster::new(vec![address], config(&other.cert.pem(), ""));
        let error = cluster.image(None).await.unwrap_err();
        assert!(matches!(error, ClientError::NoBroker { .. }), "not by a deadline: {error}");
        is_disbelief(&error);
    }

    #[tokio::test]
    async fn a_client_that_is_not_believed_is_told_of_at_once() {
        let own = certificate("127.0.0.1");
        let address = server(&own, true).await;
        let error = connect(&address, &own.cert.pem(), "").await.unwrap_err();
        is_disbelief(&error);
    }

    #[tokio::test]
    async fn a_broker_without_tls_is_told_of_at_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400\r\n\r\n").await
        });
        let address = crate::BrokerAddress { host: "127.0.0.1".to_owned(), port };
        let own = certificate("127.0.0.1");
        is_disbelief(&connect(&address, &own.cert.pem(), "").await.unwrap_err());
    }

    /// A listener that answers a hello with this alert.
    async fn alerting(alert: u8) -> crate::BrokerAddress {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        const FATAL: u8 = 2;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut hello = [0; 5];
                stream.read_exact(&mut hello).await.unwrap();
                let mut rest = vec![0; u16::from_be_bytes([hello[3], hello[4]]).into()];
                stream.read_exact(&mut rest).await.unwrap();
                stream.write_all(&[21, 3, 3, 0, 2, FATAL, alert]).await.unwrap();
                // Whoever doesn't take the alert for the end waits in vain.
                stream.read_to_end(&mut rest).await.ok();
            }
        });
        crate::BrokerAddress { host: "127.0.0.1".to_owned(), port }
    }

    #[tokio::test]
    async fn an_alert_is_tried_again_only_where_it_may_come_by_chance() {
        let own = certificate("127.0.0.1");
        // close_notify, bad_record_mac, decryption_failed, record_overflow, decode_error,
        // internal_error, user_canceled.
        const BY_CHANCE: [u8; 7] = [0, 20, 21, 22, 50, 80, 90];
        // Those that RFC 8446 knows, those that it has given up, and some that nobody knows.
        let known = [
            0, 10, 20, 21, 22, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60, 70, 71, 80,
            86, 90, 100, 109, 110, 111, 112, 113, 114, 115, 116, 120,
        ];
        for alert in known.into_iter().chain([1, 77, 121, 255]) {
            let error = connect(&alerting(alert).await, &own.cert.pem(), "").await.unwrap_err();
            match BY_CHANCE.contains(&alert) {
                true => assert_eq!(error.remedy(), Remedy::Retry, "{alert}: {error}"),
                false => is_disbelief(&error),
            }
        }
    }

    #[test]
    fn a_passphrase_is_refused_and_not_told() {
        let text = "security.protocol=SSL\nssl.key.password=secret";
        let error = Security::of(&Properties::parse(text).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("ssl.key.password=***: it has to be left out"), "{error}");
    }

    /// The settings of a client that says who it is.
    fn own(chain: &str, key: &str) -> Properties {
        let mut properties = Properties::parse("security.protocol=SSL").unwrap();
        // A machine may trust nobody.
        properties.set("ssl.truststore.certificates", certificate("root").cert.pem());
        properties.set("ssl.keystore.certificate.chain", chain);
        properties.set("ssl.keystore.key", key);
        properties
    }

    #[tokio::test]
    async fn pem_may_be_one_line_as_it_is_in_a_file_of_settings() {
        let own_key = certificate("127.0.0.1");
        let (chain, key) = (own_key.cert.pem(), own_key.signing_key.serialize_pem());
        for between in [" ", "\r\n\t", ""] {
            let one_line = |pem: &str| pem.lines().collect::<Vec<_>>().join(between);
            Security::of(&own(&one_line(&chain), &one_line(&key))).unwrap();
            let text = format!("ssl.truststore.certificates={}", one_line(&chain).trim_end());
            let address = server(&own_key, false).await;
            let roots = Properties::parse(&text.replace(['\r', '\n'], " ")).unwrap();
            let roots = roots.get("ssl.truststore.certificates").unwrap();
            connect(&address, roots, "").await.unwrap();
        }
        let twice = format!("{chain} # between\n{chain}").replace('\n', " ");
        connect(&server(&own_key, false).await, &twice, "").await.unwrap();
    }

    #[test]
    fn pem_that_is_none_is_named_by_its_setting_and_a_key_is_told_nowhere() {
        let (one, other) = (certificate("a"), certificate("b"));
        let (chain, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        let secret = key.lines().nth(1).unwrap();
        let half = format!("-----BEGIN PRIVATE KEY----- {secret} -----END PRIVATE KEY----");
        let label = format!("-----BEGIN PRIVATE KEY {secret}-----");
        for (chain, key, setting, reason) in [
            (&chain, &half, "ssl.keystore.key", "no private key"),
            (&chain, &label, "ssl.keystore.key", "no private key"),
            (&chain, &other.signing_key.serialize_pem(), "ssl.keystore.key", "consistent"),
            (&key, &key, "ssl.keystore.certificate.chain", "no certificate"),
            (&label, &key, "ssl.keystore.certificate.chain", "can't be read"),
        ] {
            let error = Security::of(&own(chain, key)).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.starts_with(&format!("{setting}=***: it has to be PEM")), "{text}");
            assert!(text.contains(reason), "{text}");
            let shown = |part: &[u8]| text.contains(str::from_utf8(part).unwrap());
            assert!(!secret.as_bytes().chunks(8).any(shown), "{text}");
            assert!(!text.contains(&format!("{:?}", &secret.as_bytes()[..8])[1..8]), "{text}");
        }
        let mut properties = Properties::parse("security.protocol=SASL_SSL").unwrap();
        properties.set("ssl.truststore.certificates", "nothing");
        let error = Security::of(&properties).unwrap_err().to_string();
        assert!(error.starts_with("ssl.truststore.certificates=***: it has to be PEM"), "{error}");
    }

    #[test]
    fn half_a_certificate_of_the_client_s_is_an_error() {
        for (given, missing) in [
            ("ssl.keystore.certificate.chain", "ssl.keystore.key"),
            ("ssl.keystore.key", "ssl.keystore.certificate.chain"),
        ] {
            let mut properties = Properties::parse("security.protocol=SSL").unwrap();
            properties.set(given, "PEM");
            let error = Security::of(&properties).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{missing}=: it has to be set")), "{error}");
        }
    }
}
