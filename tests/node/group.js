// BOOTSTRAP TOPIC GROUP COUNT [STRATEGY]: reads with a group, commits each record, and prints its
// partition and offset then; so many of them, or with 0 until standard input ends. Without a
// strategy it is kafkajs's own, which no other client has; the other one is range.

const { AssignerProtocol, Kafka, PartitionAssigners, logLevel } = require("kafkajs");

const [bootstrap, topic, groupId, count, strategy] = process.argv.slice(2);

// What every other client calls range: of each topic consecutive partitions, the first members
// have one more.
const range = ({ cluster }) => ({
  name: "range",
  version: 0,
  async assign({ members, topics }) {
    const ids = members.map((member) => member.memberId).sort();
    const assigned = Object.fromEntries(ids.map((id) => [id, {}]));
    for (const name of topics) {
      const found = cluster.findTopicPartitionMetadata(name);
      const partitions = found.map((one) => one.partitionId).sort((a, b) => a - b);
      let next = 0;
      ids.forEach((id, rank) => {
        const extra = rank < partitions.length % ids.length ? 1 : 0;
        const share = Math.floor(partitions.length / ids.length) + extra;
        assigned[id][name] = partitions.slice(next, next + share);
        next += share;
      });
    }
    return ids.map((memberId) => ({
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({
        version: 0,
        assignment: assigned[memberId],
        userData: Buffer.alloc(0),
      }),
    }));
  },
  protocol({ topics }) {
    const userData = Buffer.alloc(0);
    const metadata = AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData });
    return { name: "range", metadata };
  },
});

async function main() {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const partitionAssigners = strategy === "range" ? [range] : [PartitionAssigners.roundRobin];
  const consumer = kafka.consumer({
    groupId,
    partitionAssigners,
    heartbeatInterval: 500,
    sessionTimeout: 10000,
    maxWaitTimeInMs: 500,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const limit = Number(count) || Infinity;
  let read = 0;
  await new Promise((resolve) => {
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (read >= limit) return;
        const offset = String(Number(message.offset) + 1);
        await consumer.commitOffsets([{ topic, partition, offset }]);
        console.log(`${partition} ${message.offset}`);
        read += 1;
        if (read >= limit) resolve();
      },
    });
    if (limit === Infinity) process.stdin.resume().on("end", resolve);
  });
  await consumer.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
