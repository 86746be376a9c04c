package schedule

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/engine"
	"github.com/rollcall-sync/rollcall/sync/state"
)

// log says how a run ended. Names of people stand in debug lines only: those of a refused plan are shown by the command
// that the line names.
func (s *Scheduler) log(over End, next time.Time) {
	log := s.options.Log.With("sync", over.Sync)
	if !next.IsZero() {
		log = log.With("next", next)
	}
	report := over.Report
	if report == nil {
		switch {
		case errors.Is(over.Err, state.ErrBusy):
			log.Warn("running elsewhere; tried again", "error", over.Err, "retry", BusyRetry)
		case errors.Is(over.Err, context.Canceled):
			log.Warn("stopped before it began")
		default:
			log.Error("not begun", "error", over.Err)
		}
		return
	}
	log = log.With("run", report.Run, "status", string(report.Status), "seconds", report.Seconds)
	level, message := slog.LevelInfo, "run ended"
	switch report.Status {
	case engine.StatusOK, engine.StatusNothing:
		log = log.With("counts", report.Counts.Sentence())
	case engine.StatusPartial:
		level, message = slog.LevelWarn, "run ended, some accounts failed"
		log = log.With("counts", report.Counts.Sentence(), "failures", len(report.Failures), "details", "rollcall history "+report.Run)
	case engine.StatusInterrupted:
		level, message = slog.LevelWarn, "run interrupted; the next one goes on"
	case engine.StatusRefused:
		level, message = slog.LevelError, "run refused, nothing was written"
		log.Debug("reasons of the refusal", "reasons", report.Reasons)
		log = log.With(refusal(report)...)
	default:
		level, message = slog.LevelError, "run not good"
		log = log.With("reasons", strings.Join(report.Reasons, "; "), "details", "rollcall history "+report.Run)
	}
	if over.Err != nil && report.Status != engine.StatusInterrupted {
		level = slog.LevelError
		log = log.With("error", over.Err)
	}
	log.Log(context.Background(), level, message)
}

// refusal names the rules that a plan breaks and how it is approved.
func refusal(report *engine.Report) []any {
	fields := []any{"details", "rollcall history " + report.Run}
	if report.Verdict == nil {
		return fields
	}
	var broken []string
	for _, reason := range report.Verdict.Reasons {
		broken = append(broken, reason.Rule)
	}
	fields = append(fields, "rules", strings.Join(broken, ","))
	if report.Verdict.Command != "" {
		fields = append(fields, "approve", report.Verdict.Command)
	}
	return fields
}

// Status returns the status of the report; busy or not_begun where there is none.
func (e End) Status() string {
	switch {
	case e.Report != nil:
		return string(e.Report.Status)
	case errors.Is(e.Err, state.ErrBusy):
		return "busy"
	default:
		return "not_begun"
	}
}
