//! The exchange over a connection: a handshake names the mechanism, then challenges and answers
//! follow each other (KIP-43, KIP-152).

use std::time::Duration;

use tokio::time::Instant;

use logboom_protocol::messages::sasl_authenticate::SaslAuthenticateRequest;
use logboom_protocol::messages::sasl_handshake::SaslHandshakeRequest;
use logboom_protocol::{ErrorCode, VersionRange};

use super::{SaslMechanism, SaslStep};
use crate::{ClientError, Connection, Disconnect};

/// Steps after which an exchange that doesn't end is given up.
const STEPS_MAX: usize = 16;
/// The handshake behind which answers are requests of their own.
const HANDSHAKE: VersionRange = VersionRange { min: 1, max: 1 };
/// The part of a session after which its connection isn't used any more, in percent.
const SESSION_PERCENT: u32 = 85;

/// Says who the client is; returns until when the connection may be used, if that has an end
/// (KIP-368).
///
/// # Errors
/// The broker doesn't know the mechanism or doesn't believe it; or the connection is lost.
pub(crate) async fn authenticate(
    connection: &Connection,
    mechanism: &dyn SaslMechanism,
    timeout: Duration,
) -> Result<Option<Instant>, ClientError> {
    let refused_by = |code: Option<ErrorCode>, reason: String| {
        let mechanism = mechanism.name().to_owned();
        let reason = Disconnect::Authentication { mechanism, reason, code };
        ClientError::Connection { address: connection.address().clone(), reason }
    };
    let refused = |reason| refused_by(None, reason);
    let handshake = SaslHandshakeRequest { mechanism: mechanism.name().into() };
    let known = connection.send_within(&handshake, HANDSHAKE, timeout).await?;
    if known.error_code != ErrorCode::NONE {
        let names: Vec<&str> = known.mechanisms.iter().map(|name| name.as_str()).collect();
        let reason = format!("{}; it knows {}", known.error_code, names.join(", "));
        return Err(refused_by(Some(known.error_code), reason));
    }
    let mut exchange = mechanism.begin(connection.address());
    let mut challenge = None;
    let mut until = None;
    for _ in 0..STEPS_MAX {
        let step = exchange.step(challenge.as_deref()).map_err(refused)?;
        let SaslStep::Say(said) = step else { return Ok(until) };
        let request = SaslAuthenticateRequest { auth_bytes: said.into() };
        let begun = Instant::now();
        let answer = connection.send(&request, timeout).await?;
        if answer.error_code != ErrorCode::NONE {
            let words = answer.error_message.as_deref().unwrap_or("without a reason");
            let reason = format!("{}: {words}", answer.error_code);
            return Err(refused_by(Some(answer.error_code), reason));
        }
        if let Ok(lifetime) = u64::try_from(answer.session_lifetime_ms)
            && lifetime > 0
        {
            until = Some(begun + Duration::from_millis(lifetime) * SESSION_PERCENT / 100);
        }
        challenge = Some(answer.auth_bytes.to_vec());
    }
    Err(refused(format!("it hasn't ended after {STEPS_MAX} steps")))
}
