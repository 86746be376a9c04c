package database_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// What the proxy does with a statement.
type action int

const (
	pass   action = iota
	lose          // the connection breaks before the statement reaches the server
	answer        // the server carries the statement out, and its answer is lost
)

// through returns the data source name by which the database is reached through a proxy that asks what is to become of each
// statement.
func through(t testing.TB, dsn string, decide func(statement string) action) string {
	t.Helper()
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := c.Addr
	var open sync.WaitGroup
	open.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { relay(client, server, decide) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		open.Wait()
	})
	c.Addr = listener.Addr().String()
	return c.FormatDSN()
}

// relay passes on what client and server say to each other until one of them ends, or the connection is to break.
func relay(client net.Conn, address string, decide func(statement string) action) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	var mu sync.Mutex
	deaf := false // the server's answers go nowhere
	var back sync.WaitGroup
	back.Go(func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			mu.Lock()
			lost := deaf
			mu.Unlock()
			if lost || err != nil {
				_ = client.Close()
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	defer back.Wait()
	defer server.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		const query = 5 // length, number, and the command for a statement
		if n > query && buffer[query-1] == 3 {
			switch decide(string(buffer[query:n])) {
			case lose:
				return
			case answer:
				mu.Lock()
				deaf = true
				mu.Unlock()
			}
		}
		if _, err := server.Write(buffer[:n]); err != nil && !errors.Is(err, io.EOF) {
			return
		}
	}
}

// once returns a decision about the first statement that begins so; all others pass.
func once(beginning string, what action) func(string) action {
	var mu sync.Mutex
	done := false
	return func(statement string) action {
		mu.Lock()
		defer mu.Unlock()
		if done || !strings.HasPrefix(statement, beginning) {
			return pass
		}
		done = true
		return what
	}
}

// after returns an option by which something is done after the first statement with this beginning that succeeded.
func after(beginning string, do func()) func(*directory.Settings) {
	done := false
	return whenever(func(line string) {
		if !done && strings.Contains(line, ": "+beginning) && strings.Contains(line, " rows in ") {
			done = true
			do()
		}
	})
}

// whenever returns an option by which something is done after each statement.
func whenever(do func(line string)) func(*directory.Settings) {
	return func(settings *directory.Settings) { settings.Trace = do }
}
