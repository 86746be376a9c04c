package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

// progress shows how a run goes on, on the error stream: bars on a terminal; else, where lines are wanted, a line every few
// seconds.
type progress struct {
	app  *app
	talk *console

	// mu keeps both sides apart, which are read at the same time.
	mu   sync.Mutex
	bars *mpb.Progress
	bar  map[engine.Stage]*mpb.Bar

	lines  bool
	stages map[engine.Stage]*stage
}

// stage is what the lines of one stage remember.
type stage struct{ began, last time.Time }

// lineEvery is how often a stage says in a log how far it has come.
const lineEvery = 5 * time.Second

// newProgress returns a progress that the caller must end. The options are for tests.
func (a *app) newProgress(lines bool, options ...mpb.ContainerOption) *progress {
	p := &progress{app: a, talk: newConsole(a.err), lines: lines, bar: make(map[engine.Stage]*mpb.Bar), stages: make(map[engine.Stage]*stage)}
	if isTerminal(a.err) {
		p.bars = mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(p.talk.out), mpb.WithWidth(40), mpb.WithRefreshRate(150 * time.Millisecond)}, options...)...)
		p.talk.above(p.bars)
	}
	return p
}

// show takes one step.
func (p *progress) show(step engine.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case step.Total == 0:
	case p.bars != nil:
		p.showBar(step)
	case p.lines:
		p.showLine(step)
	}
}

func (p *progress) showBar(step engine.Progress) {
	bar := p.bar[step.Stage]
	if bar == nil {
		bar = p.bars.AddBar(0,
			mpb.PrependDecorators(decor.Name(string(step.Stage), decor.WC{W: 16, C: decor.DindentRight}), decor.CountersNoUnit("%d / %d", decor.WCSyncSpace)),
			mpb.AppendDecorators(decor.AverageSpeed(0, "%.0f/s", decor.WCSyncSpace), decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO)))
		p.bar[step.Stage] = bar
	}
	if step.Total > 0 {
		bar.SetTotal(int64(step.Total), false)
	}
	bar.SetCurrent(int64(step.Done))
}

func (p *progress) showLine(step engine.Progress) {
	now := p.app.clock()
	s := p.stages[step.Stage]
	if s == nil {
		p.stages[step.Stage] = &stage{now, now}
		return
	}
	if now.Sub(s.last) < lineEvery {
		return
	}
	s.last = now
	rate := float64(step.Done) / now.Sub(s.began).Seconds()
	of, left := "", ""
	if step.Total > 0 {
		of = fmt.Sprintf(" of %d", step.Total)
		if rate > 0 {
			left = fmt.Sprintf(", %s left", time.Duration(float64(step.Total-step.Done)/rate*float64(time.Second)).Round(time.Second))
		}
	}
	fmt.Fprintf(p.talk, "%s: %d%s, %.0f/s%s\n", step.Stage, step.Done, of, rate, left)
}

// end leaves the terminal clean: a stage that came to its end stays as a full bar, another as far as it got.
func (p *progress) end(failed bool) {
	if p.bars == nil {
		return
	}
	for _, bar := range p.bar {
		if failed {
			bar.Abort(false)
		} else {
			bar.SetTotal(-1, true)
		}
	}
	p.bars.Wait()
	p.talk.above(nil)
}
