// Package server is what `rollcall serve` answers over HTTP: whether the process is up, whether the syncs are on time,
// and metrics. It asks for no password, so it tells names of syncs and numbers, and never anything about a person.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/rollcall-sync/rollcall/sync/schedule"
)

// How long the server waits, in the order of a request's life. Answers are small and made from memory and the state.
const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 10 * time.Second
	writeTimeout    = 30 * time.Second
	idleTimeout     = time.Minute
	stateTimeout    = 5 * time.Second
	shutdownTimeout = 5 * time.Second
	maxHeader       = 16 << 10
)

// History answers when a sync last did what it should; the zero time means never.
type History interface {
	LastGood(ctx context.Context, sync string) (time.Time, error)
}

// Options are what a server tells about.
type Options struct {
	// Status returns the scheduled syncs.
	Status  func() []schedule.Status
	History History
	Version string
	Log     *slog.Logger
	// Now is the clock; nil means the real one.
	Now func() time.Time
}

// Server answers health and metrics. It is safe for concurrent use.
type Server struct {
	options Options
	metrics *metrics
	handler http.Handler
}

// New returns a server with metrics of its own.
func New(options Options) *Server {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	s := &Server{options: options}
	s.metrics = newMetrics(s)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", s.metrics.handler())
	s.handler = mux
	return s
}

// Handler answers the requests.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers requests on the listener until the context ends, and closes it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("health and metrics are served no longer: %w", err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-failed
	return err
}

// Listen opens the address and warns where others than this machine can reach it.
func Listen(ctx context.Context, address string, log *slog.Logger) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("health and metrics cannot be served on %s: %w; set another address under serve.listen", address, err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		log.Warn("health and metrics can be read by everybody who reaches this address, without a password; listen on 127.0.0.1, or let a firewall decide",
			"address", listener.Addr().String())
	}
	return listener, nil
}

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	writeText(w, "Rollcall "+s.options.Version+"\n\n"+
		"/healthz  200 while the process is up\n"+
		"/readyz   200 while the state can be read and no sync is overdue, otherwise 503; JSON\n"+
		"/metrics  for Prometheus\n")
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") }

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text)) // whoever asked is gone, and there is nobody else to tell
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	answer := s.readiness(r.Context())
	data, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(data, '\n')) // as in writeText
}
