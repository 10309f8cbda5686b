package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// loopback reports whether the address can be reached from this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// answerTimeout is more than the server's own patience: silence is an error of the run.
const answerTimeout = 30 * time.Second

// conn is one client: a kept-alive connection on which one request follows the other. It writes requests that are ready as bytes,
// which costs the machine less than net/http's client, for both sides share its processors.
type conn struct {
	address string
	net     net.Conn
	reader  *bufio.Reader
}

func (c *conn) open(ctx context.Context) error {
	if c.net != nil {
		return nil
	}
	opened, err := (&net.Dialer{Timeout: answerTimeout}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	c.net, c.reader = opened, bufio.NewReaderSize(opened, 16<<10)
	return nil
}

// roundTrip sends the request and reads the whole answer. After an error the next one uses a new connection.
func (c *conn) roundTrip(ctx context.Context, request []byte) (status int, body []byte, err error) {
	if err := c.open(ctx); err != nil {
		return 0, nil, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	res, err := c.send(request) //nolint:bodyclose // read to its end by the caller, on a connection of our own
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("read answer: %w", err)
	}
	if res.Close {
		c.close()
	}
	return res.StatusCode, body, nil
}

// send sends the request on the open connection and reads the head of the answer.
func (c *conn) send(request []byte) (*http.Response, error) {
	if err := c.net.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.net.Write(request); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	res, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return res, nil
}

func (c *conn) close() {
	if c.net != nil {
		_ = c.net.Close() // nothing is lost with it
		c.net = nil
	}
}

// get is a GET request ready as bytes.
func get(host, path, cookie string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nAccept-Language: zh-CN\r\nCookie: " + cookie + "\r\n\r\n")
}
