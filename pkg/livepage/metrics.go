package livepage

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// collector makes metrics from the newest picture.
type collector struct {
	source Source
	hub    *hub
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tkafka_"+name, help, append([]string{"topic"}, labels...), nil)
}

var (
	startOffset     = describe("partition_start_offset", "Offset of the oldest message that is still kept.", "partition")
	endOffset       = describe("partition_end_offset", "Offset that the next message gets.", "partition")
	partitionRate   = describe("partition_messages_per_second", "Messages that arrived, over the last 5 seconds.", "partition")
	committedOffset = describe("group_committed_offset", "Offset of the next message that the group reads.", "group", "partition")
	groupLag        = describe("group_lag", "Messages from the committed offset to the end.", "group", "partition")
	groupMembers    = describe("group_members", "Members of the group.", "group", "type")
	pictureTime     = describe("picture_timestamp_seconds", "When the cluster last answered.")
	trouble         = describe("trouble", "1: the figures are not up to date.")
	viewers         = describe("viewers", "Browser tabs that watch the page.")
)

// metrics has a registry of its own: a program's own metrics stay out.
func metrics(source Source, hub *hub) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{source, hub})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Describe sends nothing: which groups and partitions there are is known only when they are collected.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics of the newest picture.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	picture := c.source.Picture()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, append([]string{picture.Topic.Name}, labels...)...)
	}
	number := func(partition int32) string { return strconv.Itoa(int(partition)) }
	for _, p := range picture.Partitions {
		gauge(startOffset, float64(p.Start), number(p.Partition))
		gauge(endOffset, float64(p.End), number(p.Partition))
		gauge(partitionRate, p.Rate, number(p.Partition))
	}
	for _, group := range picture.Groups {
		name := strings.ToValidUTF8(group.Name, "\ufffd") // as Prometheus demands
		gauge(groupMembers, float64(len(group.Members)), name, string(group.Type))
		for _, commit := range group.Commits {
			if commit.Offset >= 0 {
				gauge(committedOffset, float64(commit.Offset), name, number(commit.Partition))
			}
			if commit.Lag >= 0 {
				gauge(groupLag, float64(commit.Lag), name, number(commit.Partition))
			}
		}
	}
	troubled := 0.0
	if picture.Trouble != nil {
		troubled = 1
	}
	gauge(trouble, troubled)
	gauge(pictureTime, float64(picture.Time.UnixMilli())/1000)
	gauge(viewers, float64(c.hub.count()))
}
