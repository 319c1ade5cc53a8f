package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BOOTSTRAP TOPIC 0 GROUP COUNT [STRATEGY]: reads with a group, commits each record, and prints its
// partition and offset then; so many of them, or with 0 until standard input ends. Strategies are
// range and cooperative-sticky.
func group(ctx context.Context) {
	count := must(strconv.Atoi(os.Args[5]))
	balancer := kgo.CooperativeStickyBalancer()
	if len(os.Args) > 6 && os.Args[6] == "range" {
		balancer = kgo.RangeBalancer()
	}
	consumer := client(
		kgo.ConsumerGroup(os.Args[4]),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(balancer),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.SessionTimeout(10*time.Second),
	)
	polling, stop := context.WithCancel(ctx)
	if count == 0 {
		go func() {
			must(io.Copy(io.Discard, os.Stdin))
			stop()
		}()
	}
	for read := 0; (count == 0 || read < count) && polling.Err() == nil; {
		fetches := consumer.PollRecords(polling, 1)
		if polling.Err() == nil {
			check(fetches.Err())
		}
		for _, record := range fetches.Records() {
			if consumer.CommitRecords(ctx, record) == nil {
				fmt.Println(record.Partition, record.Offset)
				read++
			}
		}
		consumer.AllowRebalance()
	}
	stop()
	check(consumer.LeaveGroupContext(ctx))
	consumer.Close()
}
