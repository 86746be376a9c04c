package server

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/schedule"
)

// metrics holds what is counted as runs end. Labels are names of configured syncs and words of ours, so that their number
// is bounded.
type metrics struct {
	registry   *prometheus.Registry
	runs       *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	accounts   *prometheus.CounterVec
	operations *prometheus.CounterVec
	requests   *prometheus.CounterVec
}

func newMetrics(s *Server) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		runs: counter("rollcall_runs_total",
			"Runs that ended, by status: ok, nothing, partial, withheld, refused, interrupted, failed, busy (running elsewhere) or not_begun.", "sync", "status"),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rollcall_run_duration_seconds", Help: "How long runs took.", Buckets: []float64{1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200},
		}, []string{"sync"}),
		accounts:   counter("rollcall_accounts_read_total", "Accounts read, by side: source or target.", "sync", "side"),
		operations: counter("rollcall_operations_total", "Operations done, by action.", "sync", "action"),
		requests:   counter("rollcall_requests_total", "Requests sent to the vendors, by side: source or target.", "sync", "side"),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rollcall_build_info", Help: "1, with the version as a label.", ConstLabels: prometheus.Labels{"version": s.options.Version, "go": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.runs, m.durations, m.accounts, m.operations, m.requests, build, times{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, Timeout: writeTimeout / 2})
}

// Ended counts a run. It is what a schedule's Ended calls.
func (s *Server) Ended(over schedule.End) {
	m := s.metrics
	m.runs.WithLabelValues(over.Sync, over.Status()).Inc()
	report := over.Report
	if report == nil {
		return
	}
	m.durations.WithLabelValues(over.Sync).Observe(over.Elapsed.Seconds())
	m.accounts.WithLabelValues(over.Sync, "source").Add(float64(report.Counts.SourceRead))
	m.accounts.WithLabelValues(over.Sync, "target").Add(float64(report.Counts.TargetRead))
	m.requests.WithLabelValues(over.Sync, "source").Add(float64(report.Requests.Source))
	m.requests.WithLabelValues(over.Sync, "target").Add(float64(report.Requests.Target))
	for _, o := range operations(report.Counts) {
		m.operations.WithLabelValues(over.Sync, o.action).Add(float64(o.count))
	}
}

type operation struct {
	action string
	count  int
}

// operations names the sums of a report as the report's own JSON does.
func operations(c engine.Counts) []operation {
	return []operation{
		{"linked", c.Linked},
		{"created", c.Created},
		{"updated", c.Updated},
		{"activated", c.Activated},
		{"deactivated", c.Deactivated},
		{"deleted", c.Deleted},
		{"group_added", c.GroupAdded},
		{"group_removed", c.GroupRemoved},
		{"group_created", c.GroupCreated},
		{"written_back", c.WrittenBack},
		{"failed", c.Failed + c.FailedOthers},
	}
}

// times is a collector that looks at schedule and state when it is asked, so that runs of other processes count too.
type times struct{ server *Server }

var (
	lastGood = prometheus.NewDesc("rollcall_last_good_run_timestamp_seconds", "Start of the last run that did what it should, by whatever command.", []string{"sync"}, nil)
	nextRun  = prometheus.NewDesc("rollcall_next_run_timestamp_seconds", "When the sync runs next.", []string{"sync"}, nil)
	underWay = prometheus.NewDesc("rollcall_run_under_way", "1 while the sync runs in this process.", []string{"sync"}, nil)
	stateUp  = prometheus.NewDesc("rollcall_state_up", "1 while the state can be read.", nil, nil)
)

// Describe implements prometheus.Collector.
func (times) Describe(all chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lastGood, nextRun, underWay, stateUp} {
		all <- d
	}
}

// Collect implements prometheus.Collector.
func (t times) Collect(all chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		all <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	up := 1.0
	for _, status := range t.server.options.Status() {
		running := 0.0
		if status.Running {
			running = 1
		}
		gauge(underWay, running, status.Sync)
		if !status.Next.IsZero() {
			gauge(nextRun, seconds(status.Next), status.Sync)
		}
		good, err := t.server.options.History.LastGood(ctx, status.Sync)
		switch {
		case err != nil:
			up = 0
		case !good.IsZero():
			gauge(lastGood, seconds(good), status.Sync)
		}
	}
	gauge(stateUp, up)
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
