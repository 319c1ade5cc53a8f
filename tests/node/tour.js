// BOOTSTRAP TOPIC MILLISECONDS: the tour with kafkajs; tests/it/tour.rs describes it.

const { CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require("kafkajs");

const RUN = 20;
const [bootstrap, topic, start] = process.argv.slice(2);

function record(number) {
  return {
    partition: 0,
    key: `key ${number}`,
    value: `value ${number} `.repeat(20),
    timestamp: String(Number(start) + number),
  };
}

async function produce(kafka, first, compression, options) {
  const producer = kafka.producer(options);
  await producer.connect();
  const messages = Array.from({ length: RUN }, (_, index) => record(first + index));
  await producer.send({ topic, compression, messages });
  await producer.disconnect();
}

async function retention(admin) {
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ["retention.ms"] }];
  const found = await admin.describeConfigs({ resources, includeSynonyms: false });
  return found.resources[0].configEntries[0].configValue;
}

// What is asked for: what is expected, once the broker that is asked has heard of it.
async function settled(ask, expected) {
  let found = await ask();
  for (let i = 0; i < 200 && found !== expected; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    found = await ask();
  }
  return found;
}

async function change(admin) {
  console.log(`config ${await retention(admin)}`);
  const configEntries = [{ name: "retention.ms", value: "3600000" }];
  await admin.alterConfigs({
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }],
  });
  console.log(`changed ${await settled(() => retention(admin), "3600000")}`);
}

async function shrink(admin) {
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
  const count = async () => {
    const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
    return metadata.topics[0].partitions.length;
  };
  console.log(`partitions ${await settled(count, 4)}`);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "30" }] });
  console.log(`trim ${(await offsets(admin)).low}`);
  const gone = `${topic}-gone`;
  await admin.createTopics({ topics: [{ topic: gone, numPartitions: 1 }] });
  await admin.deleteTopics({ topics: [gone] });
  const isThere = async () => (await admin.listTopics()).includes(gone);
  if (await settled(isThere, false)) throw new Error("it is still there");
  console.log("delete");
}

async function offsets(admin) {
  const found = await admin.fetchTopicOffsets(topic);
  return found.find((one) => one.partition === 0);
}

async function main() {
  const kafka = new Kafka({ brokers: bootstrap.split(","), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const configEntries = [{ name: "retention.ms", value: "7200000" }];
  await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }] });
  console.log("create");
  await produce(kafka, 0, CompressionTypes.None, {});
  console.log("produce none");
  await produce(kafka, RUN, CompressionTypes.GZIP, {});
  console.log("produce gzip");
  await produce(kafka, 2 * RUN, CompressionTypes.None, { idempotent: true, maxInFlightRequests: 1 });
  console.log("produce idempotent");
  const { low, high } = await offsets(admin);
  console.log(`list earliest ${low}`);
  console.log(`list latest ${high}`);
  const timed = await admin.fetchTopicOffsetsByTimestamp(topic, Number(start) + 50);
  console.log(`list timestamp ${timed.find((one) => one.partition === 0).offset}`);
  await change(admin);
  await shrink(admin);
  await admin.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
