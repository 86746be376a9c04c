package simulation

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// write is one write as a directory saw it.
type write struct {
	at      time.Time
	side    plan.Side
	call    memory.Call
	reached bool  // the directory did what it was asked
	late    bool  // only when the run was over
	already bool  // the account was as it was to be before that
	err     error // what the directory said to that
	answer  error // what the process was told
	// made are the outcomes of creations, in the order of the requests: nil where an account was made.
	made []error
}

// around is the way of every call of a process: some time passes, then what is due happens, then the call is done or not.
func (p *process) around(ctx context.Context, side plan.Side, call memory.Call, do func() error) error {
	key := p.key(side, call)
	time.Sleep(time.Duration(1000 + p.chance(key, "time").IntN(1<<24)))
	if p.sleeps(ctx); ctx.Err() != nil && !writes[call.Op] {
		return ctx.Err()
	}
	dies, err := p.due(side, call)
	if err != nil {
		return err
	}
	f := p.draw(side, call, key)
	if !writes[call.Op] {
		if f.err != nil {
			p.world.say("    %s: %s %s: %v", side, call.Op, call.Record, f.err)
			return f.err
		}
		if err := do(); err != nil {
			return err
		}
		p.bend(side, call)
	} else if err := p.write(side, call, f, do); err != nil && !dies {
		return err
	}
	if dies {
		p.crash()
		return errDead
	}
	return nil
}

// key names a call and how often it has been sent.
func (p *process) key(side plan.Side, call memory.Call) string {
	text := fmt.Sprint(side, "|", call.Op, "|", call.Record)
	switch request := call.Request.(type) {
	case directory.ListRequest:
		text += request.Cursor
	case directory.GroupListRequest:
		text += request.Cursor
	case directory.MemberListRequest:
		text += request.Cursor
	case []directory.CreateRequest:
		text += request[0].Attributes.Text(directory.Username)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempts[text]++
	return fmt.Sprint(text, "|", p.attempts[text])
}

// sleeps waits while the process is asleep.
func (p *process) sleeps(ctx context.Context) {
	for {
		p.mu.Lock()
		asleep := p.asleep
		p.mu.Unlock()
		if asleep == nil {
			return
		}
		select {
		case <-asleep:
		case <-ctx.Done():
			return
		}
	}
}

func (p *process) count(side plan.Side) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sideCall[side]
}

// due lets happen what the weather has for this call. dies says that the process dies when the call is done.
func (p *process) due(side plan.Side, call memory.Call) (dies bool, err error) {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return false, errDead
	}
	p.calls++
	p.sideCall[side]++
	writing := 0
	if writes[call.Op] {
		p.writing++
		writing = p.writing
	}
	calls := p.calls
	p.mu.Unlock()

	v := p.weather
	at := func(call, write int) bool { return (call > 0 && call == calls) || (write > 0 && write == writing) }
	if at(v.editAt, v.editAtWrite) {
		rng := p.chance("edit", fmt.Sprint(calls))
		p.world.happen(pick(rng, append(quickSource, quickTarget...)...), rng)
	}
	if at(v.cancelAt, 0) {
		p.world.say("  interrupted")
		p.cancel()
	}
	if at(v.rivalAt, 0) {
		p.rival()
	}
	if at(v.crashAt, v.crashAtWrite) {
		if !v.crashAfter {
			p.crash()
			return false, errDead
		}
		return true, nil
	}
	return false, nil
}

