package static

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestVendoredFilesMatchTheirSums(t *testing.T) {
	t.Parallel()
	list, err := FS.ReadFile("vendor/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"SHA256SUMS": true, "LICENSES.txt": true}
	for line := range strings.Lines(string(list)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		content, err := FS.ReadFile("vendor/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s is not the file that was vendored", name)
		}
		listed[name] = true
	}
	files, err := FS.ReadDir("vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !listed[file.Name()] {
			t.Errorf("vendor/%s has no sum", file.Name())
		}
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, url string
		status            int
		kind, cache       string
	}{
		{"present content may be kept", "GET", URL("css/tokens.css"), 200, "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		{"scripts are modules the browser accepts", "GET", URL("js/app.js"), 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"an old tag is asked for again", "GET", "/static/css/tokens.css?v=0123", 200, "text/css; charset=utf-8", "no-cache"},
		{"icons", "GET", URL("icons.svg"), 200, "image/svg+xml", "public, max-age=31536000, immutable"},
		{"folders are not listed", "GET", "/static/css/", 404, "text/plain; charset=utf-8", ""},
		{"no folder either", "GET", "/static/css", 404, "text/plain; charset=utf-8", ""},
		{"unknown", "GET", URL("css/none.css"), 404, "text/plain; charset=utf-8", ""},
		{"our source is not served", "GET", "/static/embed.go", 404, "text/plain; charset=utf-8", ""},
		{"no way out", "GET", "/static/../embed.go", 404, "text/plain; charset=utf-8", ""},
		{"only reading", "POST", URL("css/tokens.css"), 405, "text/plain; charset=utf-8", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec := httptest.NewRecorder()
			Handler().ServeHTTP(rec, httptest.NewRequest(tt.method, tt.url, nil))
			if rec.Code != tt.status {
				t.Errorf("status = %d, want %d", rec.Code, tt.status)
			}
			if got := rec.Header().Get("Content-Type"); got != tt.kind {
				t.Errorf("type = %q, want %q", got, tt.kind)
			}
			if got := rec.Header().Get("Cache-Control"); got != tt.cache {
				t.Errorf("cache = %q, want %q", got, tt.cache)
			}
		})
	}
}

func TestUnchangedFileIsNotSentAgain(t *testing.T) {
	t.Parallel()
	req := httptest.NewRequest(http.MethodGet, "/static/css/tokens.css", nil)
	req.Header.Set("If-None-Match", `"`+tags["css/tokens.css"]+`"`)
	rec := httptest.NewRecorder()
	Handler().ServeHTTP(rec, req)
	if rec.Code != http.StatusNotModified {
		t.Errorf("status = %d, want 304", rec.Code)
	}
}
