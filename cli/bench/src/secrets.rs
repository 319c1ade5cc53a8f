//! What of settings nobody is to read in a file that is kept or a page that is shown.
//!
//! Must always hold: the value of a secret is masked before anything else of a run has it.

/// What stands in the place of a secret.
const MASK: &str = "***";
/// What the names of secrets contain, and with what they end: a key in PEM is a value, too.
const NAMES: [&str; 3] = ["password", "jaas", "secret"];
const ENDS: [&str; 2] = [".key", ".pem"];

/// The value of a setting, as it may be shown.
pub(crate) fn masked<'a>(key: &str, value: &'a str) -> &'a str {
    if is_secret(key) { MASK } else { value }
}

/// A word of a command line, as it may be shown: `KEY=VALUE`, by itself or behind `--option=`.
pub(crate) fn masked_word(word: &str) -> String {
    let mut from = 0;
    for (at, _) in word.match_indices('=') {
        if is_secret(&word[from..at]) {
            return format!("{}={MASK}", &word[..at]);
        }
        from = at + 1;
    }
    word.to_owned()
}

fn is_secret(key: &str) -> bool {
    let key = key.trim().to_ascii_lowercase();
    NAMES.iter().any(|name| key.contains(name)) || ENDS.iter().any(|end| key.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_keys_are_masked_and_nothing_else() {
        for key in [
            "ssl.truststore.password",
            "sasl.jaas.config",
            "SASL.Password",
            "client.secret",
            "ssl.keystore.key",
            "ssl.key.pem",
        ] {
            assert_eq!(masked(key, "hush"), MASK, "{key}");
        }
        for key in ["linger.ms", "ssl.keystore.type", "key", "sasl.mechanism"] {
            assert_eq!(masked(key, "5"), "5", "{key}");
        }
    }

    #[test]
    fn a_word_of_a_command_shows_the_names_of_secrets_only() {
        for (word, shown) in [
            ("sasl.jaas.config=Login required password=\"x\";", "sasl.jaas.config=***"),
            ("--property=ssl.key.password=x=y", "--property=ssl.key.password=***"),
            ("--property=linger.ms=5", "--property=linger.ms=5"),
            ("--topic=t", "--topic=t"),
            ("produce", "produce"),
        ] {
            assert_eq!(masked_word(word), shown);
        }
    }
}
