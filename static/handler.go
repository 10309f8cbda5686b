package static

import (
	"net/http"
	"path"
	"strings"
)

// types are the content types by ending. The table is ours because the system's differs between machines.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".png":  "image/png",
	".jpg":  "image/jpeg",
	".webp": "image/webp",
	".ico":  "image/x-icon",
	".txt":  "text/plain; charset=utf-8",
}

// Handler serves the files under /static/. An address with the present content's tag may be kept for ever; one with an old tag or none
// is asked for again each time, so a page from before an update still gets a file that exists. Folders are not listed.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, prefix)
		tag, ok := tags[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		head := w.Header()
		head.Set("ETag", `"`+tag+`"`)
		head.Set("X-Content-Type-Options", "nosniff")
		if kind, known := types[path.Ext(name)]; known {
			head.Set("Content-Type", kind)
		} else {
			head.Set("Content-Type", "text/plain; charset=utf-8")
		}
		if r.URL.Query().Get("v") == tag {
			head.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			head.Set("Cache-Control", "no-cache")
		}
		http.ServeFileFS(w, r, FS, name)
	})
}
