package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// front is a reverse proxy between browser and desk. It counts the live streams, and it can lose the connection.
type front struct {
	*httptest.Server
	streams atomic.Int64 // open now
	down    atomic.Bool
}

func newFront(t testing.TB, desk string) *front {
	t.Helper()
	to, err := url.Parse(desk)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // the desk compares it with the Origin of a form
		},
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // the desk is gone: so are we
	}
	f := &front{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.down.Load() {
			panic(http.ErrAbortHandler) // drops the connection
		}
		if strings.HasPrefix(r.URL.Path, "/events") {
			f.streams.Add(1)
			defer f.streams.Add(-1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

// lose cuts all connections and takes no more.
func (f *front) lose() {
	f.down.Store(true)
	f.CloseClientConnections()
}

func (f *front) back() { f.down.Store(false) }
