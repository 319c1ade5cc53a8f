//! PLAIN: a name and a password, as they are (RFC 4616). Only over TLS.

use std::fmt;

use super::{SaslExchange, SaslMechanism, SaslStep};
use crate::BrokerAddress;

/// A name and a password.
#[derive(Clone)]
pub struct Plain {
    name: String,
    password: String,
}

impl Plain {
    /// As whom to appear.
    #[must_use]
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self { name: name.into(), password: password.into() }
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SaslMechanism for Plain {
    fn name(&self) -> &str {
        "PLAIN"
    }

    fn begin(&self, _: &BrokerAddress) -> Box<dyn SaslExchange> {
        Box::new(self.clone())
    }
}

impl SaslExchange for Plain {
    fn step(&mut self, challenge: Option<&[u8]>) -> Result<SaslStep, String> {
        Ok(match challenge {
            None => SaslStep::Say(format!("\0{}\0{}", self.name, self.password).into_bytes()),
            Some(_) => SaslStep::Done,
        })
    }
}
