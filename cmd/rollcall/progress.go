package main

import (
	"fmt"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/rollcall-sync/rollcall/sync/engine"
)

// progress shows how a run goes on, on the error stream: bars on a terminal, else a line every few seconds.
type progress struct {
	app  *app
	bars *mpb.Progress
	bar  map[engine.Stage]*mpb.Bar
	// stage, last and began belong to the lines.
	stage engine.Stage
	began time.Time
	last  time.Time
}

// lineEvery is how often a stage says in a log how far it has come.
const lineEvery = 5 * time.Second

func (a *app) newProgress() *progress {
	p := &progress{app: a, bar: make(map[engine.Stage]*mpb.Bar)}
	if isTerminal(a.err) {
		p.bars = mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(40), mpb.WithRefreshRate(150*time.Millisecond))
	}
	return p
}

// show takes one step; it is never called twice at the same time per stage, and reads of both sides come side by side.
func (p *progress) show(step engine.Progress) {
	p.app.progressMu.Lock()
	defer p.app.progressMu.Unlock()
	if p.bars != nil {
		p.showBar(step)
		return
	}
	p.showLine(step)
}

func (p *progress) showBar(step engine.Progress) {
	bar := p.bar[step.Stage]
	if bar == nil {
		bar = p.bars.AddBar(int64(max(step.Total, 0)),
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
	if step.Stage != p.stage {
		p.stage, p.began, p.last = step.Stage, now, now
		return
	}
	if now.Sub(p.last) < lineEvery {
		return
	}
	p.last = now
	rate := float64(step.Done) / now.Sub(p.began).Seconds()
	of, left := "", ""
	if step.Total > 0 {
		of = fmt.Sprintf(" of %d", step.Total)
		if rate > 0 {
			left = fmt.Sprintf(", %s left", time.Duration(float64(step.Total-step.Done)/rate*float64(time.Second)).Round(time.Second))
		}
	}
	fmt.Fprintf(p.app.err, "%s: %d%s, %.0f/s%s\n", step.Stage, step.Done, of, rate, left)
}

// end leaves the terminal clean.
func (p *progress) end() {
	if p.bars == nil {
		return
	}
	for _, bar := range p.bar {
		if !bar.Completed() {
			bar.SetTotal(-1, true)
		}
	}
	p.bars.Wait()
}
