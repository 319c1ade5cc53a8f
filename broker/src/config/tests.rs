//! Where settings come from, which counts, and what stops a start.

use std::fmt::Write as _;
use std::path::Path;

use logboom_controller::config::{ConfigError, broker};

use super::*;

fn from_toml(text: &str) -> Result<Config, String> {
    let mut settings = Settings::default();
    settings
        .add_toml(text, &Origin::File("broker.toml".to_owned()))
        .and_then(|()| Config::new(&settings))
        .map_err(|problem| problem.to_string())
}

#[test]
fn nothing_set_is_one_node_on_loopback() {
    let config = Config::new(&Settings::default()).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("./logboom-data"));
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].bind.to_string(), "127.0.0.1:9092");
    assert_eq!(config.admin.map(|address| address.to_string()).as_deref(), Some("127.0.0.1:9644"));
    assert_eq!((config.settings.broker_id(), config.shards), (1, 0));
}

#[test]
fn keys_are_flat_dotted_quoted_or_in_tables() {
    for text in [
        "log.segment.bytes = 2097152",
        "\"log.segment.bytes\" = 2097152",
        "\"log.segment.bytes\" = \"2097152\"",
        "[log.segment]\nbytes = 2097152",
        "log = { segment = { bytes = 2097152 } }",
    ] {
        let config = from_toml(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(config.settings.get("log.segment.bytes"), Some("2097152"), "{text}");
    }
    let text = "\"max.connections\" = 100\n\"max.connections.per.ip\" = 10\n\
                auto.create.topics.enable = false\nlog.cleanup.policy = [\"compact\", \"delete\"]";
    let config = from_toml(text).unwrap();
    for (key, value) in [
        ("max.connections", "100"),
        ("max.connections.per.ip", "10"),
        ("auto.create.topics.enable", "false"),
        ("log.cleanup.policy", "compact,delete"),
    ] {
        assert_eq!(config.settings.get(key), Some(value));
    }
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let mut settings = Settings::default();
    let text = "num.partitions = 2\nnode.id = 2\nlog.dir = \"a\"\nmessage.max.bytes = 5000";
    settings.add_toml(text, &Origin::File("f".to_owned())).unwrap();
    let variables =
        [("LOGBOOM_NUM_PARTITIONS", "3"), ("LOGBOOM_BROKER_ID", "3"), ("LOGBOOM_LOG_DIRS", "b")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    settings.add_environment(variables).unwrap();
    settings.set("num.partitions", "4", Origin::Flag("--set")).unwrap();
    let config = Config::new(&settings).unwrap();
    assert_eq!(config.settings.get("num.partitions"), Some("4"));
    assert_eq!(config.settings.broker_id(), 3);
    assert_eq!(config.data_dir, PathBuf::from("b"));
    assert_eq!(config.settings.get("message.max.bytes"), Some("5000"));
}

#[test]
fn variables_that_are_no_setting_are_known_by_name() {
    let mut settings = Settings::default();
    let add = |settings: &mut Settings, name: &str| {
        settings.add_environment([(name.to_owned(), "7".to_owned())])
    };
    for name in ["LOGBOOM_LOG", "LOGBOOM_BOOTSTRAP", "LOGBOOM_LOG_FORMAT", "PATH"] {
        assert_eq!(add(&mut settings, name), Ok(()), "{name}");
    }
    let problem = add(&mut settings, "LOGBOOM_LOG_SEGMENT_BITES").unwrap_err().to_string();
    assert!(problem.contains("LOGBOOM_LOG_SEGMENT_BITES=7"), "{problem}");
}

#[test]
fn what_is_not_taken_is_named_with_value_rule_and_place_in_one_line() {
    for (text, parts) in [
        ("log.segment.bites = 5", ["log.segment.bites=5", "no broker configuration"]),
        ("log.segment.bytes = 5", ["log.segment.bytes=5", "at least 1048576"]),
        ("num.partitions = 0", ["num.partitions=0", "at least 1"]),
        ("num.partitions = \"many\"", ["num.partitions=many", "an integer of 32 bits"]),
        ("max.connections = 2000-01-01", ["max.connections=2000-01-01", "must be a text"]),
        ("max.connections = [[1]]", ["max.connections=[1]", "must be a text"]),
        ("a = 1\na.b = 2", ["line 2", "broker.toml"]),
        ("broker.id = 1\nnode.id = 2", ["broker.id and node.id", "set twice"]),
        ("log.dirs = \"a,b\"", ["log.dir=a,b", "one directory"]),
        ("log.dir = \"\"", ["log.dir=", "must name a directory"]),
        ("admin.listener = \"x\"", ["admin.listener=x", "ADDRESS:PORT"]),
        ("listeners = \"\"", ["listeners=", "at least one"]),
        ("listeners = \"x\"", ["listeners=x", "NAME://HOST:PORT"]),
        ("listeners = \"PLAINTEXT://::1:9\"", ["listeners=PLAINTEXT://::1:9", "isn't"]),
        ("listeners = \"PLAINTEXT://h:99999\"", ["99999", "NAME://HOST:PORT"]),
        ("listeners = \"PLAINTEXT://:9092\"", ["every address", "PLAINTEXT://HOST:9092"]),
        ("listeners = \"PLAINTEXT://[::]:1\"", ["every address", "advertised.listeners"]),
        ("listeners = \"SSL://127.0.0.1:1\"", ["SSL would speak SSL", "only PLAINTEXT"]),
        ("listeners = \"A://127.0.0.1:1\"", ["which protocol A speaks", "protocol.map"]),
        ("listeners = \"PLAINTEXT://[::1]:1,PLAINTEXT://[::1]:2\"", ["PLAINTEXT once", "[::1]:2"]),
        (
            "listener.congestion.control.map = \"X:reno\"",
            ["X isn't there", "listener.congestion.control.map=X:reno"],
        ),
        ("listener.congestion.control.map = \"reno\"", ["NAME:ALGORITHM", "map=reno"]),
        ("advertised.listeners = \"X://h:1\"", ["X isn't there", "advertised.listeners=X://h:1"]),
        ("advertised.listeners = \"PLAINTEXT://0.0.0.0:1\"", ["can reach", "0.0.0.0"]),
    ] {
        let error = from_toml(text).expect_err(text);
        assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let error = from_toml("num.partitions = 0").unwrap_err();
    assert_eq!(error, "num.partitions=0: must be at least 1 (set by broker.toml)");
}

#[test]
fn listeners_are_bound_here_and_told_as_written() {
    let text = "listeners = \"PLAINTEXT://0.0.0.0:9092,INSIDE://localhost:0,SIX://[::1]:7\"\n\
                advertised.listeners = [\"PLAINTEXT://kafka.example:19092\"]\n\
                listener.security.protocol.map = \
                \"PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,SIX:PLAINTEXT\"";
    let found = from_toml(text).unwrap().listeners;
    let found: Vec<String> = found
        .iter()
        .map(|l| format!("{} {} {}:{}", l.name, l.bind, l.advertised.host, l.advertised.port))
        .collect();
    assert_eq!(
        found,
        [
            "PLAINTEXT 0.0.0.0:9092 kafka.example:19092",
            "INSIDE 127.0.0.1:0 localhost:0",
            "SIX [::1]:7 ::1:7",
        ]
    );
}

#[test]
fn sockets_are_set_as_written() {
    let socket = |text: &str| from_toml(text).unwrap().listeners.remove(0).socket;
    assert_eq!(socket(""), SocketOptions::default());
    let text = "socket.send.buffer.bytes = 5\nsocket.receive.buffer.bytes = 6\n\
                socket.listen.backlog.size = 7\n\
                listener.congestion.control.map = \"PLAINTEXT:reno\"";
    let expected = SocketOptions {
        backlog: 7,
        send_buffer_bytes: Some(5),
        receive_buffer_bytes: Some(6),
        congestion_control: Some("reno".to_owned()),
    };
    assert_eq!(socket(text), expected);
}

#[test]
fn keys_without_a_meaning_here_are_taken() {
    for (key, _) in IGNORED {
        assert!(broker::find(key).is_none(), "{key} has a meaning");
        from_toml(&format!("{key} = 8")).unwrap();
    }
    let config = from_toml("num.io.threads = 3\nadmin.listener = \"\"").unwrap();
    assert_eq!((config.shards, config.admin), (3, None));
}

fn is_elsewhere(error: &ConfigError) -> bool {
    matches!(error, ConfigError::NotInFile { .. })
}

#[test]
fn what_has_no_effect_in_a_file_is_refused_with_the_command_that_sets_it() {
    for (text, says) in [
        (
            "balance.drain = true",
            "balance.drain has no effect here: it is set for one broker while that runs, by \
             `logboom cluster drain ID`",
        ),
        (
            "balance.once = false",
            "balance.once has no effect here: it is set for all brokers while they run, by \
             `logboom cluster balance`",
        ),
    ] {
        let refused = from_toml(text).unwrap_err();
        assert!(refused.contains(says) && refused.contains("broker.toml"), "{refused}");
    }
}

/// What `deploy/broker.toml` is to be.
fn template() -> String {
    let mut text = String::from(
        "# The configuration of a broker: every key, with its default.\n\
         #\n\
         # Remove the # in front of a key to set it. LOGBOOM_… variables go before this file\n\
         # (LOGBOOM_LOG_DIR for log.dir), and flags before those (--set log.dir=DIR).\n\
         # A key without a value has no default.\n",
    );
    for broker in broker::all() {
        let definition = broker.definition;
        let when = match broker.update {
            broker::Update::ReadOnly => "at the start",
            broker::Update::ClusterWide => "at any time",
            broker::Update::OneBroker { by } | broker::Update::AllBrokers { by } => {
                let (name, what) = (definition.name, definition.documentation);
                write!(text, "\n# {what}\n# {name} isn't set here, but by `{by}`.\n").unwrap();
                continue;
            }
        };
        let rule = match definition.rule {
            logboom_controller::config::Rule::Any => String::new(),
            rule => format!(": {rule}"),
        };
        let (name, kind) = (definition.name, definition.config_type);
        let value = definition.default.map(|default| match kind {
            logboom_controller::config::ConfigType::String
            | logboom_controller::config::ConfigType::List
            | logboom_controller::config::ConfigType::Double => format!(" \"{default}\""),
            _ => format!(" {default}"),
        });
        let value = value.unwrap_or_default();
        write!(text, "\n# {}\n", definition.documentation).unwrap();
        write!(text, "# Takes {kind}{rule}; {when}.\n# \"{name}\" ={value}\n").unwrap();
    }
    text
}

/// To write it anew: `LOGBOOM_WRITE_TEMPLATE=1 cargo test -p logboom-broker deploy`.
#[test]
fn the_file_in_deploy_has_every_key_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/broker.toml");
    if std::env::var_os("LOGBOOM_WRITE_TEMPLATE").is_some() {
        std::fs::write(&path, template()).unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text, template());
    let set: String = text
        .lines()
        .filter_map(|line| line.strip_prefix("# \""))
        .filter(|line| !line.ends_with('='))
        .fold(String::new(), |set, line| set + "\"" + line + "\n");
    let config = from_toml(&set).unwrap();
    for broker in broker::all() {
        let definition = broker.definition;
        if broker.check_in_file("false").is_err_and(|error| is_elsewhere(&error)) {
            assert_eq!(config.settings.get(definition.name), None);
            continue;
        }
        assert_eq!(config.settings.get(definition.name), definition.default, "{}", definition.name);
    }
}
