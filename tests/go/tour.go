// BOOTSTRAP TOPIC MILLISECONDS: the tour with franz-go; tests/it/tour.rs describes it.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	run      = 20
	count    = 120
	at       = 50
	patience = 60 * time.Second
)

var (
	bootstrap = os.Args[1]
	topic     = os.Args[2]
	start     = must(strconv.ParseInt(os.Args[3], 10, 64))
)

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fail(reason string, values ...any) {
	check(fmt.Errorf(reason, values...))
}

func value(number int) string {
	return strings.Repeat(fmt.Sprintf("value %d ", number), 20)
}

func client(options ...kgo.Opt) *kgo.Client {
	return must(kgo.NewClient(append(options, kgo.SeedBrokers(strings.Split(bootstrap, ",")...))...))
}

func produce(ctx context.Context, first int, options ...kgo.Opt) {
	options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	producer := client(append(options, kgo.ProducerLinger(time.Second))...)
	defer producer.Close()
	var records []*kgo.Record
	for number := first; number < first+run; number++ {
		records = append(records, &kgo.Record{
			Topic:     topic,
			Key:       []byte(fmt.Sprintf("key %d", number)),
			Value:     []byte(value(number)),
			Timestamp: time.UnixMilli(start + int64(number)),
		})
	}
	check(producer.ProduceSync(ctx, records...).FirstErr())
}

// Reads up to `end` from an offset, which is record number `first`.
func read(ctx context.Context, from kgo.Offset, first int, end int) {
	partitions := map[string]map[int32]kgo.Offset{topic: {0: from}}
	consumer := client(kgo.ConsumePartitions(partitions))
	defer consumer.Close()
	for number := first; number < end; {
		fetches := consumer.PollFetches(ctx)
		check(fetches.Err())
		for _, record := range fetches.Records() {
			holds := record.Offset == int64(number) &&
				record.Timestamp.UnixMilli() == start+int64(number) &&
				string(record.Key) == fmt.Sprintf("key %d", number) &&
				string(record.Value) == value(number)
			if !holds {
				fail("%v instead of record %d", record, number)
			}
			number++
		}
	}
}

func offset(offsets kadm.ListedOffsets, err error) int64 {
	check(err)
	found, _ := offsets.Lookup(topic, 0)
	check(found.Err)
	return found.Offset
}

func consume(ctx context.Context) {
	read(ctx, kgo.NewOffset().AtStart(), 0, count)
	fmt.Println("beginning")
	read(ctx, kgo.NewOffset().At(at), at, count)
	fmt.Println("offset")
	read(ctx, kgo.NewOffset().AfterMilli(start+at), at, count)
	fmt.Println("time")
	read(ctx, kgo.NewOffset().AtEnd().Relative(-5), count-5, count)
	fmt.Println("end")
}

func retention(ctx context.Context, admin *kadm.Client) string {
	configs := must(admin.DescribeTopicConfigs(ctx, topic))
	for _, config := range configs[0].Configs {
		if config.Key == "retention.ms" {
			return config.MaybeValue()
		}
	}
	return "nothing"
}

// What is asked for: what is expected, once the broker that is asked has heard of it.
func settled[T comparable](ask func() T, expected T) T {
	found := ask()
	for i := 0; i < 200 && found != expected; i++ {
		time.Sleep(50 * time.Millisecond)
		found = ask()
	}
	return found
}

func change(ctx context.Context, admin *kadm.Client) {
	fmt.Println("config", retention(ctx, admin))
	shorter := "3600000"
	altered := must(admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "retention.ms", Value: &shorter},
	}, topic))
	check(altered[0].Err)
	changed := func() string { return retention(ctx, admin) }
	fmt.Println("changed", settled(changed, shorter))
}

func shrink(ctx context.Context, admin *kadm.Client) {
	check(must(admin.UpdatePartitions(ctx, 4, topic))[topic].Err)
	partitions := func() int { return len(must(admin.ListTopics(ctx, topic))[topic].Partitions) }
	fmt.Println("partitions", settled(partitions, 4))
	before := make(kadm.Offsets)
	before.AddOffset(topic, 0, 30, -1)
	check(must(admin.DeleteRecords(ctx, before)).Error())
	fmt.Println("trim", offset(admin.ListStartOffsets(ctx, topic)))
	gone := topic + "-gone"
	check(must(admin.CreateTopic(ctx, 1, -1, nil, gone)).Err)
	check(must(admin.DeleteTopics(ctx, gone))[gone].Err)
	if settled(func() bool { return must(admin.ListTopics(ctx)).Has(gone) }, false) {
		fail("it is still there")
	}
	fmt.Println("delete")
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if len(os.Args) > 4 {
		group(ctx)
		return
	}
	admin := kadm.NewClient(client())
	defer admin.Close()
	longer := "7200000"
	configs := map[string]*string{"retention.ms": &longer}
	check(must(admin.CreateTopic(ctx, 2, -1, configs, topic)).Err)
	fmt.Println("create")
	codecs := []struct {
		name  string
		codec kgo.CompressionCodec
	}{
		{"none", kgo.NoCompression()},
		{"gzip", kgo.GzipCompression()},
		{"snappy", kgo.SnappyCompression()},
		{"lz4", kgo.Lz4Compression()},
		{"zstd", kgo.ZstdCompression()},
	}
	for round, one := range codecs {
		produce(ctx, round*run, kgo.ProducerBatchCompression(one.codec), kgo.DisableIdempotentWrite())
		fmt.Println("produce", one.name)
	}
	produce(ctx, count-run, kgo.ProducerBatchCompression(kgo.NoCompression()))
	fmt.Println("produce idempotent")
	fmt.Println("list earliest", offset(admin.ListStartOffsets(ctx, topic)))
	fmt.Println("list latest", offset(admin.ListEndOffsets(ctx, topic)))
	fmt.Println("list timestamp", offset(admin.ListOffsetsAfterMilli(ctx, start+at, topic)))
	consume(ctx)
	change(ctx, admin)
	shrink(ctx, admin)
}
