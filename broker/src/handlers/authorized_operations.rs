//! Which operations a client may do, as bits (KIP-430). Without an authorizer everybody may do
//! whatever the resource knows.

/// Nobody asked.
pub(super) const NOT_ASKED: i32 = i32::MIN;

/// Numbers of operations on the wire; each stands for a bit.
const READ: i32 = 3;
const WRITE: i32 = 4;
const CREATE: i32 = 5;
const DELETE: i32 = 6;
const ALTER: i32 = 7;
const DESCRIBE: i32 = 8;
const CLUSTER_ACTION: i32 = 9;
const DESCRIBE_CONFIGS: i32 = 10;
const ALTER_CONFIGS: i32 = 11;
const IDEMPOTENT_WRITE: i32 = 12;

const TOPIC: i32 =
    bits(&[READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS]);
const CLUSTER: i32 = bits(&[
    CREATE,
    ALTER,
    DESCRIBE,
    CLUSTER_ACTION,
    DESCRIBE_CONFIGS,
    ALTER_CONFIGS,
    IDEMPOTENT_WRITE,
]);

/// What may be done with a topic.
pub(super) fn of_topic(is_asked: bool) -> i32 {
    if is_asked { TOPIC } else { NOT_ASKED }
}

/// What may be done with the cluster.
pub(super) fn of_cluster(is_asked: bool) -> i32 {
    if is_asked { CLUSTER } else { NOT_ASKED }
}

const GROUP: i32 = bits(&[READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS]);

/// What may be done with a group.
pub(super) fn of_group(is_asked: bool) -> i32 {
    if is_asked { GROUP } else { NOT_ASKED }
}

const fn bits(operations: &[i32]) -> i32 {
    let (mut bits, mut index) = (0, 0);
    while index < operations.len() {
        bits |= 1 << operations[index];
        index += 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_those_of_kafka_4_1() {
        assert_eq!((TOPIC, CLUSTER, GROUP), (3576, 8096, 3400));
    }
}
