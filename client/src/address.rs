//! Where a broker listens: a host and a port.

use std::fmt;
use std::str::FromStr;

/// A broker's address, not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BrokerAddress {
    /// A name, or an IP address without brackets.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

/// The port of an address that names none.
const DEFAULT_PORT: u16 = 9092;

impl BrokerAddress {
    /// Reads a list as in `bootstrap.servers`: addresses with commas between them.
    ///
    /// # Errors
    /// The first address that is none, or an empty list.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AddressError> {
        let addresses = text.split(',').map(str::trim).filter(|address| !address.is_empty());
        let addresses = addresses.map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(AddressError { text: text.to_owned() });
        }
        Ok(addresses)
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The text is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    /// As given.
    pub text: String,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no broker address; write HOST:PORT or [IPV6]:PORT", self.text)
    }
}

impl std::error::Error for AddressError {}

impl FromStr for BrokerAddress {
    type Err = AddressError;

    /// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`; the port is 9092 if there is none. The name
    /// of a listener may stand before it, as in `SASL_SSL://HOST:PORT`, and says nothing here.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = || AddressError { text: text.to_owned() };
        let is_of_listener = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let address = match text.split_once("://") {
            Some((name, address)) if name.chars().all(is_of_listener) => address,
            _ => text,
        };
        let (host, port) = if let Some(inner) = address.strip_prefix('[') {
            let (host, rest) = inner.split_once(']').ok_or_else(error)?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')) };
            (host, port.map(|port| port.ok_or_else(error)).transpose()?)
        } else {
            match address.split_once(':') {
                // More than one colon is an IPv6 address that lacks its brackets.
                Some((_, port)) if port.contains(':') => return Err(error()),
                Some((host, port)) => (host, Some(port)),
                None => (address, None),
            }
        };
        let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| error()))?;
        let blank = |c: char| c.is_whitespace() || c == '/';
        if host.is_empty() || host.contains(blank) || port == 0 {
            return Err(error());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back_as_they_are_written() {
        for (text, host, port) in [
            ("broker-1:19092", "broker-1", 19092),
            ("127.0.0.1", "127.0.0.1", 9092),
            ("[::1]:9093", "::1", 9093),
            ("[fe80::1]", "fe80::1", 9092),
        ] {
            let address: BrokerAddress = text.parse().unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port));
            assert_eq!(format!("SASL_SSL://{text}").parse().as_ref(), Ok(&address));
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_named() {
        for text in ["", ":9092", "a:", "a:0", "a:65536", "a:b", "::1", "[::1", "[::1]9", "a b:1"] {
            assert_eq!(text.parse::<BrokerAddress>(), Err(AddressError { text: text.to_owned() }));
        }
        assert!("http://a:1".parse::<BrokerAddress>().is_err());
    }

    #[test]
    fn a_list_allows_blanks_and_needs_one_address() {
        let list = BrokerAddress::parse_list("a:1, b:2,").unwrap();
        assert_eq!(list.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:1", "b:2"]);
        assert!(BrokerAddress::parse_list(" , ").is_err());
        assert_eq!(BrokerAddress::parse_list("a:1,b:x").unwrap_err().text, "b:x");
    }
}
