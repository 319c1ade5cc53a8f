// BOOTSTRAP TOPIC GROUP COUNT: reads with a group, commits each record, and prints its partition
// and offset then; so many of them.

const { Kafka, logLevel } = require("kafkajs");

const [bootstrap, topic, groupId, count] = process.argv.slice(2);

async function main() {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 500, sessionTimeout: 10000 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  let read = 0;
  await new Promise((resolve) => {
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (read >= Number(count)) return;
        const offset = String(Number(message.offset) + 1);
        await consumer.commitOffsets([{ topic, partition, offset }]);
        console.log(`${partition} ${message.offset}`);
        read += 1;
        if (read >= Number(count)) resolve();
      },
    });
  });
  await consumer.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