// write sends one write, or does not, and keeps what became of it for the laws.
func (p *process) write(side plan.Side, call memory.Call, f fault, do func() error) (answer error) {
	w := &write{at: time.Now(), side: side, call: call}
	w.before(p.world.directory(side))
	defer func() {
		w.answer = answer
		p.mu.Lock()
		defer p.mu.Unlock()
		p.seen = append(p.seen, w)
		p.world.say("    %s: %s", side, w)
	}()
	send := func() error {
		p.world.judgeWrite(p, side, call)
		w.reached = true
		w.err = do()
		w.results()
		p.world.wrote(w)
		return w.err
	}
	switch {
	case f.late:
		w.late = true
		p.mu.Lock()
		defer p.mu.Unlock()
		p.late = append(p.late, func() {
			_ = send()
			p.world.say("  %s: %s arrives now", side, call.Op)
		})
		return memory.ErrLostAnswer
	case f.err != nil:
		return f.err
	case f.half:
		requests := call.Request.([]directory.CreateRequest)
		rest := (len(requests) + 1) / 2
		p.mu.Lock()
		p.refusing[side] = &rest
		p.mu.Unlock()
	}
	err := send()
	p.mu.Lock()
	p.refusing[side] = nil
	p.mu.Unlock()
	if f.lost {
		return memory.ErrLostAnswer
	}
	return err
}

// refuse is what a directory says to one account that is to be created.
func (p *process) refuse(side plan.Side, request directory.CreateRequest) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rest := p.refusing[side]; rest != nil {
		if *rest == 0 {
			return failed(directory.Retryable, "the call broke off before this record")
		}
		*rest--
	}
	if p.chance(string(side), request.Attributes.Text(directory.Username), "refuse").Float64() < p.weather.refusals {
		return failed(directory.Invalid, "the record is refused")
	}
	return nil
}

// before looks whether there is anything left to do.
func (w *write) before(d *memory.Directory) {
	account, has := d.Account(w.call.Record)
	switch request := w.call.Request.(type) {
	case directory.UpdateRequest:
		w.already = has
		for name, value := range request.Set {
			w.already = w.already && value.Equal(account.Attributes[name])
		}
	case directory.StatusRequest:
		w.already = has && account.Status == request.Status
	case directory.GroupsRequest:
		w.already = has
		for _, group := range request.Add {
			w.already = w.already && inGroup(account, group)
		}
		for _, group := range request.Remove {
			w.already = w.already && !inGroup(account, group)
		}
	default:
		for _, group := range d.Groups() {
			w.already = w.already || (w.call.Op == memory.OpCreateGroup && group.Name == w.call.Record)
		}
		for _, one := range w.creations() {
			w.made = append(w.made, nil)
			w.already = w.already || !free(d, directory.Username, one.Attributes.Text(directory.Username))
		}
	}
}

// results takes what became of each creation out of the answer.
func (w *write) results() {
	w.made = nil
	switch answer := w.call.Answer.(type) {
	case *directory.Account:
		if w.call.Op == memory.OpCreateAccount {
			w.made = []error{w.err}
		}
	case *[]directory.CreateResult:
		for range w.call.Request.([]directory.CreateRequest) {
			w.made = append(w.made, w.err)
		}
		for i, result := range *answer {
			w.made[i] = result.Err
		}
	}
}

// creations are the requests of a creation, alone or in bulk.
func (w *write) creations() []directory.CreateRequest {
	switch request := w.call.Request.(type) {
	case directory.CreateRequest:
		return []directory.CreateRequest{request}
	case []directory.CreateRequest:
		return request
	default:
		return nil
	}
}

// String tells one write.
func (w *write) String() string {
	what := w.call.Record
	switch request := w.call.Request.(type) {
	case directory.UpdateRequest:
		for _, name := range request.Set.Names() {
			what += fmt.Sprintf(" %s=%q", name, request.Set[name])
		}
	case directory.StatusRequest:
		what += " " + request.Status.String()
	case directory.GroupsRequest:
		what += fmt.Sprintf(" +%v -%v", request.Add, request.Remove)
	case []directory.CreateRequest:
		for _, one := range request {
			what += " " + one.Attributes.Text(directory.Username)
		}
	}
	text := fmt.Sprintf("%s %s", w.call.Op, what)
	switch {
	case w.late:
		return text + ", on its way"
	case !w.reached:
		return fmt.Sprintf("%s, not done: %v", text, w.answer)
	case w.err != nil:
		return fmt.Sprintf("%s, refused: %v", text, w.err)
	case w.answer != nil:
		return text + ", done, answer lost"
	default:
		return text
	}
}
