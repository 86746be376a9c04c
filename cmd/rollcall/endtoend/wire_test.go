package endtoend

import (
	"errors"
	"io"
	"net"
	"os/exec"
	"sync"
	"testing"
)

// wire is a TCP proxy before a database. It counts what the program sends, and can kill the program at any byte of it.
type wire struct {
	t        *testing.T
	address  string
	listener net.Listener
	open     sync.WaitGroup

	mu   sync.Mutex
	sent int64
	at   int64 // kill when so many bytes were sent; 0 never
	done bool  // let the server have what was sent and answer it first
	cmd  *exec.Cmd
}

func newWire(t *testing.T, address string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, address: address, listener: listener}
	go w.accept()
	t.Cleanup(func() {
		listener.Close()
		w.open.Wait()
	})
	return w
}

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.open.Go(func() { w.serve(client) })
	}
}

// serve joins one connection of the program with one to the server. Either end closes both.
func (w *wire) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", w.address)
	if err != nil {
		w.t.Errorf("no way to the database: %v", err)
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		defer client.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := server.Read(buffer)
			if n > 0 && !w.killed() {
				client.Write(buffer[:n]) //nolint:errcheck // a dead program hears nothing
			} else if n > 0 {
				server.Close()
			}
			if err != nil {
				return
			}
		}
	})
	w.forward(client, server)
	answers.Wait()
}

// forward passes on what the program says until it ends or is killed.
func (w *wire) forward(client, server net.Conn) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if n > 0 {
			allowed, hit := w.take(n)
			if _, err := server.Write(buffer[:allowed]); err != nil {
				break
			}
			if hit {
				w.kill()
				if w.done {
					return // the server is read until it has answered; that closes it
				}
				break
			}
		}
		if err != nil {
			break
		}
	}
	server.Close()
}

// take counts what is about to be forwarded, and says how much of it may be, and whether the moment has come.
func (w *wire) take(n int) (allowed int, hit bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.sent
	w.sent += int64(n)
	if w.at == 0 || before >= w.at || w.sent < w.at {
		return n, false
	}
	if w.done {
		return n, true
	}
	return int(w.at - before), true
}

func (w *wire) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.cmd.Process.Kill(); err != nil && !errors.Is(err, io.EOF) {
		w.t.Errorf("the program could not be killed: %v", err)
	}
}

func (w *wire) killed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at > 0 && w.sent >= w.at
}

// killAt runs the program until it has sent so many bytes and kills it there. Whatever reached the server has come to its end
// there when killAt returns.
func (w *wire) killAt(cmd *exec.Cmd, at int64, done bool) {
	w.t.Helper()
	w.mu.Lock()
	w.sent, w.at, w.done, w.cmd = 0, at, done, cmd
	err := cmd.Start()
	w.mu.Unlock()
	if err != nil {
		w.t.Fatal(err)
	}
	wasKilled(w.t, cmd)
	w.listener.Close()
	w.open.Wait()
}
