//! SCRAM: a password that is proven and not told, by either side (RFC 5802, RFC 7677).

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256, Sha512};

use super::{SaslExchange, SaslMechanism, SaslStep};
use crate::BrokerAddress;

/// Which hash it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramHash {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// A name and a password.
#[derive(Clone)]
pub struct Scram {
    hash: ScramHash,
    name: String,
    password: String,
}

/// The fewest rounds with which a password is hashed; who asks for fewer wants it weak.
const ROUNDS_MIN: u32 = 4_096;
/// The most; who asks for more wants our time. Kafka's own limit is 16,384.
const ROUNDS_MAX: u32 = 65_536;
/// Random bytes of a nonce.
const NONCE_BYTES: usize = 24;
/// What says that no channel is bound.
const NO_BINDING: &str = "n,,";

impl Scram {
    /// As whom to appear.
    #[must_use]
    pub fn new(hash: ScramHash, name: impl Into<String>, password: impl Into<String>) -> Self {
        Self { hash, name: name.into(), password: password.into() }
    }
}

impl fmt::Debug for Scram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Scram");
        out.field("hash", &self.hash).field("name", &self.name).finish_non_exhaustive()
    }
}

impl SaslMechanism for Scram {
    fn name(&self) -> &str {
        match self.hash {
            ScramHash::Sha256 => "SCRAM-SHA-256",
            ScramHash::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn begin(&self, _: &BrokerAddress) -> Box<dyn SaslExchange> {
        Box::new(Exchange { scram: self.clone(), nonce: String::new(), expected: None })
    }
}

/// Letters that nobody can foresee, from the system's random numbers.
fn nonce() -> Result<String, String> {
    let mut bytes = [0; NONCE_BYTES];
    let none = |error| format!("the system has no random numbers: {error}");
    getrandom::fill(&mut bytes).map_err(none)?;
    Ok(STANDARD.encode(bytes))
}

/// One authentication.
struct Exchange {
    scram: Scram,
    /// Empty until it is drawn for the first words.
    nonce: String,
    /// What the broker has to prove with its last words.
    expected: Option<Vec<u8>>,
}

impl Exchange {
    fn first_bare(&self) -> String {
        let name = self.scram.name.replace('=', "=3D").replace(',', "=2C");
        format!("n={name},r={}", self.nonce)
    }

    /// Proves the password with what the broker has said first.
    fn prove(&mut self, challenge: &str) -> Result<String, String> {
        let fields = fields(challenge);
        let field = |name: &str| {
            fields.get(name).copied().ok_or_else(|| format!("its challenge has no {name}="))
        };
        let nonce = field("r")?;
        if !nonce.starts_with(&self.nonce) || nonce == self.nonce {
            return Err("its nonce doesn't continue ours".to_owned());
        }
        let salt = STANDARD.decode(field("s")?).map_err(|_| "its salt is no base64".to_owned())?;
        let rounds: u32 = field("i")?.parse().map_err(|_| "it asks for no number of rounds")?;
        if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds) {
            return Err(format!(
                "it asks for {rounds} rounds, {ROUNDS_MIN} to {ROUNDS_MAX} are done"
            ));
        }
        let hash = self.scram.hash;
        let salted = hash.salt(self.scram.password.as_bytes(), &salt, rounds);
        let binding = STANDARD.encode(NO_BINDING);
        let last = format!("c={binding},r={nonce}");
        let whole = format!("{},{challenge},{last}", self.first_bare());
        let client_key = hash.mac(&salted, b"Client Key");
        let signature = hash.mac(&hash.digest(&client_key), whole.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let server_key = hash.mac(&salted, b"Server Key");
        self.expected = Some(hash.mac(&server_key, whole.as_bytes()));
        Ok(format!("{last},p={}", STANDARD.encode(proof)))
    }
}

impl SaslExchange for Exchange {
    fn step(&mut self, challenge: Option<&[u8]>) -> Result<SaslStep, String> {
        let Some(challenge) = challenge else {
            if self.nonce.is_empty() {
                self.nonce = nonce()?;
            }
            let first = format!("{NO_BINDING}{}", self.first_bare());
            return Ok(SaslStep::Say(first.into_bytes()));
        };
        let challenge = str::from_utf8(challenge).map_err(|_| "its challenge is no text")?;
        let Some(expected) = &self.expected else {
            return Ok(SaslStep::Say(self.prove(challenge)?.into_bytes()));
        };
        let proven = fields(challenge).get("v").and_then(|text| STANDARD.decode(text).ok());
        if proven.as_ref() == Some(expected) {
            Ok(SaslStep::Done)
        } else {
            Err("it doesn't prove that it knows the password".to_owned())
        }
    }
}

/// The fields of a message, as `r=nonce,s=salt`.
fn fields(message: &str) -> HashMap<&str, &str> {
    message.split(',').filter_map(|field| field.split_once('=')).collect()
}

impl ScramHash {
    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn mac(self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        self.macs(key, bytes, 1)
    }

    /// The password hashed so often, `Hi` of RFC 5802.
    fn salt(self, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
        self.macs(password, &[salt, &[0, 0, 0, 1]].concat(), rounds)
    }

    /// The codes of bytes, of their code, and so on, all together by XOR.
    fn macs(self, key: &[u8], bytes: &[u8], rounds: u32) -> Vec<u8> {
        const ANY_KEY: &str = "a key of any length is one";
        match self {
            Self::Sha256 => {
                macs(&Hmac::<Sha256>::new_from_slice(key).expect(ANY_KEY), bytes, rounds)
            }
            Self::Sha512 => {
                macs(&Hmac::<Sha512>::new_from_slice(key).expect(ANY_KEY), bytes, rounds)
            }
        }
    }
}

/// - `keyed`: has taken the key, which is half of the work of a code.
fn macs<M: Mac + Clone>(keyed: &M, bytes: &[u8], rounds: u32) -> Vec<u8> {
    let mac = |bytes: &[u8]| keyed.clone().chain_update(bytes).finalize().into_bytes();
    let mut last = mac(bytes);
    let mut all = last.to_vec();
    for _ in 1..rounds {
        last = mac(&last);
        all.iter_mut().zip(&last).for_each(|(a, b)| *a ^= b);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(exchange: &mut Exchange, challenge: Option<&str>) -> String {
        match exchange.step(challenge.map(str::as_bytes)).unwrap() {
            SaslStep::Say(bytes) => String::from_utf8(bytes).unwrap(),
            SaslStep::Done => "done".to_owned(),
        }
    }

    fn exchange() -> Exchange {
        let scram = Scram::new(ScramHash::Sha256, "user", "pencil");
        Exchange { scram, nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(), expected: None }
    }

    const FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_standard_s_own_exchange_is_understood() {
        let mut exchange = exchange();
        assert_eq!(say(&mut exchange, None), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(
            say(&mut exchange, Some(FIRST)),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let proof = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(say(&mut exchange, Some(proof)), "done");
    }

    #[test]
    fn a_broker_that_can_t_prove_itself_is_refused() {
        let refused = |steps: &[&str]| {
            let mut exchange = exchange();
            say(&mut exchange, None);
            let (last, before) = steps.split_last().unwrap();
            before.iter().for_each(|step| drop(say(&mut exchange, Some(step))));
            exchange.step(Some(last.as_bytes())).unwrap_err()
        };
        for (steps, reason) in [
            (&[FIRST, "v=AAAA"][..], "it doesn't prove that it knows the password"),
            (&[FIRST, "e=other-error"], "it doesn't prove that it knows the password"),
            (&["r=another,s=W22Z,i=4096"], "its nonce doesn't continue ours"),
            (&["r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096"], "its nonce doesn't continue ours"),
            (&["r=rOprNGfwEbeRWgbNEkqOx,i=4096"], "its challenge has no s="),
            (
                &["r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=1"],
                "it asks for 1 rounds, 4096 to 65536 are done",
            ),
        ] {
            assert_eq!(refused(steps), reason);
        }
    }

    #[test]
    fn a_name_is_escaped() {
        let scram = Scram::new(ScramHash::Sha512, "a=b,c", "");
        let mut exchange = Exchange { scram, nonce: "x".to_owned(), expected: None };
        assert_eq!(say(&mut exchange, None), "n,,n=a=3Db=2Cc,r=x");
    }

    #[test]
    fn every_exchange_has_a_nonce_of_its_own() {
        let scram = Scram::new(ScramHash::Sha256, "user", "pencil");
        let address = BrokerAddress { host: "a".to_owned(), port: 1 };
        let [one, other] = [(); 2].map(|()| {
            let SaslStep::Say(said) = scram.begin(&address).step(None).unwrap() else {
                panic!("it begins");
            };
            let said = String::from_utf8(said).unwrap();
            let nonce = STANDARD.decode(fields(&said)["r"]).unwrap();
            <[u8; NONCE_BYTES]>::try_from(nonce).unwrap()
        });
        assert_ne!(one, other);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let scram = Scram::new(ScramHash::Sha256, "user", "pencil");
        assert!(!format!("{scram:?}").contains("pencil"));
    }
}
