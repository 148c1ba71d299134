package killmatrix

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// when says on which side of a message a run is broken.
type when string

const (
	// before: the client has sent the message, the server never sees it.
	before when = "before"
	// after: the server has just got it; whether it has done its work is open.
	after when = "after"
	// answer: the server has answered, the client does not hear it.
	answer when = "answer"
)

// point is one use of the network: the n-th message, from 1, of a kind on the connections of one purpose.
type point struct {
	conn string // "work" or "lock"
	when when
	n    int
}

func (p point) String() string { return fmt.Sprintf("%s/%s/%d", p.conn, p.when, p.n) }

// proxy stands between a client and the server, counts messages and breaks the run at one of them.
type proxy struct {
	listener net.Listener
	to       string
	at       point               // zero: never
	fire     func(link)          // the break; called once
	change   func([]byte) []byte // what becomes of a client's message; nil: nothing
	mu       sync.Mutex
	seen     map[point]int // by conn and when, with n zero
	fired    bool
	links    []*link
	running  sync.WaitGroup
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	conn           string
	pid            uint32
}

func (l *link) close() {
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}

func startProxy(t testing.TB, to string, at point, fire func(link)) *proxy {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, at: at, fire: fire, seen: map[point]int{}}
	p.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		p.closeAll()
		p.stop()
	})
	return p
}

// stop takes no more connections and waits for the end of those that there are, whose client is to have gone.
func (p *proxy) stop() {
	_ = p.listener.Close()
	p.running.Wait()
}

func (p *proxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		l.close()
	}
}

// points lists every point that was passed.
func (p *proxy) points() []point {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []point
	for _, conn := range []string{"work", "lock"} {
		for _, w := range []when{before, after, answer} {
			for n := range p.seen[point{conn: conn, when: w}] {
				all = append(all, point{conn, w, n + 1})
			}
		}
	}
	return all
}

func (p *proxy) hasFired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fired
}

// pass counts a message and breaks the run if it is the one.
func (p *proxy) pass(l *link, w when) {
	p.mu.Lock()
	kind := point{conn: l.conn, when: w}
	p.seen[kind]++
	hit := !p.fired && p.at == point{l.conn, w, p.seen[kind]}
	p.fired = p.fired || hit
	at := *l
	p.mu.Unlock()
	if hit {
		p.fire(at)
	}
}

func (p *proxy) serve(client net.Conn) {
	l := &link{client: client}
	p.mu.Lock()
	p.links = append(p.links, l)
	p.mu.Unlock()
	defer l.close()
	hello, err := startup(client)
	if err != nil {
		return
	}
	server, err := net.Dial("tcp4", p.to)
	if err != nil {
		return
	}
	p.mu.Lock()
	l.server, l.conn = server, "work"
	p.mu.Unlock()
	if _, err := server.Write(hello); err != nil {
		return
	}
	p.running.Go(func() {
		defer l.close()
		p.answers(l)
	})
	p.requests(l)
}

// requests hands the client's messages on, one by one.
func (p *proxy) requests(l *link) {
	for {
		m, err := readMessage(l.client)
		if err != nil {
			return
		}
		if bytes.Contains(m, []byte(takesLock)) {
			p.mu.Lock()
			l.conn = "lock"
			p.mu.Unlock()
		}
		if p.change != nil {
			m = p.change(m)
		}
		// The others of the extended protocol have no effect without these.
		counts := strings.IndexByte("QESdcX", m[0]) >= 0
		if counts {
			p.pass(l, before)
		}
		if _, err := l.server.Write(m); err != nil {
			return
		}
		if counts {
			p.pass(l, after)
		}
	}
}

// answers hands the server's messages on.
func (p *proxy) answers(l *link) {
	for {
		m, err := readMessage(l.server)
		if err != nil {
			return
		}
		switch m[0] {
		case 'K':
			p.mu.Lock()
			l.pid = binary.BigEndian.Uint32(m[5:])
			p.mu.Unlock()
		case 'C', 'Z', 'G':
			p.pass(l, answer)
		}
		if _, err := l.client.Write(m); err != nil {
			return
		}
	}
}

// takesLock is in what only the lock's connection says, and says first.
const takesLock = "set local idle_in_transaction_session_timeout = 0"

// startup reads the first packet, refusing encryption.
func startup(c net.Conn) ([]byte, error) {
	const encryption, gss = 80877103, 80877104
	for {
		head := make([]byte, 4)
		if _, err := io.ReadFull(c, head); err != nil {
			return nil, err
		}
		body, err := rest(c, head)
		if err != nil || len(body) < 8 {
			return nil, errors.Join(err, errors.New("no startup packet"))
		}
		if code := binary.BigEndian.Uint32(body[4:]); code != encryption && code != gss {
			return body, nil
		}
		if _, err := c.Write([]byte("N")); err != nil {
			return nil, err
		}
	}
}

// readMessage reads a message with its type and length.
func readMessage(c net.Conn) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	body, err := rest(c, head[1:])
	return append(head[:1], body...), err
}

// rest reads what the four bytes of a length announce, and gives it with them.
func rest(c net.Conn, length []byte) ([]byte, error) {
	n := binary.BigEndian.Uint32(length)
	if n < 4 || n > 64<<20 {
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	body := make([]byte, n)
	copy(body, length)
	_, err := io.ReadFull(c, body[4:])
	return body, err
}
